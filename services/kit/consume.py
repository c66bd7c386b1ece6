"""The loop around every consumer: read, apply a batch in one transaction with the position, park what can never work.

The position lives in the consumer's database and moves only from the value expected, in the transaction of the effect:
a zombie is fenced, a crash repeats nothing. Away is not wrong: what is unavailable is retried for ever, what fails
otherwise is halved until the one record at fault stands alone.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.kit import crash, log
from services.kit.app import Consumption
from services.kit.bus import Log, Record
from services.kit.clock import Clock
from services.kit.deadletters import NEWER_SCHEMA, DeadLetters, park, reason_of
from services.kit.errors import AscoltoError, RateLimited, Unavailable
from services.kit.ids import made_at
from services.kit.inbox import Fenced, Place, keep_unapplied, without_erased

if TYPE_CHECKING:
    from services.kit.consume_metrics import ConsumeMetrics
    from services.kit.uow import Database, Uow

_AWAY = (Unavailable, RateLimited, ConnectionError, TimeoutError)
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_WAIT_S = 1.0  # how long a stop may go unnoticed while nothing happens
_PACE_S = 0.040  # small batches are not begun more often: each costs a commit, however little is in it
_LONGEST_REST_S = 0.25


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind. `position` and `end` are offsets; `paused` says why it waits, or is empty."""

    group: str
    topic: str
    position: int
    end: int
    age_s: float
    paused: str


