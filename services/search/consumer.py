"""Reads the topics and keeps the index up to date: one commit a batch, then versions and positions in one transaction.

The kit's own consumer writes its position with its effect; an index is no database, so here the order is: index
commit first, position after. A crash between repeats the batch, which changes nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from google.protobuf.message import DecodeError

from services.kit import crash, log
from services.kit.blobs import Blobs
from services.kit.bus import Log, Part, Reading, Record
from services.kit.clock import Clock
from services.kit.deadletters import NEWER_SCHEMA, park, reason_of
from services.kit.errors import AscoltoError, Internal, RateLimited, Unavailable
from services.kit.inbox import Fenced, Place, move_all, without_erased
from services.kit.positions import Positions
from services.kit.trace import Tracer
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
        self,
        generations: Generations,
        database: Database,
        event_log: Log,
        blobs: Blobs,
        *,
        clock: Clock,
        tracer: Tracer | None = None,
    ) -> None:
        self._generations, self._database, self._log, self._blobs = generations, database, event_log, blobs
        self._clock, self._tracer = clock, tracer
        self._positions = Positions(GROUP, database, event_log, now_us=generations.now_us)
        self._reading: Reading | None = None
        self._next: dict[Part, int] = {}
        # How many records a place may have beyond its position that the index holds and no version tells of: those of
        # a batch whose commit was the last thing done. Until they are passed, nothing counts as new.
        self._doubted: dict[Part, int] = {}
        self._committed_at, self._last, self._most = 0.0, 0, _BATCH
        self._found = (0.0, Behind(0, 0.0))  # and when it was
        self.handled = 0
        self.paused = ""

    def run(self, stop: threading.Event) -> None:
        """Indexes until `stop` is set."""
        _step_back()
        pause = _PAUSE_S
        try:
            while not stop.is_set():
                try:
                    self._step(stop)
                except Fenced:
                    _log.info("index.fenced")
                    continue
                except _AWAY as error:
                    self.paused = reason_of(error)[1]
                    self._most = max(_LEAST_BATCH, self._most // 2)  # it may have been more than its time allows
                    _log.warning("index.paused", reason=self.paused)
                    stop.wait(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_S)
                    continue
                pause, self.paused = _PAUSE_S, ""
        finally:
            self.close()
        self._generations.close()

    def close(self) -> None:
        """Leaves the group: others have its parts at once."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def run_once(self) -> int:
        """Indexes all that waits now; returns how many events."""
        total = 0
        while handled := self._step(None):
            total += handled
        return total

    def start(self) -> Reading:
        """Joins the group. Does nothing the second time."""
        if self._reading is None:
            self._generations.open()
            self._reading = self._log.join(GROUP, list(wire.CONSUMES), self._begin_at)
        return self._reading

    def _begin_at(self, parts: Collection[Part]) -> dict[Part, int]:
        found = self._positions(parts)
        self._next.update(found)
        self._doubted.update(dict.fromkeys(found, _BATCH))
        return found

    def _step(self, stop: threading.Event | None) -> int:
        reading = self.start()
        batch = reading.poll(self._most, 0.0 if stop is None else _WAIT_S)
        if not batch:
            return 0
        try:
            count = sum(map(len, batch.values()))
            if stop is not None:
                count = self._gather(reading, batch, count, stop)
            self._apply(batch)
        except Exception:
            reading.rewind(batch.keys())
            raise
        self._committed_at, self._last, self._most = time.monotonic(), count, min(_BATCH, self._most * 2)
        self.handled += count
        return count

    def _gather(self, reading: Reading, batch: dict[Part, list[Record]], count: int, stop: threading.Event) -> int:
        """Adds what comes until the window ends, nothing more comes or it is enough; returns how many there are then."""
        window = next((window_s for events, window_s in _WIDER if self._last >= events), _WINDOW_S)
        until = self._committed_at + window
        while count < self._most and (left := until - time.monotonic()) > 0 and not stop.wait(min(left, _WINDOW_S)):
            more = reading.poll(self._most - count, 0.0)
            if not more:
                break
            _add(batch, more)
            count += sum(map(len, more.values()))
        return count

    def _apply(self, batch: dict[Part, list[Record]]) -> None:
        changes: list[Change] = []
        of: dict[str, Record] = {}
        parked: Parked = []
        begun_ns = time.time_ns()
        for part, records in batch.items():
            for record in self._not_erased(records):
                if record.kind not in wire.CONSUMES[part.topic]:
                    parked.append((record, (NEWER_SCHEMA, "This version does not know the kind.")))
                    continue
                try:
                    made = wire.changes(record, self._blobs)
                except _AWAY:
                    raise
                except (AscoltoError, DecodeError, ValueError, TypeError, KeyError) as error:
                    parked.append((record, reason_of(error)))
                    continue
                changes += made
                of.update((change.document.id, record) for change in made if change.document is not None)
        doubted, self._doubted = self._doubted, dict.fromkeys(self._next, _BATCH)  # until this batch is stored
        with self._generations.lock:
            self._generations.refresh()
            with self._database.read() as reader:
                work = index_changes(reader, changes, self._generations.sources)
            if any(doubted.get(part) for part in batch):
                work.fresh.clear()
            refused = self._generations.write(work)
            parked += [(of[id_], (Internal.kind, reason)) for id_, reason in refused.items() if id_ in of]
            self._store(batch, work, parked)
        self._doubted = {part: left - len(batch.get(part, ())) for part, left in doubted.items() if left > 0}
        if self._tracer is not None:
            self._tracer.consumed("search", "index", [one for some in batch.values() for one in some], begun_ns)
        for record, reason in parked:
            _log.error("index.parked", event_id=record.event_id, kind=record.kind, reason_kind=reason[0])

    def _not_erased(self, records: Sequence[Record]) -> list[Record]:
        with self._database.read() as reader:
            return without_erased(reader, records)

    def _store(self, batch: dict[Part, list[Record]], work: Work, parked: Parked) -> None:
        """Versions, then positions, after the index has committed: whatever is lost between is repeated."""
        now_us = self._generations.now_us()
        following = {part: records[-1].offset + 1 for part, records in batch.items()}
        moves = [(Place(GROUP, *part), self._next[part], offset) for part, offset in following.items()]

        def write(uow: Uow) -> None:
            move_all(uow, moves, now_us)
            for record, reason in parked:
                park(uow, GROUP, [record], reason, now_us)
            self._log.copy_parked(uow, [record for record, _ in parked])
            crash.point("search.consume.before_commit")

        for some in chunks(work.versions, _ROWS):
            self._database.write(partial(_put, some))
        self._generations.settle(work)
        self._database.write(write)
        self._next.update(following)
        crash.point("search.consume.after_commit")

    def behind(self, *, kept_s: float = 0.0) -> Behind:
        """How many events wait, and how old the oldest is; what was found within `kept_s` is good enough.

        At most so many wait (topics of the local log share their numbers), and 0 only when none does. Raises `Unavailable`
        when the log is away.
        """
        asked_at, found = self._found
        if not asked_at or time.monotonic() - asked_at > kept_s:
            some = [self._positions.backlog(topic, self._clock.now()) for topic in wire.CONSUMES]
            found = Behind(sum(one.end - one.position for one in some), max(one.age_s for one in some))
            self._found = (time.monotonic(), found)
        return found


def _add(batch: dict[Part, list[Record]], more: dict[Part, list[Record]]) -> None:
    for part, records in more.items():
        batch.setdefault(part, []).extend(records)


def _put(found: Sequence[Version], uow: Uow) -> None:
    versions.put(uow, found)
