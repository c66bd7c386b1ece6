"""Rows of passwords asked for anew. Nothing in them opens anything: the link is signed with the installation's key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.desk.store.rows import a_moment, micros
from services.kit.db.sql import Sql
from services.kit.uow import Reader, Row, Uow

_ROW = "id, user_id, asked_us, due_us, attempts"
_ADD = Sql("INSERT INTO resets (id, user_id, asked_us, due_us, attempts) VALUES (:id, :user, :now, :now, 0)")
_FIND = Sql(f"SELECT {_ROW} FROM resets WHERE id = :id")  # noqa: S608 (a constant list of columns)
_DUE = Sql(f"SELECT {_ROW} FROM resets WHERE due_us > 0 AND due_us <= :now ORDER BY due_us LIMIT 20")  # noqa: S608 (as above)
_CLAIM = Sql("UPDATE resets SET due_us = :until, attempts = attempts + 1 WHERE id = :id AND due_us = :due")
_PUT_OFF = Sql("UPDATE resets SET due_us = :due WHERE id = :id")
_REMOVE = Sql("DELETE FROM resets WHERE id = :id AND asked_us > :since")
_REMOVE_OF = Sql("DELETE FROM resets WHERE user_id = :user")
_PRUNE = Sql("DELETE FROM resets WHERE asked_us <= :before")


@dataclass(frozen=True, slots=True)
class ResetRow:
    """One password asked for anew; an empty `user_id` is nobody's."""

    id: str
    user_id: str
    asked_at: datetime
    due_us: int
    attempts: int


def add(uow: Uow, reset_id: str, user_id: str, now: datetime) -> None:
    """Keeps that somebody asked; the mail is due now."""
    uow.execute(_ADD, {"id": reset_id, "user": user_id, "now": micros(now)})


def find(reader: Reader, reset_id: str) -> ResetRow | None:
    """The request, if it is still there."""
    row = reader.row(_FIND, {"id": reset_id})
    return _reset(row) if row else None


def due(reader: Reader, now: datetime) -> list[ResetRow]:
    """Requests whose mail is to be tried, the longest waiting first."""
    return [_reset(row) for row in reader.rows(_DUE, {"now": micros(now)})]


def claim(uow: Uow, row: ResetRow, until: datetime) -> bool:
    """Takes the request for one attempt; False when somebody else did."""
    return bool(uow.execute(_CLAIM, {"id": row.id, "due": row.due_us, "until": micros(until)}))


def put_off(uow: Uow, reset_id: str, due_at: datetime | None) -> None:
    """When the mail is tried again; None: never."""
    uow.execute(_PUT_OFF, {"id": reset_id, "due": micros(due_at)})


def remove(uow: Uow, reset_id: str, *, since: datetime) -> bool:
    """Uses a request up; False when it was used, replaced, or asked for by `since`."""
    return bool(uow.execute(_REMOVE, {"id": reset_id, "since": micros(since)}))


def remove_of(uow: Uow, user_id: str) -> None:
    """Ends all requests of a person."""
    uow.execute(_REMOVE_OF, {"user": user_id})


def prune(uow: Uow, before: datetime) -> int:
    """Deletes requests asked for by `before`."""
    return uow.execute(_PRUNE, {"before": micros(before)})


def _reset(row: Row) -> ResetRow:
    return ResetRow(str(row[0]), str(row[1]), a_moment(row[2]), int(row[3] or 0), int(row[4] or 0))