def _where(error: BaseException) -> str:
    """Where it was raised; its text may hold what a customer wrote, so the log has the place alone."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


class _Batch:
    """One transaction: position, inbox, effect. May be run again by the writer, so it holds nothing but its input."""

    __slots__ = ("_consumer", "_following", "_place", "_records", "_start", "rows", "title")

    def __init__(self, consumer: Consumer, place: Place, start: int, records: Sequence[Record]) -> None:
        self._consumer, self._place, self._start, self._records = consumer, place, start, records
        self._following = records[-1].offset + 1
        self.rows = len(records)
        self.title = f"consume {place.group} {place.topic}"

    def __call__(self, uow: Uow) -> None:
        consumption = self._consumer.consumption
        now_us = self._consumer.now_us()
        self._place.move(uow, self._start, self._following, now_us)
        wanted = [record for record in self._records if record.kind in consumption.kinds]
        if len(wanted) < len(self._records):
            known = consumption.kinds | consumption.ignored
            if unknown := [record for record in self._records if record.kind not in known]:
                park(uow, consumption.group, unknown, (NEWER_SCHEMA, "This version does not know the kind."), now_us)
        if wanted := without_erased(uow, keep_unapplied(uow, consumption.group, wanted, now_us)):
            consumption.handle(wanted, uow)
        crash.point(self._consumer.before_commit)


class Consumer:
    """One group over one topic: a `Worker`, or, step by step, `run_once`."""

    def __init__(
        self,
        consumption: Consumption,
        database: Database,
        event_log: Log,
        *,
        clock: Clock,
        metrics: ConsumeMetrics | None = None,
        service: str = "",
    ) -> None:
        self.consumption, self._database, self._log, self._clock = consumption, database, event_log, clock
        self.service = service or consumption.group.partition(".")[0].partition("-")[0]
        self.name = f"consume-{consumption.group}-{consumption.topic}"
        self.before_commit = f"{self.service}.consume.before_commit"
        self._after_commit = f"{self.service}.consume.after_commit"
        self._metrics = metrics
        self._events = log.logger(self.service)
        self._next: dict[int, int] = {}
        self._paused = ""
        self._letters = DeadLetters(database, [consumption], clock=clock)

    def now_us(self) -> int:
        """The hour, in microseconds."""
        return int(self._clock.now().timestamp() * 1_000_000)

    # --- the loop ---

    def run(self, stop: threading.Event) -> None:
        """Consumes until `stop` is set; the batch under way is finished."""
        pause, seen = _FIRST_PAUSE_S, 0
        while not stop.is_set():
            begun = time.monotonic()
            try:
                self.start()
                handled = self._step(stop)
            except Fenced:
                self._next.clear()
                self._events.info("consume.fenced", group=self.consumption.group, topic=self.consumption.topic)
                continue
            except _AWAY as error:
                self._pause(error)
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            except Exception as error:
                _, self._paused = reason_of(error)  # a position outside the log, or a defect: shown, then begun again
                raise
            pause, self._paused = _FIRST_PAUSE_S, ""
            if not handled:
                seen = self._log.wait([self.consumption.topic], seen, _WAIT_S)
            else:
                stop.wait(self._rest_s(handled, time.monotonic() - begun))

    def _rest_s(self, handled: int, took_s: float) -> float:
        """How long to leave the processor to others, the edge above all.

        After a full batch, when more waits, as long as it took: alone that is a moment, and where many threads want the
        one interpreter a batch takes longer, so that a backlog gives way to who writes to us now.
        """
        if handled < self.consumption.batch:
            return max(0.0, _PACE_S - took_s)
        return min(took_s, _LONGEST_REST_S)

    def run_once(self) -> int:
        """Handles all that waits now; returns how many records. Raises what makes it pause."""
        self.start()
        handled = 0
        while step := self._step(None):
            handled += step
        return handled

    def start(self) -> None:
        """Finds or makes the position, and replays what an older version could not read. Does nothing the second time."""
        if self._next:
            return
        found: dict[int, int] = {}
        for partition in self._log.partitions(self.consumption.topic):
            place = self._place(partition)
            with self._database.read() as reader:
                position = place.find(reader)
            if position is None:
                position = self._log.begin(place.topic, partition)
                self._register(place, position)
            found[partition] = position
        self._letters.replay_newer(self.consumption)
        self._next = found

    def _register(self, place: Place, position: int) -> None:
        now_us = self.now_us()
        self._database.write(lambda uow: place.register(uow, position, now_us))

    def _place(self, partition: int) -> Place:
        return Place(self.consumption.group, self.consumption.topic, partition)

    def _step(self, stop: threading.Event | None) -> int:
        handled = 0
        for partition, position in list(self._next.items()):
            if stop is not None and stop.is_set():
                break
            records = self._log.read(self.consumption.topic, partition, position, self.consumption.batch)
            if records:
                self._apply(self._place(partition), records)
                handled += len(records)
        return handled

    # --- one batch ---

    def _apply(self, place: Place, records: Sequence[Record]) -> None:
        """Applies records in order; on a failure halves them until the one at fault stands alone, and parks it."""
        start = self._next[place.partition]
        begun = time.monotonic()
        try:
            self._database.write(_Batch(self, place, start, records))
        except (Fenced, *_AWAY):
            raise
        except Exception as error:  # noqa: BLE001 (the edge of the loop: halved, then parked with its reason)
            if len(records) > 1:
                middle = len(records) // 2
                self._apply(place, records[:middle])
                self._apply(place, records[middle:])
                return
            self._park(place, start, records[0], error)
        self._next[place.partition] = records[-1].offset + 1
        crash.point(self._after_commit)
        if self._metrics is not None:
            self._metrics.applied(self, len(records), time.monotonic() - begun)

    def _park(self, place: Place, start: int, record: Record, error: Exception) -> None:
        reason, now_us = reason_of(error), self.now_us()

        def write(uow: Uow) -> None:
            place.move(uow, start, record.offset + 1, now_us)
            park(uow, place.group, [record], reason, now_us)

        self._database.write(write)
        self._events.error(
            "consume.parked", group=place.group, topic=place.topic, offset=record.offset, event_id=record.event_id,
            kind=record.kind, reason_kind=reason[0], error=type(error).__name__, where=_where(error),
        )  # fmt: skip
        if self._metrics is not None:
            self._metrics.parked(self, reason[0])

    def _pause(self, error: BaseException) -> None:
        _, sentence = reason_of(error)
        if not self._paused:
            self._events.warning(
                "consume.paused", group=self.consumption.group, topic=self.consumption.topic, reason=sentence
            )
        self._paused = sentence

    # --- for operations ---

    def lags(self) -> list[Lag]:
        """How far this group is behind, a row for each partition; what cannot be told says why in `paused`."""
        group, topic = self.consumption.group, self.consumption.topic
        try:
            return [self._lag(partition) for partition in self._log.partitions(topic)]
        except AscoltoError as error:
            return [Lag(group, topic, 0, 0, 0.0, error.message)]

    def _lag(self, partition: int) -> Lag:
        topic = self.consumption.topic
        with self._database.read() as reader:
            position = self._place(partition).find(reader)
        if position is None:
            position = self._log.begin(topic, partition)
        waiting = self._log.read(topic, partition, position, 1)
        age_s = max(0.0, (self._clock.now() - made_at(waiting[0].event_id)).total_seconds()) if waiting else 0.0
        end = self._log.end(topic, partition) if waiting else position
        return Lag(self.consumption.group, topic, position, end, age_s, self._paused)
