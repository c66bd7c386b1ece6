"""Pruning: the log below the slowest group and by age, inboxes after it. Nothing grows for ever by itself.

A group that has fallen behind by half the retention is told of loudly; pruning never passes it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

from services.kit import log
from services.kit.clock import Clock
from services.kit.db.sql import Sql
from services.kit.ids import first_at, made_at
from services.kit.leases import Leases
from services.kit.topics import PRODUCERS
from services.kit.uow import Database, Lane, Uow, Value

if TYPE_CHECKING:
    from services.kit.bus.local import LocalLog
    from services.kit.config import Settings
    from services.kit.consume import Consumer

_CHUNK = 200  # rows a transaction: 1 to 2 ms, so that people's writes are not felt
_FIRST_S = 60.0  # after the start, when there is other work
_EVERY_S = 600.0
_LEASE_S = 120.0

_FIND = Sql(
    "SELECT max(id), count(*) FROM (SELECT id FROM outbox WHERE topic = :topic AND id < :upto ORDER BY id LIMIT :chunk)"
    " AS oldest"
)
_DELETE = Sql("DELETE FROM outbox WHERE topic = :topic AND id <= :last")
_FLOOR = Sql(
    "INSERT INTO outbox_floor (topic, floor) VALUES (:topic, :floor)"
    " ON CONFLICT (topic) DO UPDATE SET floor = excluded.floor WHERE excluded.floor > outbox_floor.floor"
)
_GROUPS = Sql("SELECT DISTINCT group_name FROM positions")
_FORGET = Sql(
    "DELETE FROM applied WHERE group_name = :group AND event_id IN (SELECT event_id FROM applied"
    " WHERE group_name = :group AND event_id < :first AND applied_us < :before_us LIMIT :chunk)"
)
_LETTERS = Sql("DELETE FROM dead_letters WHERE handled_us > 0 AND handled_us < :before_us")


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows went."""

    records: int
    applied: int


class Pruner:
    """The worker that prunes every database of a process, each under a lease of its own."""

    name = "prune"

    def __init__(
        self,
        databases: Mapping[str, Database],
        event_log: LocalLog,
        consumers: Mapping[str, Sequence[Consumer]],
        *,
        settings: Settings,
        clock: Clock,
        metrics: CollectorRegistry | None = None,
    ) -> None:
        self._begun = False
        declared = {(one.consumption.group, one.consumption.topic) for each in consumers.values() for one in each}
        age = None
        if metrics is not None:
            told = "Age of the oldest record that a group has not read."
            age = Gauge("ascolto_kit_oldest_unread_seconds", told, ("group", "topic"), registry=metrics)
        retention = timedelta(days=settings.retention_days)
        self._pruners = {
            name: ServicePruner(name, database, event_log, declared=declared, clock=clock, retention=retention, age=age)
            for name, database in databases.items()
        }
        self._leases = {name: Leases(database) for name, database in databases.items()}

    def run(self, stop: threading.Event) -> None:
        """Prunes each ten minutes, what it holds the lease of."""
        holder = f"{socket.gethostname()}-{os.getpid()}"
        while not stop.wait(_FIRST_S if not self._begun else _EVERY_S):
            self._begun = True
            for name, pruner in self._pruners.items():
                if lease := self._leases[name].take("prune", holder, seconds=_LEASE_S):
                    pruner.prune(stop)
                    self._leases[name].release(lease)


class ServicePruner:
    """Prunes one service's database: its own topics' outbox, and what its own groups applied."""

    def __init__(
        self,
        service: str,
        database: Database,
        event_log: LocalLog,
        *,
        clock: Clock,
        declared: Collection[tuple[str, str]] = (),
        retention: timedelta = timedelta(days=7),
        age: Gauge | None = None,
    ) -> None:
        self._service, self._database, self._event_log = service, database, event_log
        self._clock, self._retention, self._age = clock, retention, age
        self._declared = declared
        self._log = log.logger(service)

    def prune(self, stop: threading.Event | None = None) -> Pruned:
        """One pass, in small transactions behind everybody else's."""
        stop = stop or threading.Event()
        now = self._clock.now()
        records = sum(
            self._prune_topic(topic, now, stop) for topic, service in PRODUCERS.items() if service == self._service
        )
        pruned = Pruned(records, self._prune_inbox(now, stop))
        if pruned.records or pruned.applied:
            self._log.info("pruned", records=pruned.records, applied=pruned.applied)
        return pruned

    def _prune_topic(self, topic: str, now: datetime, stop: threading.Event) -> int:
        upto = self._event_log.since(topic, 0, now - self._retention)
        places = self._event_log.places(topic)
        known = {place.group for place in places}
        for group in (group for group, of in self._declared if of == topic and group not in known):
            self._log.info("prune.waits", group=group, topic=topic)  # it has not read yet: nothing goes before it did
            return 0
        for place in places:
            upto = min(upto, place.next_offset)
            self._watch(topic, place.group, place.next_offset, now)
        removed = 0
        while not stop.is_set():
            step = self._database.write(lambda uow: _prune_chunk(uow, topic, upto), lane=Lane.BULK)
            removed += step
            if step < _CHUNK:
                break
        return removed

    def _watch(self, topic: str, group: str, position: int, now: datetime) -> None:
        waiting = self._event_log.read(topic, 0, max(position, self._event_log.begin(topic, 0)), 1)
        age = now - made_at(waiting[0].event_id) if waiting else timedelta()
        if self._age is not None:
            self._age.labels(group, topic).set(max(0.0, age.total_seconds()))
        if age > self._retention / 2:
            self._log.error(
                "group.behind", group=group, topic=topic, position=position, age_s=round(age.total_seconds())
            )

    def _prune_inbox(self, now: datetime, stop: threading.Event) -> int:
        before = now - 2 * self._retention
        before_us = int(before.timestamp() * 1_000_000)
        with self._database.read() as reader:
            groups = [str(row[0]) for row in reader.rows(_GROUPS)]
        first = first_at("evt", before)
        removed = sum(self._forget({"group": group, "first": first, "before_us": before_us}, stop) for group in groups)
        self._database.write(lambda uow: uow.execute(_LETTERS, {"before_us": before_us}), lane=Lane.BULK)
        return removed

    def _forget(self, values: dict[str, Value], stop: threading.Event) -> int:
        removed = 0
        while not stop.is_set():
            step = self._database.write(lambda uow: uow.execute(_FORGET, {**values, "chunk": _CHUNK}), lane=Lane.BULK)
            removed += step
            if step < _CHUNK:
                break
        return removed


def _prune_chunk(uow: Uow, topic: str, upto: int) -> int:
    row = uow.row(_FIND, {"topic": topic, "upto": upto, "chunk": _CHUNK})
    if row is None or row[0] is None:
        return 0
    last, count = int(row[0]), int(row[1] or 0)
    uow.execute(_FLOOR, {"topic": topic, "floor": last + 1})
    uow.execute(_DELETE, {"topic": topic, "last": last})
    return count
