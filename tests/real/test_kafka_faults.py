"""Kafka on bad days: lost acknowledgements, a broker away, zombies, rebalances. Nothing lost, doubled or out of order."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

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
from services.kit.relay import Relay
from services.kit.uow import Database, Uow
from services.kit.wakes import Wakes
from tests.contracts.bus import Sink, consumption, publish
from tests.kitlib import make_kit_database, wait_until
from tests.real import kafka_world, servers
from tests.real.kafka_proxy import Proxy, behind
from tests.real.kafka_world import running

pytestmark = pytest.mark.real


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


def publish_numbered(database: Database, items: Sequence[str], pause: threading.Event | None = None) -> None:
    from ascolto.intake.v1.events_pb2 import ContactReceived
    from services.kit.uow import Event

    for some in itertools.batched(items, 50) if hasattr(itertools, "batched") else _batches(items, 50):

        def write(uow: Uow, some: Sequence[str] = some) -> None:
            for item, rev in zip(some, uow.next_revs(len(some)), strict=True):
                uow.emit(Event(topics.CONTACTS, item.partition(".")[0], f"con_{item}", rev, ContactReceived()))

        database.write(write)
        if pause is not None:
            pause.wait(0.01)


def _batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


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
    one, never = relay(behind(url, proxy), intake), threading.Event()
    with running(one.run):
        for start in range(0, 600, 100):
            publish_numbered(intake, [f"{key}.{n}" for n in range(start, start + 100) for key in range(5)], never)
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
    items, held, go_on = numbered(4, 100), threading.Event(), threading.Event()

    class Sleepy(Numbered):
        """The first batch is asleep in its handler's thread, before the transaction begins."""

    sink = Sleepy(tickets)
    with consumer(url, sink) as zombie, consumer(url, Numbered(tickets)) as heir:
        apply = zombie._apply
        fenced: list[BaseException] = []

        def slow(records: Sequence[Record]) -> None:
            if not held.is_set():
                held.set()
                go_on.wait(30)
            try:
                apply(records)
            except Exception as error:
                fenced.append(error)
                raise

        zombie._apply = slow  # type: ignore[method-assign]  # where a process can be stopped
        with running(relay(Cluster.of(url), intake).run, zombie.run):
            publish_numbered(intake, items)
            assert held.wait(30)
            # Another instance takes all that the zombie read: as after its session ended.
            tickets.write(lambda uow: uow.execute(Sql("UPDATE positions SET moved_us = moved_us")))
            positions = heir._positions
            log = heir._log
            for part in log.bounds(topics.CONTACTS):
                start = positions.known().get(part, 0)
                records = log.read(*part, start, 1000)
                if records:
                    heir._next[part.partition] = start
                    heir._apply(records)
            go_on.set()
            wait_until(lambda: kafka_world.caught_up([zombie]), 30.0)

    assert [type(error).__name__ for error in fenced[:1]] == ["Fenced"]
    assert sorted(sink.seen) == sorted(items)
    assert disorder(sink.seen) == []


def test_a_storm_of_rebalances_loses_doubles_and_reorders_nothing(
    url: str, intake: SqliteDatabase, tickets: SqliteDatabase
) -> None:
    items, sink, never = numbered(40, 150), Numbered(tickets), threading.Event()
    done = threading.Event()

    def come_and_go(pause: float) -> None:
        while not done.is_set():
            with consumer(url, sink, batch=100) as member:
                stop = threading.Event()
                thread = threading.Thread(target=member.run, args=(stop,), daemon=True)
                thread.start()
                done.wait(pause)
                stop.set()
                thread.join(20)
                assert not thread.is_alive()

    members = [threading.Thread(target=come_and_go, args=(1.0 + 0.7 * n,), daemon=True) for n in range(4)]
    with running(relay(Cluster.of(url), intake).run):
        for member in members:
            member.start()
        publish_numbered(intake, items, never)
        with consumer(url, sink) as asked:
            wait_until(lambda: len(sink.seen) >= len(items) and kafka_world.caught_up([asked]), 60.0)
        done.set()
        for member in members:
            member.join(20)

    assert sorted(sink.seen) == sorted(items)
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
