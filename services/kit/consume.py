"""The loop around every consumer: read, apply a batch in one transaction with the position, park what can never work.

The position lives in the consumer's database and moves only from the value expected, in the transaction of the effect:
a zombie is fenced, a crash repeats nothing. Away is not wrong: what is unavailable is retried for ever, what fails
otherwise is halved until the one record at fault stands alone.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.kit import crash, log
from services.kit.app import Consumption
from services.kit.bus import Log, Part, Reading, Record
from services.kit.clock import Clock
from services.kit.deadletters import NEWER_SCHEMA, DeadLetters, park, reason_of
from services.kit.errors import AscoltoError, RateLimited, Unavailable
from services.kit.inbox import Fenced, Move, Place, keep_unapplied, move_all, without_erased
from services.kit.positions import Positions

if TYPE_CHECKING:
    from services.kit.consume_metrics import ConsumeMetrics
    from services.kit.trace import Tracer
    from services.kit.uow import Database, Uow

_AWAY = (Unavailable, RateLimited, ConnectionError, TimeoutError)
_UNKNOWN = (AscoltoError, ConnectionError, TimeoutError)
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
    known: bool = True  # false: the log or the database is away, `paused` says which


def _where(error: BaseException) -> str:
    """Where it was raised; its text may hold what a customer wrote, so the log has the place alone."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


