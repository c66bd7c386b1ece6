"""Reads the topics and keeps the index up to date: one commit a batch, then versions and positions in one transaction.

The kit's own consumer writes its position with its effect; an index is no database, so here the order is: index
commit first, position after. A crash between repeats the batch, which changes nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import DecodeError

from services.kit import crash, log
from services.kit.blobs import Blobs
from services.kit.bus import Log, Record
from services.kit.clock import Clock
from services.kit.deadletters import NEWER_SCHEMA, park, reason_of
from services.kit.errors import AscoltoError, RateLimited, Unavailable
from services.kit.ids import made_at
from services.kit.inbox import Place, without_erased
from services.kit.uow import Database, Uow, chunks
from services.search import wire
from services.search.domain.document import Change
from services.search.store import versions
from services.search.store.versions import Version
from services.search.usecases.apply import Work, index_changes
from services.search.usecases.generations import Generations

GROUP = "search"
_BATCH, _LEAST_BATCH = 3000, 50
_WINDOW_S = 0.3  # commits are at least this far apart; the first after quiet is at once
# Under load, from so many events in a window on: the less often, the fewer small segments there are to merge.
_WIDER = ((800, 1.0), (200, 0.4))
_NICENESS = 5
_ROWS = 500  # versions a transaction, about 7 ms
_WAIT_S = 0.3
_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 15.0
_AWAY = (Unavailable, RateLimited, ConnectionError, TimeoutError)
_log = log.logger("search")
Parked = list[tuple[Record, tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Behind:
    """How far the index is behind the log."""

    events: int
    age_s: float


def _step_back() -> None:
    """Lets this thread, and those the engine starts from it, come after who waits for an answer. Linux alone can."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


