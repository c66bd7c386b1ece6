"""Kafka on bad days: lost acknowledgements, a broker away, zombies, rebalances. Nothing lost, doubled or out of order."""

from __future__ import annotations

import itertools
import random
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from ascolto.intake.v1.events_pb2 import ContactReceived
from services.kit import topics
from services.kit.bus import Record
from services.kit.bus.kafka import KafkaLog
from services.kit.bus.kafka_cluster import Cluster
from services.kit.bus.kafka_publish import KafkaPublisher
from services.kit.clock import SystemClock
from services.kit.consume import Consumer
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import Unavailable
from services.kit.inbox import Fenced
from services.kit.relay import Relay
from services.kit.uow import Database, Event, Uow, chunks
from services.kit.wakes import Wakes
from tests.contracts.bus import Sink, consumption, publish
from tests.faults.proxy import Proxy
from tests.kitlib import make_kit_database, wait_until
from tests.real import kafka_world, servers
from tests.real.kafka_world import behind, running

pytestmark = [
    pytest.mark.real,
    # kafka-python 3.0.12 leaves the sockets of clients that were cut off to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def url() -> Iterator[str]:
    made = kafka_world.new_url(partitions=6)
    yield made
    kafka_world.drop(made)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    opened = Proxy()
    yield opened
    opened.close()


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = make_kit_database(tmp_path, "intake", clock=SystemClock(), budget_s=1.0)
    yield opened
    opened.close()


@pytest.fixture
def tickets(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = make_kit_database(tmp_path, "tickets", clock=SystemClock(), budget_s=1.0)
    yield opened
    opened.close()


def relay(cluster: Cluster, database: Database, wakes: Wakes | None = None) -> Relay:
    return Relay("intake", database, KafkaPublisher(cluster), wakes=wakes or Wakes(), clock=SystemClock())


@contextmanager
def consumer(url: str, sink: Sink, **more: object) -> Iterator[Consumer]:
    log = KafkaLog(Cluster.of(url))
    yield Consumer(consumption(sink, **more), sink.database, log, clock=SystemClock())
    log.close()


def in_log(url: str) -> list[Record]:
    """All records of the topic, part by part."""
    log = KafkaLog(Cluster.of(url))
    found: list[Record] = []
    for part, bounds in log.bounds(topics.CONTACTS).items():
        at = bounds.begin
        while at < bounds.end:
            records = log.read(*part, at, 2000)
            found += records
            at = records[-1].offset + 1
    log.close()
    return found


def numbered(keys: int, each: int) -> list[str]:
    """`key.number`, the numbers of a key in order."""
    return [f"{key}.{number}" for number in range(each) for key in range(keys)]


def disorder(seen: Sequence[str]) -> list[str]:
    """Where a key's numbers do not follow one another."""
    last: dict[str, int] = defaultdict(lambda: -1)
    wrong = []
    for one in seen:
        key, _, number = one.partition(".")
        if int(number) != last[key] + 1:
            wrong.append(one)
        last[key] = int(number)
    return wrong


class Numbered(Sink):
    """Remembers bodies, which name key and number; the key on the log is the first part alone."""

    def __call__(self, records: Sequence[Record], uow: Uow) -> None:
        revs = uow.next_revs(len(records))
        rows = [
            {"id": f"{rev:09}", "body": record.envelope.aggregate_id.removeprefix("con_")}
            for rev, record in zip(revs, records, strict=True)
        ]
        uow.execute_many(Sql("INSERT INTO things (id, body) VALUES (:id, :body)"), rows)


def publish_numbered(database: Database, items: Sequence[str]) -> None:
    """One event for each, fifty in a transaction."""
    for some in chunks(items, 50):
        database.write(partial(_emit, some))


def _emit(items: Sequence[str], uow: Uow) -> None:
    for item, rev in zip(items, uow.next_revs(len(items)), strict=True):
        uow.emit(Event(topics.CONTACTS, item.partition(".")[0], f"con_{item}", rev, ContactReceived()))


def test_the_first_records_of_many_parts_are_found_from_wherever_one_looks(url: str, intake: SqliteDatabase) -> None:
    publish_numbered(intake, numbered(60, 10))
    cluster = Cluster.of(url)
    moving = relay(cluster, intake)
    moving.take()
    wait_until(lambda: not moving.step(threading.Event()), 20.0)
    moving.close()

    log, rng = KafkaLog(cluster), random.Random(6)
    bounds = log.bounds(topics.CONTACTS)
    for _ in range(25):
        some = [part for part in bounds if rng.random() < 0.7]
        places = {part: rng.randrange(bounds[part].begin, bounds[part].end + 1) for part in some}
        found = log.first(places)
        assert {part: record.offset for part, record in found.items()} == {
            part: offset for part, offset in places.items() if offset < bounds[part].end
        }
    log.close()


def test_an_acknowledgement_lost_after_the_broker_applied_it_doubles_nothing(
    url: str, proxy: Proxy, intake: SqliteDatabase
) -> None:
    one = relay(behind(url, proxy), intake)
    publish(intake, ["warm"])
    with running(one.run):
        wait_until(lambda: one.waiting() == 0, 20.0)
        proxy.lose_acknowledgements(3)
        publish_numbered(intake, numbered(5, 200))
        wait_until(lambda: one.waiting() == 0, 40.0)

    assert proxy.lost >= 1
    found = [record.envelope.aggregate_id.removeprefix("con_") for record in in_log(url)]
    found.remove("warm")
    assert sorted(found) == sorted(numbered(5, 200))
    assert disorder(found) == []


def test_with_the_broker_away_the_outbox_grows_and_then_drains_in_order(
    url: str, proxy: Proxy, intake: SqliteDatabase
) -> None:
    one = relay(behind(url, proxy), intake)
    with running(one.run):
        publish_numbered(intake, numbered(5, 100))
        wait_until(lambda: one.waiting() == 0, 20.0)
        proxy.cut(away=True)
        publish_numbered(intake, [f"{key}.{number}" for number in range(100, 500) for key in range(5)])
        assert one.waiting() == 2000
        proxy.cut(away=False)
        wait_until(lambda: one.waiting() == 0, 40.0)

    found = [record.envelope.aggregate_id.removeprefix("con_") for record in in_log(url)]
    assert sorted(found) == sorted(numbered(5, 500))
    assert disorder(found) == []


def test_cut_again_and_again_in_the_middle_nothing_is_lost_doubled_or_out_of_order(
    url: str, proxy: Proxy, intake: SqliteDatabase
) -> None:
    one = relay(behind(url, proxy), intake)
    with running(one.run):
        for start in range(0, 600, 100):
            publish_numbered(intake, [f"{key}.{n}" for n in range(start, start + 100) for key in range(5)])
            proxy.cut(away=False)
        wait_until(lambda: one.waiting() == 0, 40.0)

    found = [record.envelope.aggregate_id.removeprefix("con_") for record in in_log(url)]
    assert sorted(found) == sorted(numbered(5, 600))
    assert disorder(found) == []


def test_a_topic_that_is_not_there_is_unavailable_and_names_what_to_do(intake: SqliteDatabase) -> None:
    cluster = Cluster.of(f"{servers.url('kafka')}/nobody")
    publish(intake, ["a"])

    with pytest.raises(Unavailable, match="ascolto migrate"):
        KafkaLog(cluster).bounds(topics.CONTACTS)


def test_a_zombie_is_fenced_and_what_it_held_takes_effect_once(
    url: str, intake: SqliteDatabase, tickets: SqliteDatabase
) -> None:
    items, sink, fenced = numbered(4, 100), Numbered(tickets), list[BaseException]()
    held, go_on = threading.Event(), threading.Event()
    with consumer(url, sink) as zombie, consumer(url, sink) as heir:
        apply = zombie._apply

        def asleep(records: Sequence[Record]) -> None:
            if not held.is_set():
                held.set()
                go_on.wait(60)
            try:
                apply(records)
            except Fenced as error:
                fenced.append(error)
                raise

        zombie._apply = asleep  # type: ignore[method-assign]  # stopped between reading and applying
        with running(relay(Cluster.of(url), intake).run, zombie.run):
            publish_numbered(intake, items)
            assert held.wait(30)
            kafka_world.kick(url, f"tickets.{topics.CONTACTS}")
            with running(heir.run):
                wait_until(lambda: len(sink.seen) == len(items), 30.0)
            go_on.set()
            wait_until(lambda: fenced, 20.0)
            publish_numbered(intake, [f"{key}.{number}" for number in range(100, 120) for key in range(4)])
            wait_until(lambda: len(sink.seen) == 480, 30.0)

    assert sorted(sink.seen) == sorted(numbered(4, 120))
    assert disorder(sink.seen) == []


def test_a_storm_of_rebalances_loses_doubles_and_reorders_nothing(
    url: str, intake: SqliteDatabase, tickets: SqliteDatabase
) -> None:
    sink, done, calm = Numbered(tickets), threading.Event(), threading.Event()
    kicks = itertools.count()

    def come_and_go(pause_s: float) -> None:
        while not done.is_set():
            with consumer(url, sink, batch=20) as member, running(member.run):
                (done if calm.is_set() else calm).wait(pause_s)

    def kick() -> None:
        while not calm.wait(0.7):
            kafka_world.kick(url, f"tickets.{topics.CONTACTS}")
            next(kicks)

    runs = [partial(come_and_go, 1.0 + 0.7 * number) for number in range(4)] + [kick]
    threads = [threading.Thread(target=run, daemon=True) for run in runs]
    try:
        with running(relay(Cluster.of(url), intake).run):
            for thread in threads:
                thread.start()
            for start in range(0, 160, 2):
                publish_numbered(intake, [f"{key}.{number}" for number in range(start, start + 2) for key in range(40)])
                calm.wait(0.05)
            calm.set()
            wait_until(lambda: len(sink.seen) >= 6400, 60.0)
    finally:
        calm.set()
        done.set()
        for thread in threads:
            thread.join(20)

    assert next(kicks) >= 3
    assert sorted(sink.seen) == sorted(numbered(40, 160))
    assert disorder(sink.seen) == []


def test_the_database_away_keeps_membership_and_parks_nothing(
    url: str, intake: SqliteDatabase, tickets: SqliteDatabase
) -> None:
    items, sink = numbered(3, 50), Numbered(tickets)
    with consumer(url, sink) as one:
        write = tickets.write
        away = threading.Event()
        away.set()

        def sometimes(function, **more):  # type: ignore[no-untyped-def]  # as `Database.write`
            if away.is_set():
                raise Unavailable("The database is away.")
            return write(function, **more)

        tickets.write = sometimes  # type: ignore[method-assign]  # a database that is away, and comes back
        with running(relay(Cluster.of(url), intake).run, one.run):
            publish_numbered(intake, items)
            wait_until(lambda: one.lags()[0].paused == "The database is away.", 20.0)
            away.clear()
            wait_until(lambda: len(sink.seen) == len(items), 30.0)

    assert disorder(sink.seen) == []
    with tickets.read() as reader:
        assert reader.row(Sql("SELECT count(*) FROM dead_letters")) == (0,)


def test_a_parked_record_is_copied_to_the_dead_letter_topic(
    url: str, intake: SqliteDatabase, tickets: SqliteDatabase
) -> None:
    sink = Sink(tickets)
    sink.poison = {"bad"}
    log = KafkaLog(Cluster.of(url))
    with consumer(url, sink) as one:
        tickets_relay = Relay("tickets", tickets, KafkaPublisher(Cluster.of(url)), wakes=Wakes(), clock=SystemClock())
        with running(relay(Cluster.of(url), intake).run, tickets_relay.run, one.run):
            publish(intake, ["good", "bad", "fine"])
            name = "ascolto.contacts.v1.dlq"
            wait_until(lambda: sum(bounds.end for bounds in log.bounds(name).values()) == 1, 30.0)
            wait_until(lambda: sorted(sink.seen) == ["fine", "good"], 20.0)

    [record] = log.read(name, 0, 0, 10)
    log.close()
    assert (record.key, record.kind) == ("bad", "ContactReceived")
    assert record.envelope.event_id == record.event_id
