"""The contract of every log behind `kit.bus.Log`, together with the consumers and the pruning that lean on it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ascolto.intake.v1.events_pb2 import ContactAmended, ContactReceived
from services.kit import topics
from services.kit.app import Consumption
from services.kit.bus import Log, Record
from services.kit.bus.tail import Tail
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from services.kit.db.sql import Sql
from services.kit.errors import Internal
from services.kit.uow import Database, Event, Uow
from tests.kitlib import drain, wait_until

POSITION = Sql("UPDATE positions SET next_offset = :to")


class Sink:
    """A handler that remembers what it was given once its transaction committed (`seen`), and every try (`tries`)."""

    def __init__(self, database: Database) -> None:
        self.database, self.tries = database, 0
        self.poison: set[str] = set()
        self.error: Exception = ValueError("poison")

    def __call__(self, records: Sequence[Record], uow: Uow) -> None:
        self.tries += 1
        for record in records:
            if record.key in self.poison:
                raise self.error
        rows = [{"id": f"{uow.next_revs()[0]:06}", "body": record.key} for record in records]
        uow.execute_many(Sql("INSERT INTO things (id, body) VALUES (:id, :body)"), rows)

    @property
    def seen(self) -> list[Any]:
        """Keys in the order of their effects."""
        with self.database.read() as reader:
            return [row[0] for row in reader.rows(Sql("SELECT body FROM things ORDER BY id"))]


def consumption(sink: Sink, group: str = "tickets", **more: Any) -> Consumption:
    """Contacts, handled by `sink`."""
    return replace(Consumption(group, topics.CONTACTS, frozenset({"ContactReceived"}), sink), **more)


def publish(
    database: Database, keys: Iterable[str], *, kind: Any = ContactReceived, topic: str = topics.CONTACTS
) -> None:
    """One event for each key, in one transaction."""
    listed = list(keys)

    def write(uow: Uow) -> None:
        for key, rev in zip(listed, uow.next_revs(len(listed)), strict=True):
            uow.emit(Event(topic, key, f"con_{key}", rev, kind()))

    database.write(write)


class BusContract(ABC):
    """Subclass, give the fixtures, and every promise of the log is checked against it."""

    @pytest.fixture
    @abstractmethod
    def log(self) -> Any: ...

    @pytest.fixture
    @abstractmethod
    def producer(self) -> Any:
        """A database of intake whose events reach `log`."""

    @pytest.fixture
    @abstractmethod
    def database(self) -> Any:
        """A database of tickets, with `things`."""

    def publish(self, producer: Database, keys: Iterable[str], **more: Any) -> None:
        """One event for each key, in the log when this returns."""
        publish(producer, keys, **more)

    def drain(self, consumers: Sequence[Consumer]) -> int:
        """Runs consumers until nothing waits; returns how many records were handled."""
        return drain(consumers)

    @abstractmethod
    def prune(self, producer: Database, log: Log, clock: ManualClock) -> None:
        """Prunes what may be pruned now, by age and groups."""

    def consumer(self, log: Log, clock: ManualClock, sink: Sink, group: str = "tickets", **more: Any) -> Consumer:
        return Consumer(consumption(sink, group, **more), sink.database, log, clock=clock)

    def test_records_come_in_the_order_of_their_commits(self, log: Log, producer: Database) -> None:
        self.publish(producer, ["a", "b"])
        self.publish(producer, ["c"])

        [(part, bounds)] = log.bounds(topics.CONTACTS).items()
        records = log.read(*part, bounds.begin, 10)
        assert [record.key for record in records] == ["a", "b", "c"]
        assert [record.kind for record in records] == ["ContactReceived"] * 3
        assert records[0].envelope.event_id == records[0].event_id
        assert log.read(*part, records[1].offset, 1) == [records[1]]
        assert log.bounds(topics.CONTACTS)[part].end > records[2].offset

    def test_the_first_record_behind_a_place_is_found(self, log: Log, producer: Database) -> None:
        self.publish(producer, ["a", "b"])

        [(part, bounds)] = log.bounds(topics.CONTACTS).items()
        records = log.read(*part, bounds.begin, 10)
        assert log.first({part: records[1].offset}) == {part: records[1]}
        assert log.first({part: bounds.end}) == {}
        assert log.first({}) == {}
        with pytest.raises(Internal, match="beyond the log's end"):
            log.first({part: bounds.end + 1})

    def test_a_group_starts_where_its_database_says_not_where_the_log_remembers(
        self, log: Log, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        sink = Sink(database)
        self.publish(producer, ["a", "b"])
        self.drain([self.consumer(log, clock, sink)])
        self.publish(producer, ["c"])

        self.drain([self.consumer(log, clock, sink)])

        assert sink.seen == ["a", "b", "c"]

    def test_a_position_beyond_the_end_stops_loudly(
        self, log: Log, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        sink = Sink(database)
        self.publish(producer, ["a"])
        self.drain([self.consumer(log, clock, sink)])
        database.write(lambda uow: uow.execute(POSITION, {"to": 1000}))

        with pytest.raises(Internal, match="beyond the log's end"):
            self.drain([self.consumer(log, clock, sink)])

        assert sink.seen == ["a"]

    def test_a_position_below_what_is_pruned_stops_loudly(
        self, log: Log, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        sink = Sink(database)
        self.publish(producer, ["a", "b"])
        self.drain([self.consumer(log, clock, sink)])
        clock.advance(days=8)
        self.prune(producer, log, clock)
        database.write(lambda uow: uow.execute(POSITION, {"to": 1}))

        with pytest.raises(Internal, match="pruned"):
            self.drain([self.consumer(log, clock, sink)])

    def test_after_pruning_to_empty_and_a_restart_every_group_receives_what_follows(
        self, log: Log, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        sink = Sink(database)
        self.publish(producer, [f"k{n}" for n in range(300)])
        self.drain([self.consumer(log, clock, sink), self.consumer(log, clock, sink, "search")])
        clock.advance(days=8)
        self.prune(producer, log, clock)
        before = len(sink.seen)

        self.publish(self.restarted(producer), ["after"])

        assert self.drain([self.consumer(log, clock, sink), self.consumer(log, clock, sink, "search")]) == 2
        assert sink.seen[before:] == ["after", "after"]

    def restarted(self, producer: Database) -> Database:
        """The producer after a restart of its process; the same where that changes nothing."""
        return producer

    def test_a_new_group_begins_with_the_oldest_record_there_is(
        self, log: Log, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        self.publish(producer, ["old"])
        self.drain([self.consumer(log, clock, Sink(database))])
        clock.advance(days=8)
        self.prune(producer, log, clock)
        self.publish(producer, ["new"])
        late = Sink(database)

        self.drain([self.consumer(log, clock, late, "search")])

        assert late.seen[-1:] == ["new"]

    def test_one_key_keeps_its_order_through_a_restart(
        self, log: Log, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        sink = Sink(database)
        for batch in range(6):
            self.publish(producer, [f"{batch}.{n}" for n in range(5)])
            if batch % 2:
                self.consumer(log, clock, sink, batch=3).run_once()

        self.drain([self.consumer(log, clock, sink, batch=2)])

        assert sink.seen == [f"{batch}.{n}" for batch in range(6) for n in range(5)]

    def test_a_running_consumer_handles_what_comes_and_stops_when_asked(
        self, log: Log, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        sink, stop = Sink(database), threading.Event()
        thread = threading.Thread(target=self.consumer(log, clock, sink).run, args=(stop,))
        thread.start()

        self.publish(producer, ["a"])
        wait_until(lambda: sink.seen == ["a"])
        self.publish(producer, ["b"])
        wait_until(lambda: sink.seen == ["a", "b"])
        stop.set()
        thread.join(5)

        assert not thread.is_alive()

    def test_a_tail_begins_two_minutes_ago_and_sees_what_follows(
        self, log: Log, producer: Database, clock: ManualClock
    ) -> None:
        self.publish(producer, ["older"])
        clock.advance(minutes=3)
        self.publish(producer, ["old"])
        clock.advance(minutes=1)
        tail = Tail(log, [topics.CONTACTS, topics.DELIVERIES], clock=clock)

        assert [record.key for record in tail.read(5.0)] == ["old"]
        self.publish(producer, ["new"], kind=ContactAmended)
        self.publish(producer, ["sent"], topic=topics.DELIVERIES)
        assert sorted(record.key for _ in range(2) for record in tail.read(1.0)) == ["new", "sent"]
        assert tail.read(0.0) == []
        tail.close()
