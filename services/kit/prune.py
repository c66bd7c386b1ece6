"""Pruning of what consumers keep: inboxes by age, dead letters that were handled. The log's own pruning is the log's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

from services.kit import log
from services.kit.clock import Clock
from services.kit.db.sql import Sql
from services.kit.ids import first_at
from services.kit.leases import Leases
from services.kit.uow import Database, Lane, Value

CHUNK = 200  # rows a transaction: 1 to 2 ms, so that people's writes are not felt
_FIRST_S = 60.0  # after the start, when there is other work
_EVERY_S = 600.0
_LEASE_S = 120.0

_GROUPS = Sql("SELECT DISTINCT group_name FROM positions")
_FORGET = Sql(
    "DELETE FROM applied WHERE group_name = :group AND event_id IN (SELECT event_id FROM applied"
    " WHERE group_name = :group AND event_id < :first AND applied_us < :before_us LIMIT :chunk)"
)
_LETTERS = Sql("DELETE FROM dead_letters WHERE handled_us > 0 AND handled_us < :before_us")

Prune = Callable[[str, threading.Event], object]
"""Prunes one service's database, in small steps until done or told to stop."""


class PruneWorker:
    """Prunes every database of a process each ten minutes, each under a lease of its own."""

    def __init__(self, name: str, databases: Mapping[str, Database], prune: Prune, *, holder: str) -> None:
        self.name = name
        self._prune, self._begun, self._holder = prune, False, holder
        self._leases = {service: Leases(database) for service, database in databases.items()}

    def run(self, stop: threading.Event) -> None:
        """Prunes what it holds the lease of."""
        while not stop.wait(_FIRST_S if not self._begun else _EVERY_S):
            self._begun = True
            for service, leases in self._leases.items():
                if lease := leases.take(self.name, self._holder, seconds=_LEASE_S):
                    self._prune(service, stop)
                    leases.release(lease)


class InboxPruner:
    """Forgets what groups applied longer ago than twice the log's retention: no log can bring it again."""

    def __init__(self, databases: Mapping[str, Database], *, clock: Clock, retention: timedelta) -> None:
        self._databases, self._clock, self._retention = databases, clock, retention

    def prune(self, service: str, stop: threading.Event | None = None) -> int:
        """One pass over one service's database, in small transactions behind everybody else's; returns how many ids went."""
        stop = stop or threading.Event()
        database = self._databases[service]
        before = self._clock.now() - 2 * self._retention
        before_us = int(before.timestamp() * 1_000_000)
        with database.read() as reader:
            groups = [str(row[0]) for row in reader.rows(_GROUPS)]
        first = first_at("evt", before)
        removed = sum(
            _forget(database, {"group": group, "first": first, "before_us": before_us}, stop) for group in groups
        )
        database.write(lambda uow: uow.execute(_LETTERS, {"before_us": before_us}), lane=Lane.BULK)
        if removed:
            log.logger(service).info("inbox.pruned", applied=removed)
        return removed


def _forget(database: Database, values: dict[str, Value], stop: threading.Event) -> int:
    removed = 0
    while not stop.is_set():
        step = database.write(lambda uow: uow.execute(_FORGET, {**values, "chunk": CHUNK}), lane=Lane.BULK)
        removed += step
        if step < CHUNK:
            break
    return removed
