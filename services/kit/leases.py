"""Leases: one holder at a time for a thing (a poller, a pruner), by the database's clock, with an epoch that fences.

Who was asleep past its lease must not write: every write of a holder goes through `Lease.fence`.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.kit.db.sql import Sql
from services.kit.errors import Conflict
from services.kit.uow import Database, Row, Uow, Value

_TAKE = Sql(
    "INSERT INTO leases (name, holder, epoch, expires_us) VALUES (:name, :holder, 1, :expires_us)"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = leases.epoch + 1,"
    " expires_us = excluded.expires_us"
    " WHERE leases.expires_us <= :now_us OR leases.holder = excluded.holder RETURNING epoch"
)
_RENEW = Sql(
    "UPDATE leases SET expires_us = :expires_us"
    " WHERE name = :name AND holder = :holder AND epoch = :epoch AND expires_us > :now_us"
)
_RELEASE = Sql("UPDATE leases SET expires_us = 0 WHERE name = :name AND holder = :holder AND epoch = :epoch")
_HOLDS = Sql(
    "SELECT 1 FROM leases WHERE name = :name AND holder = :holder AND epoch = :epoch AND expires_us > :now_us FOR SHARE"
)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act for `name`, until it ends or another takes it."""

    name: str
    holder: str
    epoch: int


class Leases:
    """Leases of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, holder: str, *, seconds: float) -> Lease | None:
        """The lease with a new epoch, or None while another holds it. Taking one's own again fences one's past self."""

        def take(uow: Uow) -> list[Row]:
            now_us = uow.now_us()
            ends_us = now_us + int(seconds * 1_000_000)
            return uow.rows(_TAKE, {"name": name, "holder": holder, "now_us": now_us, "expires_us": ends_us})

        rows = self._database.write(take)
        return Lease(name, holder, int(rows[0][0] or 0)) if rows else None

    def renew(self, lease: Lease, *, seconds: float) -> bool:
        """Holds on for `seconds` from now; False when it ended or another took it: stop then."""

        def renew(uow: Uow) -> int:
            values = self._values(lease, uow)
            return uow.execute(_RENEW, {**values, "expires_us": uow.now_us() + int(seconds * 1_000_000)})

        return self._database.write(renew) == 1

    def release(self, lease: Lease) -> None:
        """Lets another take it at once. The epoch stays, so that it never repeats."""
        values: dict[str, Value] = {"name": lease.name, "holder": lease.holder, "epoch": lease.epoch}
        self._database.write(lambda uow: uow.execute(_RELEASE, values))

    def fence(self, lease: Lease, uow: Uow) -> None:
        """Raises `Conflict` unless the lease holds: first statement of each of the holder's writes.

        Nobody can take it before the write has ended: its row is locked.
        """
        if uow.row(_HOLDS, self._values(lease, uow)) is None:
            raise Conflict(f"{lease.holder} no longer holds the lease {lease.name} (epoch {lease.epoch}).")

    @staticmethod
    def _values(lease: Lease, uow: Uow) -> dict[str, Value]:
        return {"name": lease.name, "holder": lease.holder, "epoch": lease.epoch, "now_us": uow.now_us()}
