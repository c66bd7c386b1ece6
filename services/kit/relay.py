"""Moves a database's outbox to the log, in order, at least once: the producers' side of Kafka.

One relay is active for each database, by a lease. It keeps no cursor: what is in the outbox is not yet published, and
goes when every in-sync replica holds it. (`id > last` loses rows of transactions that drew their id early and
committed late.) A relay that slept past its lease can publish again what its successor has published, which inboxes
absorb; it deletes nothing, and begins nothing new.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.kit import crash, log
from services.kit.clock import Clock
from services.kit.db.sql import Sql
from services.kit.deadletters import reason_of
from services.kit.errors import AscoltoError, Conflict, Internal, RateLimited, Unavailable
from services.kit.ids import new_id
from services.kit.leases import Lease, Leases
from services.kit.topics import PRODUCERS
from services.kit.trace import trace_of

if TYPE_CHECKING:
    from services.kit.trace import Tracer
    from services.kit.uow import Database, Uow
    from services.kit.wakes import Wakes

_ROWS = 1000
_BYTES = 4 * 1024 * 1024  # in flight at most: the outbox is the queue, and memory stays flat
_LEASE_S = 15.0
_TAKE_S = 1.0  # between two tries for the lease
_PACE_S = 0.04  # small batches are not begun more often: each costs four statements and a request for each partition
_LONGEST_REST_S = 0.25  # after one that took long, as on a busy machine, as long as it took
_WAIT_S = 0.5  # where no commit wakes it: those of other processes on SQLite, copies of dead letters
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_LONGEST_TRANSACTION_S = 60.0  # what draws an id commits within it; the floor trails by twice as much
_WHOLE_LOOK_S = 600.0  # a row below the floor all the same is late then, not lost
_AWAY = (Unavailable, RateLimited, ConnectionError, TimeoutError)

_WEIGHTS = Sql("SELECT id, length(data) FROM outbox WHERE id >= :floor ORDER BY id LIMIT :rows")
_READ = Sql(
    "SELECT id, topic, key, kind, event_id, data, created_us FROM outbox WHERE id >= :first AND id <= :last ORDER BY id"
)
_DELETE = Sql("DELETE FROM outbox WHERE id IN (:ids...)")
_COUNT = Sql("SELECT count(*) FROM outbox")
_OLDEST = Sql("SELECT created_us FROM outbox ORDER BY id LIMIT 1")


class Outgoing(NamedTuple):
    """A row of the outbox."""

    id: int
    topic: str
    key: str
    kind: str
    event_id: str
    data: bytes  # Envelope
    created_us: int


class Publisher(Protocol):
    """The way into the log."""

    def publish(self, records: Sequence[Outgoing], going: Callable[[], bool]) -> int:
        """Hands records over in order and waits until the log holds them safely; returns how many of the first it does.

        A log that is away is waited for as long as `going()` is true, which is asked several times a second. Raises
        `Unavailable` when it cannot be reached to begin with.
        """
        ...

    def close(self) -> None:
        """Gives up what is under way."""
        ...


class RelayMetrics:
    """Figures of all relays of a process; one for a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waiting = Gauge(
            "ascolto_kit_outbox_rows", "Events that are not in the log yet.", ("service",), registry=registry
        )
        self._age = Gauge(
            "ascolto_kit_outbox_oldest_seconds", "Age of the oldest of them.", ("service",), registry=registry
        )
        self._active = Gauge(
            "ascolto_kit_relay_active",
            "1: this process moves the outbox; one of all does.",
            ("service",),
            registry=registry,
        )
        self._published = Counter(
            "ascolto_kit_published_records", "Events handed to the log.", ("service",), registry=registry
        )

    def watch(self, relay: Relay) -> None:
        """Asks the outbox at each scrape."""
        self._waiting.labels(relay.service).set_function(lambda: _or_unknown(relay.waiting))
        self._active.labels(relay.service).set_function(lambda: float(relay.active))
        self._age.labels(relay.service).set_function(lambda: _or_unknown(relay.oldest_s))

    def published(self, service: str, count: int) -> None:
        """So many events are safe."""
        self._published.labels(service).inc(count)


def _or_unknown(figure: Callable[[], float]) -> float:
    try:
        return figure()
    except AscoltoError:
        return math.nan  # the database is away, which its own check says


