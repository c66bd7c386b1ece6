"""Pruning of the local log: outboxes by age, below the slowest group. Kafka forgets by itself.

A group that has fallen behind by half the retention is told of loudly; pruning never passes it.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from prometheus_client import Gauge

from services.kit import log
from services.kit.bus import Duties
from services.kit.bus.local import LocalLog
from services.kit.db.sql import Sql
from services.kit.ids import made_at
from services.kit.prune import CHUNK, PruneWorker
from services.kit.topics import PRODUCERS
from services.kit.uow import Lane, Uow

_FIND = Sql(
    "SELECT max(id), count(*) FROM (SELECT id FROM outbox WHERE topic = :topic AND id < :upto ORDER BY id LIMIT :chunk)"
    " AS oldest"
)
_DELETE = Sql("DELETE FROM outbox WHERE topic = :topic AND id <= :last")
_FLOOR = Sql(
    "INSERT INTO outbox_floor (topic, floor) VALUES (:topic, :floor)"
    " ON CONFLICT (topic) DO UPDATE SET floor = excluded.floor WHERE excluded.floor > outbox_floor.floor"
)


class OutboxPruner:
    """A worker: removes what every registered group has read and what is older than the retention."""

    name = "prune-outbox"

    def __init__(self, event_log: LocalLog, duties: Duties) -> None:
        self._event_log, self._duties = event_log, duties
        self._age = None
        if duties.metrics is not None:
            told = "Age of the oldest record that a group has not read."
            self._age = Gauge("ascolto_kit_oldest_unread_seconds", told, ("group", "topic"), registry=duties.metrics)

    def run(self, stop: threading.Event) -> None:
        """Prunes until `stop`."""
        PruneWorker(self.name, self._duties.databases, self.prune, holder=self._duties.holder).run(stop)

    def prune(self, service: str, stop: threading.Event | None = None) -> int:
        """One pass over the topics of one service, in small transactions behind everybody else's; returns how many rows went."""
        stop = stop or threading.Event()
        now = self._duties.clock.now()
        removed = sum(
            self._prune_topic(service, topic, now, stop) for topic, owner in PRODUCERS.items() if owner == service
        )
        if removed:
            log.logger(service).info("outbox.pruned", records=removed)
        return removed

    def _prune_topic(self, service: str, topic: str, now: datetime, stop: threading.Event) -> int:
        upto = self._event_log.since(topic, now - self._duties.retention)
        places = self._event_log.places(topic)
        known = {place.group for place in places}
        for group in (group for group, of in self._duties.groups if of == topic and group not in known):
            log.logger(service).info("prune.waits", group=group, topic=topic)  # nothing goes before it has read
            return 0
        for place in places:
            upto = min(upto, place.next_offset)
            self._watch(service, topic, place.group, place.next_offset, now)
        database, removed = self._duties.databases[service], 0
        while not stop.is_set():
            step = database.write(lambda uow: _prune_chunk(uow, topic, upto), lane=Lane.BULK)
            removed += step
            if step < CHUNK:
                break
        return removed

    def _watch(self, service: str, topic: str, group: str, position: int, now: datetime) -> None:
        waiting = self._event_log.read(topic, 0, max(position, self._event_log.begin(topic)), 1)
        age = now - made_at(waiting[0].event_id) if waiting else timedelta()
        if self._age is not None:
            self._age.labels(group, topic).set(max(0.0, age.total_seconds()))
        if age > self._duties.retention / 2:
            log.logger(service).error(
                "group.behind", group=group, topic=topic, position=position, age_s=round(age.total_seconds())
            )


def _prune_chunk(uow: Uow, topic: str, upto: int) -> int:
    row = uow.row(_FIND, {"topic": topic, "upto": upto, "chunk": CHUNK})
    if row is None or row[0] is None:
        return 0
    last, count = int(row[0]), int(row[1] or 0)
    uow.execute(_FLOOR, {"topic": topic, "floor": last + 1})
    uow.execute(_DELETE, {"topic": topic, "last": last})
    return count
