"""What there is to see of one service in this process: the same for figures, the operations page and `ascolto doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.kit.app import Service
from services.kit.bus import Log
from services.kit.clock import Clock
from services.kit.consume import Consumer, Lag
from services.kit.db.sql import Sql
from services.kit.uow import PoolUse

_LETTERS = Sql(
    "SELECT group_name, topic, count(*) FROM dead_letters WHERE handled_us = 0 GROUP BY group_name, topic ORDER BY 1, 2"
)
_LEASES = Sql("SELECT name, holder, expires_us FROM leases WHERE expires_us > :now_us ORDER BY name")
_OUTBOX = Sql("SELECT count(*), min(created_us) FROM outbox")


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that somebody has now."""

    name: str
    holder: str
    left_s: float


@dataclass(frozen=True, slots=True)
class Outbox:
    """Events that a relay has not moved to the log yet."""

    rows: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Watched:
    """Questions to a service's database and log. All raise `Unavailable` when those are away."""

    service: Service
    consumers: Sequence[Consumer]
    log: Log
    clock: Clock

    def lags(self) -> list[Lag]:
        """Of each group of the service."""
        return [lag for consumer in self.consumers for lag in consumer.lags()]

    def letters(self) -> list[tuple[str, str, int]]:
        """Group, topic, and how many records wait there for a person."""
        with self.service.database.read() as reader:
            rows = reader.rows(_LETTERS)
        return [(str(group), str(topic), int(count or 0)) for group, topic, count in rows]

    def leases(self) -> list[Held]:
        """Those of the service's database that hold, whichever process has them."""
        now_us = self._now_us()
        with self.service.database.read() as reader:
            rows = reader.rows(_LEASES, {"now_us": now_us})
        return [Held(str(name), str(holder), (int(until or 0) - now_us) / 1e6) for name, holder, until in rows]

    def outbox(self) -> Outbox | None:
        """What waits for the relay; None where the log reads outboxes in place."""
        if not self.log.relayed:
            return None
        with self.service.database.read() as reader:
            row = reader.row(_OUTBOX) or (0, 0)
        rows, oldest_us = int(row[0] or 0), int(row[1] or 0)
        return Outbox(rows, max(0.0, (self._now_us() - oldest_us) / 1e6) if rows else 0.0)

    def pools(self) -> Sequence[PoolUse]:
        """How the ways into the database are used, by this process."""
        return self.service.database.pools()

    def _now_us(self) -> int:
        return int(self.clock.now().timestamp() * 1_000_000)
