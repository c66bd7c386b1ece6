"""The loop around consumers: what is away, what is poison, what is newer, what was applied before."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import CollectorRegistry

from ascolto.common.v1.envelope_pb2 import Envelope
from ascolto.intake.v1.events_pb2 import ContactAmended, ContactReceived
from services.kit import topics
from services.kit.app import Consumption
from services.kit.bus import Record
from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from services.kit.consume_metrics import ConsumeMetrics
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.deadletters import NEWER_SCHEMA, DeadLetters
from services.kit.errors import Unavailable
from services.kit.inbox import Fenced, keep_unapplied, note_erasure
from services.kit.uow import Event, Uow, Value
from tests.contracts.bus import Sink, consumption, publish
from tests.kitlib import DatabaseFactory, drain, wait_until

BACK = Sql("UPDATE positions SET next_offset = 0")
ON = Sql("UPDATE positions SET next_offset = 1000")
RAW = Sql(
    "INSERT INTO outbox (topic, key, kind, event_id, data, created_us) VALUES (:topic, :key, :kind, :event_id, :data, 0)"
)


@pytest.fixture
def intake(kit_database: DatabaseFactory) -> SqliteDatabase:
    return kit_database("intake")


@pytest.fixture
def tickets(kit_database: DatabaseFactory) -> SqliteDatabase:
    return kit_database("tickets")


@pytest.fixture
def sink(tickets: SqliteDatabase) -> Sink:
    return Sink(tickets)


@pytest.fixture
def consumer(sink: Sink, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock) -> Consumer:
    return Consumer(consumption(sink), tickets, log, clock=clock)


def letters_of(database: SqliteDatabase, clock: ManualClock, *consumptions: Consumption) -> DeadLetters:
    return DeadLetters(database, consumptions, clock=clock)


def test_a_store_that_is_away_pauses_the_group_which_loses_parks_and_reorders_nothing(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, clock: ManualClock
) -> None:
    keys = [f"k{number}" for number in range(30)]
    sink.poison, sink.error = {"k7"}, Unavailable("The store is away.")
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,), daemon=True)
    thread.start()

    publish(intake, keys)
    wait_until(lambda: sink.tries >= 3)
    assert consumer.lags()[0].paused == "The store is away."
    assert consumer.lags()[0].end > consumer.lags()[0].position
    sink.poison = set()
    wait_until(lambda: sink.seen == keys)
    stop.set()
    thread.join(5)

    assert letters_of(tickets, clock).count() == 0
    assert consumer.lags()[0].paused == ""
    assert consumer.lags()[0].end == consumer.lags()[0].position


def test_one_poison_among_ten_thousand_is_parked_alone_and_the_lane_moves_on(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    keys = [f"k{number}" for number in range(10_000)]
    for start in range(0, 10_000, 1000):
        publish(intake, keys[start : start + 1000])
    sink.poison = {"k4321"}
    other = Sink(tickets)

    drain([consumer])

    assert sink.seen == [key for key in keys if key != "k4321"]
    assert sink.tries <= 10_000 / 500 + 2 * 10  # halving, not one by one
    letters = letters_of(tickets, clock, consumer.consumption)
    [letter], following = letters.list()
    assert (letter.key, letter.reason, letter.reason_kind) == ("k4321", "ValueError: poison", "internal")
    assert following == ""
    drain([Consumer(consumption(other, "search"), tickets, log, clock=clock)])
    assert letters.count() == 1


def test_replaying_a_dead_letter_runs_its_own_group_alone_and_once(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    publish(intake, ["a", "b", "c"])
    sink.poison = {"b"}
    other = Sink(tickets)
    drain([consumer, Consumer(consumption(other, "search"), tickets, log, clock=clock)])
    letters = letters_of(tickets, clock, consumer.consumption, consumption(other, "search"))
    tries = other.tries
    waiting = letters.waiting_ids()

    [failed] = letters.replay(waiting)
    assert (failed.ok, failed.detail) == (False, "ValueError: poison")
    assert letters.list()[0][0].attempts == 2
    sink.poison = set()
    outcomes = letters.replay([*waiting, *waiting, "dlt_none"])
    assert [(outcome.ok, outcome.kind) for outcome in outcomes] == [(True, ""), (True, ""), (False, "not_found")]

    assert sorted(sink.seen) == ["a", "a", "b", "b", "c", "c"]  # both groups write `things`; `b` once by each
    assert other.tries == tries
    assert letters.count() == 0
    assert letters.handled_since(0) == 1


def test_replaying_what_would_write_to_a_customer_needs_a_person(
    intake: SqliteDatabase, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    sink = Sink(intake)
    sink.poison = {"reply"}
    replies = consumption(sink, "intake", topic=topics.REPLIES)
    publish(tickets, ["reply"], topic=topics.REPLIES)
    drain([Consumer(replies, intake, log, clock=clock)])
    letters = letters_of(intake, clock, replies)
    sink.poison = set()

    [refused] = letters.replay(letters.waiting_ids())
    [allowed] = letters.replay(letters.waiting_ids(), confirmed=True)

    assert (refused.ok, allowed.ok) == (False, True)
    assert "confirm" in refused.detail
    assert sink.seen == ["reply"]


def test_dead_letters_come_in_pages(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, clock: ManualClock
) -> None:
    keys = [f"k{number}" for number in range(7)]
    publish(intake, keys)
    sink.poison = set(keys)
    drain([consumer])
    letters, found, after = letters_of(tickets, clock, consumer.consumption), [], ""

    for _ in range(3):
        page, after = letters.list(limit=3, after=after)
        found += [letter.key for letter in page]

    assert found == keys
    assert after == ""
    assert len(letters.waiting_ids("internal")) == 7
    assert letters.waiting_ids("invalid") == []


def test_a_kind_of_tomorrow_is_parked_and_applied_by_itself_after_the_upgrade(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    publish(intake, ["a"])
    publish(intake, ["b"], kind=ContactAmended)
    publish(intake, ["c"])
    drain([consumer])
    letters = letters_of(tickets, clock, consumer.consumption)
    assert sink.seen == ["a", "c"]
    assert [letter.reason_kind for letter in letters.list()[0]] == [NEWER_SCHEMA]
    assert not letters.replay(letters.waiting_ids())[0].ok

    both = frozenset({"ContactReceived", "ContactAmended"})
    drain([Consumer(consumption(sink, kinds=both), tickets, log, clock=clock)])

    assert sink.seen == ["a", "c", "b"]
    assert letters.count() == 0


def test_ignored_kinds_are_skipped_without_a_trace(
    sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    publish(intake, ["a"], kind=ContactAmended)

    drain([Consumer(consumption(sink, ignored=frozenset({"ContactAmended"})), tickets, log, clock=clock)])

    assert sink.seen == []
    assert letters_of(tickets, clock).count() == 0


def test_fields_of_tomorrow_survive_being_read_today(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, clock: ManualClock
) -> None:
    tomorrow, around = b"\x82\x7d\x05later", b"\x82\x7d\x05outer"  # field 2000, length-delimited
    payload = ContactReceived(text="hello").SerializeToString() + tomorrow
    data = Envelope(event_id="evt_1", kind="ContactReceived", payload=payload).SerializeToString() + around
    values: dict[str, Value] = {
        "topic": topics.CONTACTS,
        "key": "k",
        "kind": "ContactReceived",
        "event_id": "evt_1",
        "data": data,
    }
    intake.write(lambda uow: uow.execute(RAW, values))
    sink.poison = {"k"}

    drain([consumer])

    [letter], _ = letters_of(tickets, clock).list()
    envelope = letter.record.envelope
    assert envelope.SerializeToString().endswith(around)
    assert ContactReceived.FromString(envelope.payload).SerializeToString().endswith(tomorrow)


def test_a_damaged_envelope_is_parked_like_any_other(
    intake: SqliteDatabase, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    def parse(records: list[Record], _uow: Uow) -> None:
        assert all(record.envelope for record in records)

    values: dict[str, Value] = {
        "topic": topics.CONTACTS,
        "key": "k",
        "kind": "ContactReceived",
        "event_id": "evt_1",
        "data": b"\xff\xff",
    }
    intake.write(lambda uow: uow.execute(RAW, values))
    broken = Consumption("tickets", topics.CONTACTS, frozenset({"ContactReceived"}), parse)  # type: ignore[arg-type]  # a list is what it gets

    drain([Consumer(broken, tickets, log, clock=clock)])

    assert [letter.key for letter in letters_of(tickets, clock).list()[0]] == ["k"]


def test_a_redelivery_changes_nothing(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    publish(intake, ["a", "b", "c"])
    drain([consumer])
    tickets.write(lambda uow: uow.execute(BACK))
    publish(intake, ["d"])

    drain([Consumer(consumption(sink), tickets, log, clock=clock)])

    assert sink.seen == ["a", "b", "c", "d"]


def test_of_one_event_twice_in_a_batch_only_the_first_counts(tickets: SqliteDatabase) -> None:
    record = Record(topics.CONTACTS, 0, 1, "k", "ContactReceived", "evt_1", b"")
    again = Record(topics.CONTACTS, 0, 2, "k", "ContactReceived", "evt_1", b"")

    fresh = tickets.write(lambda uow: keep_unapplied(uow, "g", [record, again], 0))

    assert fresh == [record]


def test_a_zombie_is_fenced_before_its_effect(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase
) -> None:
    consumer.start()
    tickets.write(lambda uow: uow.execute(ON))
    publish(intake, ["a"])

    with pytest.raises(Fenced):
        consumer.run_once()

    assert sink.seen == []
    assert sink.tries == 0


def test_the_position_moves_only_with_the_effect(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    publish(intake, ["a", "b"])
    sink.poison, sink.error = {"b"}, Unavailable("away")

    with pytest.raises(Unavailable):
        consumer.run_once()
    sink.poison = set()
    drain([Consumer(consumption(sink), sink.database, log, clock=clock)])

    assert sink.seen == ["a", "b"]


def test_a_batch_costs_its_database_one_commit(
    consumer: Consumer, intake: SqliteDatabase, tickets: SqliteDatabase
) -> None:
    consumer.start()
    publish(intake, [f"k{number}" for number in range(400)])
    emitted, before = intake.commits, tickets.commits

    drain([consumer])

    assert tickets.commits - before == 1
    assert emitted == 1


def test_events_about_an_erased_person_are_dropped_unless_they_came_in_later(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, clock: ManualClock
) -> None:
    erased = clock.now()
    tickets.write(lambda uow: note_erasure(uow, b"somebody", int(erased.timestamp() * 1_000_000)))

    def write(uow: Uow) -> None:
        for key, subject, received in (
            ("old", b"somebody", erased),
            ("other", b"another", erased),
            ("none", b"", None),
        ):
            uow.emit(Event(topics.CONTACTS, key, key, 1, ContactReceived(), subject=subject, received_at=received))

    intake.write(write)
    clock.advance(seconds=1)
    later = Event(topics.CONTACTS, "new", "new", 2, ContactReceived(), subject=b"somebody", received_at=clock.now())
    intake.write(lambda uow: uow.emit(later))

    drain([consumer])

    assert sink.seen == ["other", "none", "new"]


def test_what_is_consumed_and_parked_is_counted(
    sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, log: LocalLog, clock: ManualClock
) -> None:
    registry = CollectorRegistry()
    sink.poison = {"b"}
    publish(intake, ["a", "b", "c"])

    drain([Consumer(consumption(sink), tickets, log, clock=clock, metrics=ConsumeMetrics(registry))])

    labels = {"service": "tickets", "group": "tickets", "topic": topics.CONTACTS}
    assert registry.get_sample_value("ascolto_kit_consumed_records_total", labels) == 3
    assert registry.get_sample_value("ascolto_kit_parked_records_total", labels | {"reason": "internal"}) == 1


def test_the_lag_of_a_group_is_told_at_each_scrape(consumer: Consumer, intake: SqliteDatabase) -> None:
    registry = CollectorRegistry()
    ConsumeMetrics(registry).watch([consumer])
    labels = {"service": "tickets", "group": "tickets", "topic": topics.CONTACTS}
    consumer.start()
    publish(intake, ["a", "b"])

    assert registry.get_sample_value("ascolto_kit_lag_records", labels) == 2
    drain([consumer])

    assert registry.get_sample_value("ascolto_kit_lag_records", labels) == 0
    assert registry.get_sample_value("ascolto_kit_lag_seconds", labels) == 0


def test_a_full_disk_pauses_the_group_and_it_goes_on_by_itself(
    consumer: Consumer, sink: Sink, intake: SqliteDatabase, tickets: SqliteDatabase, clock: ManualClock
) -> None:
    keys = [f"{number} {'x' * 2000}" for number in range(200)]
    publish(intake, keys)
    consumer.start()
    tickets.write(lambda uow: uow.rows(Sql("PRAGMA max_page_count = 1")))  # SQLite takes the present size
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,), daemon=True)

    thread.start()
    wait_until(lambda: "disk full" in consumer.lags()[0].paused)
    tickets.write(lambda uow: uow.rows(Sql("PRAGMA max_page_count = 100000")))
    wait_until(lambda: len(sink.seen) == 200)
    stop.set()
    thread.join(5)

    assert sink.seen == keys
    assert letters_of(tickets, clock).count() == 0


def test_a_group_outside_the_log_is_shown_to_operations(
    consumer: Consumer, intake: SqliteDatabase, tickets: SqliteDatabase
) -> None:
    publish(intake, ["a"])
    consumer.start()
    tickets.write(lambda uow: uow.execute(ON))

    assert "beyond the log's end" in consumer.lags()[0].paused
