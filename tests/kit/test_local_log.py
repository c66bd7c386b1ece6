"""The embedded log: the contract, and what is its own."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ascolto.intake.v1.events_pb2 import ContactReceived
from services.kit import topics
from services.kit.bus import Duties, Log
from services.kit.bus.local import LocalLog
from services.kit.bus.local_prune import OutboxPruner
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import Internal, Unavailable
from services.kit.prune import InboxPruner
from services.kit.uow import Database, Event, Uow
from tests.contracts.bus import BusContract, Sink, consumption, publish
from tests.kitlib import DatabaseFactory, drain, make_log, wait_until

COUNT = Sql("SELECT count(*) FROM applied")


def pruner(producer: Database, log: Log, clock: ManualClock, **more: Any) -> OutboxPruner:
    assert isinstance(log, LocalLog)
    return OutboxPruner(log, Duties({"intake": producer}, log.wakes, clock, "here", timedelta(days=7), **more))


class TestLocalLog(BusContract):
    @pytest.fixture
    def log(self, log: LocalLog) -> LocalLog:
        return log

    @pytest.fixture
    def producer(self, kit_database: DatabaseFactory) -> SqliteDatabase:
        return kit_database("intake")

    @pytest.fixture
    def database(self, kit_database: DatabaseFactory) -> SqliteDatabase:
        return kit_database("tickets")

    @pytest.fixture(autouse=True)
    def _factory(self, kit_database: DatabaseFactory) -> None:
        self.factory = kit_database

    def prune(self, producer: Database, log: Log, clock: ManualClock) -> None:
        pruner(producer, log, clock).prune("intake")

    def restarted(self, producer: Database) -> Database:
        producer.close()
        return self.factory("intake")

    def test_since_finds_the_first_record_of_a_moment(
        self, log: LocalLog, producer: Database, clock: ManualClock
    ) -> None:
        start = clock.now()
        for key in "abcdefg":
            publish(producer, [key])
            clock.advance(minutes=1)

        offset = log.since(topics.CONTACTS, start + timedelta(minutes=3))

        assert log.read(topics.CONTACTS, 0, offset, 1)[0].key == "d"
        assert log.since(topics.CONTACTS, clock.now()) == log.end(topics.CONTACTS)

    def test_a_slow_group_is_never_pruned_past(
        self, log: LocalLog, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        quick, slow = Sink(database), Sink(database)
        lagging = self.consumer(log, clock, slow, "search")
        lagging.start()
        publish(producer, [f"k{n}" for n in range(500)])
        drain([self.consumer(log, clock, quick)])
        clock.advance(days=30)

        self.prune(producer, log, clock)

        assert drain([lagging]) == 500
        self.prune(producer, log, clock)
        assert log.read(topics.CONTACTS, 0, log.begin(topics.CONTACTS), 10) == []

    def test_young_records_stay_though_all_have_read_them(
        self, log: LocalLog, producer: Database, database: Database, clock: ManualClock
    ) -> None:
        publish(producer, ["a"])
        drain([self.consumer(log, clock, Sink(database))])
        clock.advance(days=6)

        self.prune(producer, log, clock)

        assert len(log.read(topics.CONTACTS, 0, log.begin(topics.CONTACTS), 10)) == 1


def test_a_topic_whose_database_is_not_there_yet_is_unavailable(tmp_path: Path) -> None:
    log = make_log(tmp_path)

    with pytest.raises(Unavailable, match="not run its migrations"):
        log.read(topics.CONTACTS, 0, 0, 1)
    with pytest.raises(Internal, match="nobody"):
        log.read("nobody.v1", 0, 0, 1)


def test_a_group_past_half_the_retention_is_told_of(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    intake, tickets = kit_database("intake"), kit_database("tickets")
    Consumer(consumption(Sink(tickets)), tickets, log, clock=clock).start()
    registry = CollectorRegistry()
    publish(intake, ["a"])
    clock._now = clock._now.now(clock._now.tzinfo)
    keeper = pruner(intake, log, clock, metrics=registry)

    clock.advance(days=3)
    keeper.prune("intake")
    assert "group.behind" not in "".join(capsys.readouterr())  # standard error once a log was set up
    clock.advance(days=1)
    keeper.prune("intake")

    labels = {"group": "tickets", "topic": topics.CONTACTS}
    assert "group.behind" in "".join(capsys.readouterr())
    assert registry.get_sample_value("ascolto_kit_oldest_unread_seconds", labels) == pytest.approx(4 * 86400, abs=60)


def test_the_inbox_outlives_the_log_and_then_goes_too(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    clock._now = clock._now.now(clock._now.tzinfo)
    intake, tickets = kit_database("intake"), kit_database("tickets")
    publish(intake, [f"k{n}" for n in range(450)])
    drain([Consumer(consumption(Sink(tickets)), tickets, log, clock=clock)])
    keeper = InboxPruner({"tickets": tickets}, clock=clock, retention=timedelta(days=7))

    clock.advance(days=13)
    assert keeper.prune("tickets") == 0
    clock.advance(days=2)
    assert keeper.prune("tickets") == 450

    with tickets.read() as reader:
        assert reader.row(COUNT) == (0,)


def test_nothing_is_pruned_before_a_declared_group_has_read_for_the_first_time(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    intake, tickets = kit_database("intake"), kit_database("tickets")
    publish(intake, ["a"])
    consumer = Consumer(consumption(Sink(tickets), "search"), tickets, log, clock=clock)
    clock.advance(days=8)
    keeper = pruner(intake, log, clock, groups=[("search", topics.CONTACTS)])

    assert keeper.prune("intake") == 0
    drain([consumer])
    assert keeper.prune("intake") == 1


def test_the_worker_prunes_every_database_and_ends_when_asked(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kit.prune._FIRST_S", 0.0)
    databases = {name: kit_database(name) for name in ("intake", "tickets")}
    publish(databases["intake"], ["a"])
    publish(databases["tickets"], ["b"], topic=topics.TICKETS)
    clock.advance(days=8)
    stop = threading.Event()
    [worker] = log.workers(Duties(databases, log.wakes, clock, "here", timedelta(days=7)))
    thread = threading.Thread(target=worker.run, args=(stop,))

    thread.start()
    wait_until(lambda: [log.begin(topic) for topic in (topics.CONTACTS, topics.TICKETS)] == [2, 2])
    stop.set()
    thread.join(5)

    assert not thread.is_alive()


def test_a_batch_of_large_events_is_shorter(kit_database: DatabaseFactory, log: LocalLog) -> None:
    intake = kit_database("intake")
    for number in range(60):
        intake.write(partial(_emit_large, number))

    first = log.read(topics.CONTACTS, 0, 0, 500)
    rest = log.read(topics.CONTACTS, 0, first[-1].offset + 1, 500)

    assert sum(len(record.data) for record in first) <= 8 * 1024 * 1024
    assert [record.key for record in (*first, *rest)] == [f"k{n}" for n in range(60)]
    assert all(len(record.envelope.payload) > 200_000 for record in first)


def _emit_large(number: int, uow: Uow) -> None:
    uow.emit(Event(topics.CONTACTS, f"k{number}", f"con_{number}", 1, ContactReceived(text="x" * 200_000)))
