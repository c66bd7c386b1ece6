"""Caps a customer can feel: one taking-in-charge answer per sender and window, a daily quota for unverified ones."""

from __future__ import annotations

from collections.abc import Collection

from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow

_LAST = Sql("SELECT sender_key, last_us FROM acknowledgements WHERE sender_key IN (:keys...)")
_PUT = Sql(
    "INSERT INTO acknowledgements (sender_key, last_us) VALUES (:sender_key, :last_us)"
    " ON CONFLICT (sender_key) DO UPDATE SET last_us = excluded.last_us"
)
_SENT = Sql("SELECT sent FROM ack_quota WHERE day = :day")
_COUNT = Sql(
    "INSERT INTO ack_quota (day, sent) VALUES (:day, :sent)"
    " ON CONFLICT (day) DO UPDATE SET sent = ack_quota.sent + excluded.sent"
)
_PRUNE = Sql("DELETE FROM acknowledgements WHERE last_us < :before")
_PRUNE_DAYS = Sql("DELETE FROM ack_quota WHERE day < :day")


def last_sent(reader: Reader, keys: Collection[str]) -> dict[str, int]:
    """When each sender was last answered."""
    found: dict[str, int] = {}
    for key, last in reader.rows(_LAST, {"keys": sorted(keys)}) if keys else ():
        assert isinstance(last, int)
        found[str(key)] = last
    return found


def put(uow: Uow, keys: Collection[str], now_us: int) -> None:
    """Remembers that these senders are answered now."""
    if keys:
        uow.execute_many(_PUT, [{"sender_key": key, "last_us": now_us} for key in sorted(keys)])


def unverified_sent(reader: Reader, day: int) -> int:
    """How many answers went to unverified addresses that day."""
    row = reader.row(_SENT, {"day": day})
    return int(row[0]) if row and isinstance(row[0], int) else 0


def count_unverified(uow: Uow, day: int, sent: int) -> None:
    """Adds to the day's count."""
    if sent:
        uow.execute(_COUNT, {"day": day, "sent": sent})


def prune(uow: Uow, *, before_us: int, day: int) -> None:
    """Forgets windows and days that can no longer matter."""
    uow.execute(_PRUNE, {"before": before_us})
    uow.execute(_PRUNE_DAYS, {"day": day})