class Indexer:
    """The one writer of the index, as a worker; `run_once` for tests and the command line."""

    name = "search-indexer"

    def __init__(
        self, generations: Generations, database: Database, event_log: Log, blobs: Blobs, *, clock: Clock
    ) -> None:
        self._generations, self._database, self._log, self._blobs = generations, database, event_log, blobs
        self._clock = clock
        self._next: dict[Place, int] = {}
        # How many records a place may have beyond its position that the index holds and no version tells of: those of
        # a batch whose commit was the last thing done. Until they are passed, nothing counts as new.
        self._doubted: dict[Place, int] = {}
        self._committed_at, self._last, self._most = 0.0, 0, _BATCH
        self.handled = 0
        self.paused = ""

    def run(self, stop: threading.Event) -> None:
        """Indexes until `stop` is set."""
        _step_back()
        pause, seen = _PAUSE_S, 0
        while not stop.is_set():
            try:
                self.start()
                handled = self._step(stop)
            except _AWAY as error:
                self.paused = reason_of(error)[1]
                self._most = max(_LEAST_BATCH, self._most // 2)  # it may have been more than its time allows
                _log.warning("index.paused", reason=self.paused)
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            pause, self.paused = _PAUSE_S, ""
            if not handled:
                seen = self._log.wait(list(wire.CONSUMES), seen, _WAIT_S)
        self._generations.close()

    def run_once(self) -> int:
        """Indexes all that waits now; returns how many events."""
        self.start()
        total = 0
        while handled := self._step(None):
            total += handled
        return total

    def start(self) -> None:
        """Finds or makes the positions. Does nothing the second time."""
        if self._next:
            return
        self._generations.open()
        found: dict[Place, int] = {}
        for topic in wire.CONSUMES:
            for partition in self._log.partitions(topic):
                place = Place(GROUP, topic, partition)
                with self._database.read() as reader:
                    position = place.find(reader)
                if position is None:
                    position = self._log.begin(topic, partition)
                    self._register(place, position)
                found[place] = position
        self._next = found
        self._doubted = dict.fromkeys(found, _BATCH)

    def _register(self, place: Place, position: int) -> None:
        now_us = self._generations.now_us()
        self._database.write(lambda uow: place.register(uow, position, now_us))

    def _step(self, stop: threading.Event | None) -> int:
        batch = self._read()
        count = sum(len(records) for records in batch.values())
        if count == 0:
            return 0
        if stop is not None and count < self._most and self._gather(stop):
            batch = self._read()
            count = sum(len(records) for records in batch.values())
        self._apply(batch)
        self._committed_at, self._last, self._most = time.monotonic(), count, min(_BATCH, self._most * 2)
        self.handled += count
        return count

    def _gather(self, stop: threading.Event) -> bool:
        """Waits for the window to end, or until nothing more comes. False when there was nothing to wait for."""
        window = next((window_s for events, window_s in _WIDER if self._last >= events), _WINDOW_S)
        until = self._committed_at + window
        if time.monotonic() >= until:
            return False
        seen: list[int] = []
        while (left := until - time.monotonic()) > 0 and not stop.wait(min(left, _WINDOW_S)):
            ends = [self._log.end(place.topic, place.partition) for place in self._next]
            if ends == seen:
                break
            seen = ends
        return True

    def _read(self) -> dict[Place, list[Record]]:
        found = {}
        for place, position in self._next.items():
            records = self._log.read(place.topic, place.partition, position, self._most)
            if records:
                found[place] = records
        return found

    def _apply(self, batch: dict[Place, list[Record]]) -> None:
        changes: list[Change] = []
        parked: Parked = []
        for place, records in batch.items():
            for record in self._not_erased(records):
                if record.kind not in wire.CONSUMES[place.topic]:
                    parked.append((record, (NEWER_SCHEMA, "This version does not know the kind.")))
                    continue
                try:
                    changes += wire.changes(record, self._blobs)
                except _AWAY:
                    raise
                except (AscoltoError, DecodeError, ValueError, TypeError, KeyError) as error:
                    parked.append((record, reason_of(error)))
        doubted, self._doubted = self._doubted, dict.fromkeys(self._next, _BATCH)  # until this batch is stored
        with self._generations.lock:
            with self._database.read() as reader:
                work = index_changes(reader, changes, self._generations.sources)
            if any(doubted.get(place) for place in batch):
                work.fresh.clear()
            self._generations.write(work)
            self._store(batch, work, parked)
        self._doubted = {place: left - len(batch.get(place, ())) for place, left in doubted.items() if left > 0}
        for record, reason in parked:
            _log.error("index.parked", event_id=record.event_id, kind=record.kind, reason_kind=reason[0])

    def _not_erased(self, records: Sequence[Record]) -> list[Record]:
        with self._database.read() as reader:
            return without_erased(reader, records)

    def _store(self, batch: dict[Place, list[Record]], work: Work, parked: Parked) -> None:
        """Versions, then positions, after the index has committed: whatever is lost between is repeated."""
        now_us = self._generations.now_us()
        following = {place: records[-1].offset + 1 for place, records in batch.items()}

        def write(uow: Uow) -> None:
            for place, offset in following.items():
                place.move(uow, self._next[place], offset, now_us)
            for record, reason in parked:
                park(uow, GROUP, [record], reason, now_us)
            crash.point("search.consume.before_commit")

        for part in chunks(work.versions, _ROWS):
            self._database.write(partial(_put, part))
        self._database.write(write)
        self._next.update(following)
        crash.point("search.consume.after_commit")

    def behind(self) -> Behind:
        """How many events wait, and how old the oldest is. Raises `Unavailable` when the log is away."""
        self.start()
        events, age_s = 0, 0.0
        for place, position in list(self._next.items()):
            waiting = self._log.read(place.topic, place.partition, position, 1)
            if waiting:
                events += max(1, self._log.end(place.topic, place.partition) - waiting[0].offset)
                age_s = max(age_s, (self._clock.now() - made_at(waiting[0].event_id)).total_seconds())
        return Behind(events, age_s)

    def lags(self) -> bool:
        """Whether any event waits; so it may be, too, when the log is away."""
        try:
            return self.behind().events > 0
        except Unavailable:
            return True


def _put(found: Sequence[Version], uow: Uow) -> None:
    versions.put(uow, found)
