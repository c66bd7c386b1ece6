"""The embedded log: the contract, and what is its own."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge

from ascolto.intake.v1.events_pb2 import ContactReceived
from services.kit import topics
from services.kit.bus import Log
from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.config import Settings
from services.kit.consume import Consumer
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import Internal, Unavailable
from services.kit.prune import Pruner, ServicePruner
from services.kit.uow import Database, Event, Uow
from tests.contracts.bus import BusContract, Sink, consumption, publish
from tests.kitlib import DatabaseFactory, drain, make_log, wait_until

COUNT = Sql("SELECT count(*) FROM applied")


def pruner(producer: Database, log: Log, clock: ManualClock, **more: Any) -> ServicePruner:
    assert isinstance(log, LocalLog)
    return ServicePruner("intake", producer, log, clock=clock, **more)


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
        pruner(producer, log, clock).prune()

    def restarted(self, producer: Database) -> Database:
        producer.close()
        return self.factory("intake")


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
    age = Gauge("age", "Age.", ("group", "topic"), registry=CollectorRegistry())
    publish(intake, ["a"])
    clock._now = clock._now.now(clock._now.tzinfo)
    keeper = pruner(intake, log, clock, age=age)

    clock.advance(days=3)
    keeper.prune()
    assert "group.behind" not in "".join(capsys.readouterr())  # standard error once a log was set up
    clock.advance(days=1)
    keeper.prune()

    assert "group.behind" in "".join(capsys.readouterr())
    assert age.labels("tickets", topics.CONTACTS)._value.get() == pytest.approx(4 * 86400, abs=60)


def test_the_inbox_outlives_the_log_and_then_goes_too(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    clock._now = clock._now.now(clock._now.tzinfo)
    intake, tickets = kit_database("intake"), kit_database("tickets")
    publish(intake, [f"k{n}" for n in range(450)])
    drain([Consumer(consumption(Sink(tickets)), tickets, log, clock=clock)])
    keeper = ServicePruner("tickets", tickets, log, clock=clock)

    clock.advance(days=13)
    assert keeper.prune().applied == 0
    clock.advance(days=2)
    assert keeper.prune().applied == 450

    with tickets.read() as reader:
        assert reader.row(COUNT) == (0,)


def test_nothing_is_pruned_before_a_declared_group_has_read_for_the_first_time(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    intake, tickets = kit_database("intake"), kit_database("tickets")
    publish(intake, ["a"])
    consumer = Consumer(consumption(Sink(tickets), "search"), tickets, log, clock=clock)
    clock.advance(days=8)
    keeper = pruner(intake, log, clock, declared=[("search", topics.CONTACTS)])

    assert keeper.prune().records == 0
    drain([consumer])
    assert keeper.prune().records == 1


def test_the_worker_prunes_every_database_and_ends_when_asked(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kit.prune._FIRST_S", 0.0)
    databases = {name: kit_database(name) for name in ("intake", "tickets")}
    publish(databases["intake"], ["a"])
    publish(databases["tickets"], ["b"], topic=topics.TICKETS)
    clock.advance(days=8)
    stop = threading.Event()
    worker = Pruner(databases, log, {}, settings=Settings(), clock=clock, holder="here")
    thread = threading.Thread(target=worker.run, args=(stop,))

    thread.start()
    wait_until(lambda: [log.begin(topic, 0) for topic in (topics.CONTACTS, topics.TICKETS)] == [2, 2])
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