class _Batch:
    """One transaction: positions, inbox, effect. May be run again by the writer, so it holds nothing but its input."""

    __slots__ = ("_consumer", "_moves", "_records", "rows", "title")

    def __init__(self, consumer: Consumer, moves: Sequence[Move], records: Sequence[Record]) -> None:
        self._consumer, self._moves, self._records = consumer, moves, records
        self.rows = len(records)
        self.title = consumer.name

    def __call__(self, uow: Uow) -> None:
        consumption = self._consumer.consumption
        now_us = self._consumer.now_us()
        move_all(uow, self._moves, now_us)
        wanted = [record for record in self._records if record.kind in consumption.kinds]
        if len(wanted) < len(self._records):
            known = consumption.kinds | consumption.ignored
            if unknown := [record for record in self._records if record.kind not in known]:
                self._consumer.park(uow, unknown, (NEWER_SCHEMA, "This version does not know the kind."), now_us)
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
        tracer: Tracer | None = None,
        service: str = "",
    ) -> None:
        self.consumption, self._database, self._log, self._clock = consumption, database, event_log, clock
        self.service = service or consumption.group.partition(".")[0].partition("-")[0]
        self.name = f"consume-{consumption.group}-{consumption.topic}"
        self.before_commit = f"{self.service}.consume.before_commit"
        self._after_commit = f"{self.service}.consume.after_commit"
        self._metrics, self._tracer = metrics, tracer
        self._events = log.logger(self.service)
        self._positions = Positions(consumption.group, database, event_log, now_us=self.now_us)
        self._next: dict[int, int] = {}  # of each partition held
        self._reading: Reading | None = None
        self._paused = ""
        self._letters = DeadLetters(database, [consumption], clock=clock)

    def now_us(self) -> int:
        """The hour, in microseconds."""
        return int(self._clock.now().timestamp() * 1_000_000)

    # --- the loop ---

    def run(self, stop: threading.Event) -> None:
        """Consumes until `stop` is set; the batch under way is finished."""
        pause = _FIRST_PAUSE_S
        try:
            while not stop.is_set():
                try:
                    handled, took_s = self._step(_WAIT_S)
                except Fenced:
                    self._events.info("consume.fenced", group=self.consumption.group, topic=self.consumption.topic)
                    continue
                except _AWAY as error:
                    self._pause(error)
                    stop.wait(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_S)
                    continue
                except Exception as error:
                    _, self._paused = reason_of(error)  # a position outside the log, or a defect: shown, begun again
                    raise
                pause, self._paused = _FIRST_PAUSE_S, ""
                if handled:
                    stop.wait(self._rest_s(handled, took_s))
        finally:
            self.close()

    def _rest_s(self, handled: int, took_s: float) -> float:
        """How long to leave the processor to others, the edge above all: as long as the batch took.

        Alone that is a moment. Where many threads or processes want the same processor a batch takes longer: then a
        backlog gives way to who writes to us now, and the next batch has more in it for the same price.
        """
        rest_s = min(took_s, _LONGEST_REST_S)
        return rest_s if handled >= self.consumption.batch else max(rest_s, _PACE_S - took_s)

    def run_once(self) -> int:
        """Handles all that waits in the parts held now; returns how many records. Raises what makes it pause."""
        handled = 0
        while step := self._step(0.0)[0]:
            handled += step
        return handled

    def start(self) -> Reading:
        """Joins the group, and replays what an older version could not read. Does nothing the second time."""
        if self._reading is None:
            self._letters.replay_newer(self.consumption)
            self._reading = self._log.join(self.consumption.group, [self.consumption.topic], self._begin_at)
        return self._reading

    def close(self) -> None:
        """Leaves the group: others have its parts at once."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _begin_at(self, parts: Collection[Part]) -> dict[Part, int]:
        found = self._positions(parts)
        self._next.update({part.partition: position for part, position in found.items()})
        return found

    def _step(self, timeout_s: float) -> tuple[int, float]:
        """Applies what follows; returns how many records, and in how many seconds."""
        reading = self.start()
        polled = reading.poll(self.consumption.batch, timeout_s)
        if not polled:
            return 0, 0.0
        begun = time.monotonic()
        records = [record for part in polled.values() for record in part]
        try:
            self._apply(records)
        except Exception:
            reading.rewind(polled.keys())
            raise
        return len(records), time.monotonic() - begun

    # --- one batch ---

    def _apply(self, records: Sequence[Record]) -> None:
        """Applies records in order; on a failure halves them until the one at fault stands alone, and parks it."""
        following = {record.partition: record.offset + 1 for record in records}
        moves = [
            (Place(self.consumption.group, self.consumption.topic, partition), self._next[partition], offset)
            for partition, offset in following.items()
        ]
        begun, begun_ns = time.monotonic(), time.time_ns()
        try:
            self._database.write(_Batch(self, moves, records))
        except (Fenced, *_AWAY):
            raise
        except Exception as error:  # noqa: BLE001 (the edge of the loop: halved, then parked with its reason)
            if len(records) > 1:
                middle = len(records) // 2
                self._apply(records[:middle])
                self._apply(records[middle:])
                return
            self._set_aside(moves[0], records[0], error)
        self._next.update(following)
        crash.point(self._after_commit)
        if self._tracer is not None:
            self._tracer.consumed(self.service, f"consume {self.consumption.topic}", records, begun_ns)
        if self._metrics is not None:
            self._metrics.applied(self, len(records), time.monotonic() - begun)

    def park(self, uow: Uow, records: Sequence[Record], reason: tuple[str, str], now_us: int) -> None:
        """Parks records for this group, and lets the log show a copy."""
        park(uow, self.consumption.group, records, reason, now_us)
        self._log.copy_parked(uow, records)

    def _set_aside(self, move: Move, record: Record, error: Exception) -> None:
        reason, now_us = reason_of(error), self.now_us()
        place, expected, following = move

        def write(uow: Uow) -> None:
            place.move(uow, expected, following, now_us)
            self.park(uow, [record], reason, now_us)

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
        """How far this group is behind, its parts added up; what cannot be told says why in `paused`."""
        group, topic = self.consumption.group, self.consumption.topic
        try:
            found = self._positions.backlog(topic, self._clock.now())
        except _UNKNOWN as error:
            return [Lag(group, topic, 0, 0, 0.0, reason_of(error)[1], known=False)]
        return [Lag(group, topic, found.position, found.end, found.age_s, self._paused)]
