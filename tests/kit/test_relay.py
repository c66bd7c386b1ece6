"""The relay over any log: nothing lost, order kept, one active at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from prometheus_client import CollectorRegistry

from services.kit import topics
from services.kit.clock import ManualClock
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import Conflict, Unavailable
from services.kit.relay import Outgoing, Relay, RelayMetrics
from services.kit.wakes import Wakes
from tests.contracts.bus import publish
from tests.kitlib import DatabaseFactory, wait_until

INSERT = Sql(
    "INSERT INTO outbox (id, topic, key, kind, event_id, data, created_us)"
    " VALUES (:id, :topic, :key, 'ContactReceived', :key, :data, 0)"
)


class MemoryPublisher:
    """A log in memory, which can be away, take only some, and be stopped in the middle."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.away, self.takes = False, 10**9
        self.sending, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def publish(self, records: Sequence[Outgoing], going: Callable[[], bool]) -> int:
        if self.away:
            raise Unavailable("The log is away.")
        self.sending.set()
        self.go_on.wait(10)
        taken = 0
        for record in records[: self.takes]:
            if not going():
                break
            self.records.append(record)
            taken += 1
        return taken

    def close(self) -> None:
        return

    @property
    def keys(self) -> list[str]:
        return [record.key for record in self.records]


@pytest.fixture
def intake(kit_database: DatabaseFactory) -> SqliteDatabase:
    return kit_database("intake")


def relay(database: SqliteDatabase, log: MemoryPublisher, clock: ManualClock, wakes: Wakes | None = None) -> Relay:
    return Relay("intake", database, log, wakes=wakes or Wakes(), clock=clock)


def put(database: SqliteDatabase, number: int, key: str) -> None:
    values = {"id": number, "topic": topics.CONTACTS, "key": key, "data": b""}
    database.write(lambda uow: uow.execute(INSERT, values))


NEVER = threading.Event()


def test_rows_go_in_order_and_only_once_they_are_safe(intake: SqliteDatabase, clock: ManualClock) -> None:
    log = MemoryPublisher()
    one = relay(intake, log, clock)
    publish(intake, ["a", "b", "c"])
    assert one.take()
    log.takes = 2

    assert one.step(NEVER) == 2
    assert one.waiting() == 1
    assert one.step(NEVER) == 1

    assert log.keys == ["a", "b", "c"]
    assert (one.waiting(), one.step(NEVER)) == (0, 0)


def test_a_row_whose_transaction_committed_late_is_not_passed_over(intake: SqliteDatabase, clock: ManualClock) -> None:
    log = MemoryPublisher()
    one = relay(intake, log, clock)
    assert one.take()
    put(intake, 50, "early")
    one.step(NEVER)

    put(intake, 7, "late")  # as on PostgreSQL: an id drawn before, committed after
    one.step(NEVER)
    for _ in range(3):
        clock.advance(seconds=121)
        assert one.take()
        one.step(NEVER)
    put(intake, 8, "very late")  # longer than any transaction may be
    clock.advance(seconds=601)
    assert one.take()
    one.step(NEVER)

    assert log.keys == ["early", "late", "very late"]


def test_of_two_relays_one_publishes_and_the_other_goes_on_when_it_ends(
    intake: SqliteDatabase, clock: ManualClock
) -> None:
    log = MemoryPublisher()
    first, second = relay(intake, log, clock), relay(intake, log, clock)
    publish(intake, ["a"])

    assert first.take()
    assert not second.take()
    first.close()
    assert second.take()
    second.step(NEVER)

    assert log.keys == ["a"]


def test_a_relay_that_slept_past_its_lease_publishes_and_deletes_nothing_more(
    intake: SqliteDatabase, clock: ManualClock
) -> None:
    log, slow = MemoryPublisher(), MemoryPublisher()
    asleep, awake = relay(intake, slow, clock), relay(intake, log, clock)
    publish(intake, ["a", "b"])
    assert asleep.take()
    slow.go_on.clear()
    raised: list[BaseException | int] = []
    thread = threading.Thread(target=lambda: raised.append(asleep.step(NEVER)))
    thread.start()
    assert slow.sending.wait(5)

    clock.advance(seconds=30)
    assert awake.take()
    slow.go_on.set()
    thread.join(5)

    assert raised == [0]
    assert slow.keys == []
    assert awake.waiting() == 2
    awake.step(NEVER)
    assert log.keys == ["a", "b"]


def test_what_was_published_by_a_relay_that_lost_its_lease_is_left_to_the_next(
    intake: SqliteDatabase, clock: ManualClock
) -> None:
    log = MemoryPublisher()
    asleep, awake = relay(intake, log, clock), relay(intake, log, clock)
    publish(intake, ["a"])
    assert asleep.take()

    class Overtaken(MemoryPublisher):
        def publish(self, records: Sequence[Outgoing], going: Callable[[], bool]) -> int:
            clock.advance(seconds=30)  # after the last look, before the delete
            assert awake.take()
            return len(records)

    asleep._publisher = Overtaken()
    with pytest.raises(Conflict):
        asleep.step(NEVER)

    assert awake.waiting() == 1


def test_with_the_log_away_rows_wait_and_then_go_in_order(intake: SqliteDatabase, clock: ManualClock) -> None:
    log, wakes, stop = MemoryPublisher(), Wakes(), threading.Event()
    log.away = True
    one = relay(intake, log, clock, wakes)
    thread = threading.Thread(target=one.run, args=(stop,))
    thread.start()

    publish(intake, ["a", "b"])
    wait_until(lambda: one.paused == "The log is away.")
    publish(intake, ["c"])
    log.away = False
    wait_until(lambda: log.keys == ["a", "b", "c"])
    stop.set()
    thread.join(5)

    assert not thread.is_alive()
    assert relay(intake, log, clock).take()  # the lease was given back


def test_a_batch_weighs_no_more_than_what_may_be_in_flight(intake: SqliteDatabase, clock: ManualClock) -> None:
    sizes: list[int] = []

    class Weighing(MemoryPublisher):
        def publish(self, records: Sequence[Outgoing], going: Callable[[], bool]) -> int:
            sizes.append(sum(len(record.data) for record in records))
            return super().publish(records, going)

    log = Weighing()
    one = relay(intake, log, clock)
    for number in range(1, 31):
        values = {"id": number, "topic": topics.CONTACTS, "key": f"k{number}", "data": b"x" * 250_000}
        intake.write(lambda uow, values=values: uow.execute(INSERT, values))
    assert one.take()

    while one.step(NEVER):
        pass

    assert log.keys == [f"k{number}" for number in range(1, 31)]
    assert max(sizes) <= 4 * 1024 * 1024


def test_what_waits_and_what_is_published_is_counted(intake: SqliteDatabase, clock: ManualClock) -> None:
    registry, log = CollectorRegistry(), MemoryPublisher()
    one = Relay("intake", intake, log, wakes=Wakes(), clock=clock, metrics=RelayMetrics(registry))
    publish(intake, ["a", "b"])
    clock.advance(seconds=20)
    labels = {"service": "intake"}

    assert registry.get_sample_value("ascolto_kit_outbox_rows", labels) == 2
    assert registry.get_sample_value("ascolto_kit_outbox_oldest_seconds", labels) == pytest.approx(20, abs=1)
    assert one.take()
    one.step(NEVER)

    assert registry.get_sample_value("ascolto_kit_published_records_total", labels) == 2
    assert registry.get_sample_value("ascolto_kit_outbox_rows", labels) == 0