class Relay:
    """A worker: the relay of one database."""

    def __init__(
        self,
        service: str,
        database: Database,
        publisher: Publisher,
        *,
        wakes: Wakes,
        clock: Clock,
        metrics: RelayMetrics | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.service, self.name = service, f"relay-{service}"
        self._database, self._publisher, self._wakes, self._clock = database, publisher, wakes, clock
        self._leases = Leases(database)
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{new_id('rel')}"
        self._topics = [topic for topic, owner in PRODUCERS.items() if owner == service]
        self._events = log.logger(service)
        self._metrics, self._tracer = metrics, tracer
        if metrics is not None:
            metrics.watch(self)
        self._lease: Lease | None = None
        self._renew_at = self._until = 0.0
        self._floors = (0, 0)  # from which id on to look, and from which on after the next step
        self._top, self._step_at, self._whole_at = 0, 0.0, 0.0
        self.paused = ""

    # --- the loop ---

    def run(self, stop: threading.Event) -> None:
        """Publishes until `stop`, while it holds the lease."""
        pause, seen = _FIRST_PAUSE_S, 0
        try:
            while not stop.is_set():
                try:
                    if not self._holds() and not self.take():
                        stop.wait(_TAKE_S)
                        continue
                    begun = time.monotonic()
                    moved = self.step(stop)
                except Conflict:
                    self._lose()
                    continue
                except _AWAY as error:
                    self._pause(error)
                    stop.wait(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_S)
                    continue
                pause, self.paused = _FIRST_PAUSE_S, ""
                if 0 < moved < _ROWS:
                    took_s = time.monotonic() - begun
                    stop.wait(max(min(took_s, _LONGEST_REST_S), _PACE_S - took_s))
                elif not moved:
                    seen = self._wakes.wait(self._topics, seen, _WAIT_S)
        finally:
            self.close()

    def close(self) -> None:
        """Gives up what is under way, and lets another instance go on at once."""
        self._publisher.close()
        lease, self._lease = self._lease, None
        if lease is not None:
            with contextlib.suppress(*_AWAY):  # it ends by itself
                self._leases.release(lease)

    def step(self, stop: threading.Event) -> int:
        """Publishes the oldest rows and deletes those that are safe; returns how many.

        Raises `Conflict` when the lease is another's, `Unavailable` when the log or the database is away.
        """
        rows = self._oldest()
        if not rows:
            return 0
        crash.point("relay.before_publish")
        begun_ns = time.time_ns()
        safe = self._publisher.publish(rows, lambda: not stop.is_set() and self._holds())
        crash.point("relay.before_delete")
        if safe:
            self._database.write(_Forget(self._leases, self._lease, [row.id for row in rows[:safe]]))
            crash.point("relay.after_delete")
            if self._metrics is not None:
                self._metrics.published(self.service, safe)
            if self._tracer is not None:
                self._tracer.took(self.service, "publish", [trace_of(row.data) for row in rows[:safe]], begun_ns)
        return safe

    def _oldest(self) -> list[Outgoing]:
        """The oldest rows, up to `_ROWS` and about `_BYTES`. One snapshot: of one key none is there without those before."""
        now = self._clock.monotonic()
        if now >= self._whole_at:
            self._floors, self._whole_at = (0, 0), now + _WHOLE_LOOK_S
        if now >= self._step_at:
            self._floors, self._step_at = (self._floors[1], self._top), now + 2 * _LONGEST_TRANSACTION_S
        with self._database.read() as reader:
            weights = reader.rows(_WEIGHTS, {"floor": self._floors[0], "rows": _ROWS})
            if not weights:
                return []
            last, total = 0, 0
            for number, size in weights:
                if last and total + int(size or 0) > _BYTES:
                    break
                last, total = int(number or 0), total + int(size or 0)
            rows = reader.rows(_READ, {"first": self._floors[0], "last": last})
        self._top = max(self._top, last)
        return [Outgoing(*row) for row in rows]  # type: ignore[arg-type]  # the columns are those of _READ, in its order

    # --- the lease ---

    def take(self) -> bool:
        """Becomes the active one, for some seconds; false while another is."""
        now = self._clock.monotonic()
        self._lease = self._leases.take("relay", self._holder, seconds=_LEASE_S)
        if self._lease is None:
            return False
        self._renew_at, self._until, self._whole_at = now + _LEASE_S / 3, now + _LEASE_S, now
        self._events.info("relay.active", epoch=self._lease.epoch)
        return True

    def _holds(self) -> bool:
        """Renews it when a third is over; false from the moment at which another may hold it."""
        now = self._clock.monotonic()
        if self._lease is None or now >= self._until:
            self._lose()
            return False
        if now >= self._renew_at:
            try:
                renewed = self._leases.renew(self._lease, seconds=_LEASE_S)
            except _AWAY:
                self._renew_at = now + 1.0
                return True  # as long as it lasts
            if not renewed:
                self._lose()
                return False
            self._renew_at, self._until = now + _LEASE_S / 3, now + _LEASE_S
        return True

    def _lose(self) -> None:
        if self._lease is not None:
            self._events.warning("relay.fenced", epoch=self._lease.epoch)
            self._lease = None

    # --- for operations ---

    def _pause(self, error: BaseException) -> None:
        _, sentence = reason_of(error)
        if not self.paused:
            self._events.warning("relay.paused", reason=sentence)
        self.paused = sentence

    @property
    def active(self) -> bool:
        """Whether it has the lease."""
        return self._lease is not None

    def waiting(self) -> int:
        """How many events are not in the log yet."""
        with self._database.read() as reader:
            row = reader.row(_COUNT)
        return int(row[0] or 0) if row else 0

    def oldest_s(self) -> float:
        """How long the oldest of them has waited; 0 when there is none."""
        with self._database.read() as reader:
            row = reader.row(_OLDEST)
        return max(0.0, self._clock.now().timestamp() - int(row[0] or 0) / 1_000_000) if row else 0.0


class _Forget:
    """Deletes published rows, if the lease still holds."""

    title = "relay forget"

    def __init__(self, leases: Leases, lease: Lease | None, ids: Sequence[int]) -> None:
        self._leases, self._lease, self._ids = leases, lease, ids
        self.rows = len(ids)

    def __call__(self, uow: Uow) -> None:
        if self._lease is None:
            raise Conflict("The relay's lease ended while it published.")
        self._leases.fence(self._lease, uow)
        if uow.execute(_DELETE, {"ids": self._ids}) != len(self._ids):
            raise Internal(
                "Rows of the outbox went while their relay held the lease: does another program delete them?"
            )
