"""Rows of who is at a ticket now, written by heartbeats and gone half a minute after the last."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow

_PUT = Sql(
    "INSERT INTO presence (ticket_id, user_id, name, doing, brand_id, since_us, seen_us)"
    " VALUES (:ticket_id, :user_id, :name, :doing, :brand_id, :since_us, :seen_us)"
    " ON CONFLICT (ticket_id, user_id) DO UPDATE SET name = excluded.name, doing = excluded.doing,"
    " since_us = excluded.since_us, seen_us = excluded.seen_us"
)
_REMOVE = Sql("DELETE FROM presence WHERE ticket_id = :ticket_id AND user_id = :user_id")
_ALL = Sql("SELECT ticket_id, user_id, name, doing, brand_id, since_us, seen_us FROM presence ORDER BY since_us")
_PRUNE = Sql("DELETE FROM presence WHERE seen_us <= :before_us")


@dataclass(frozen=True, slots=True)
class Seat:
    """One person at one ticket. `doing` is looking or writing, since when."""

    ticket_id: str
    user_id: str
    name: str
    doing: str
    brand_id: str
    since_us: int
    seen_us: int


def put(uow: Uow, seat: Seat) -> None:
    """Writes a heartbeat."""
    uow.execute(_PUT, asdict(seat))


def remove(uow: Uow, ticket_id: str, user_id: str) -> None:
    """The person left."""
    uow.execute(_REMOVE, {"ticket_id": ticket_id, "user_id": user_id})


def everybody(reader: Reader) -> list[Seat]:
    """All rows, who came first before others."""
    return [Seat(*row) for row in reader.rows(_ALL)]  # type: ignore[arg-type]  # the columns are the fields, in their order


def prune(uow: Uow, before_us: int) -> int:
    """Forgets who sent no heartbeat since; how many."""
    return uow.execute(_PRUNE, {"before_us": before_us})
