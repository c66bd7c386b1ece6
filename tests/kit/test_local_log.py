"""The embedded log: the contract, and what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.kit import topics
from services.kit.bus import Log
from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import Internal, Unavailable
from services.kit.leases import Leases
from services.kit.prune import Pruner
from services.kit.uow import Database
from tests.contracts.bus import BusContract, Sink, consumption, publish
from tests.kitlib import DatabaseFactory, drain, make_log

COUNT = Sql("SELECT count(*) FROM applied")


def pruner(producer: Database, log: Log, clock: ManualClock, metrics: CollectorRegistry | None = None) -> Pruner:
    assert isinstance(log, LocalLog)
    return Pruner("intake", producer, log, leases=Leases(producer, clock=clock), clock=clock, metrics=metrics)


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
    registry = CollectorRegistry()
    publish(intake, ["a"])
    clock._now = clock._now.now(clock._now.tzinfo)
    keeper = pruner(intake, log, clock, registry)

    clock.advance(days=3)
    keeper.prune()
    assert "group.behind" not in capsys.readouterr().out
    clock.advance(days=1)
    keeper.prune()

    assert "group.behind" in capsys.readouterr().out
    age_s = registry.get_sample_value(
        "ascolto_intake_oldest_unread_seconds", {"group": "tickets", "topic": topics.CONTACTS}
    )
    assert age_s == pytest.approx(4 * 86400, abs=60)


def test_the_inbox_outlives_the_log_and_then_goes_too(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    clock._now = clock._now.now(clock._now.tzinfo)
    intake, tickets = kit_database("intake"), kit_database("tickets")
    publish(intake, [f"k{n}" for n in range(450)])
    drain([Consumer(consumption(Sink(tickets)), tickets, log, clock=clock)])
    keeper = Pruner("tickets", tickets, log, leases=Leases(tickets, clock=clock), clock=clock)

    clock.advance(days=13)
    assert keeper.prune().applied == 0
    clock.advance(days=2)
    assert keeper.prune().applied == 450

    with tickets.read() as reader:
        assert reader.row(COUNT) == (0,)


def test_a_pruner_runs_only_with_its_lease(kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock) -> None:
    intake = kit_database("intake")
    leases = Leases(intake, clock=clock)
    lease = leases.take("prune", "another-instance", seconds=60)
    assert lease is not None

    assert leases.take("prune", "this-one", seconds=60) is None
    leases.release(lease)

    assert leases.take("prune", "this-one", seconds=60) is not None
