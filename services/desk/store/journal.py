"""Rows of the desk's audit log, and stored answers of calls that may be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.desk.store.rows import a_moment, micros
from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow, Value

_ADD = Sql(
    "INSERT INTO audit (id, at_us, user_id, act, object_id, detail) VALUES (:id, :at, :user, :act, :object, :detail)"
)
_LIST = Sql(
    """SELECT id, at_us, user_id, act, object_id, detail FROM audit
    WHERE (:after = '' OR id < :after) AND (:object = '' OR object_id = :object) AND (:user = '' OR user_id = :user)
    ORDER BY id DESC LIMIT :limit"""
)
_RESERVE = Sql(
    """INSERT INTO answers (key_hash, request_hash, status, media_type, body, created_us)
    VALUES (:key, :request, 0, '', :empty, :now)
    ON CONFLICT (key_hash) DO UPDATE SET request_hash = excluded.request_hash, created_us = excluded.created_us
    WHERE answers.status = 0 AND answers.created_us < :stale"""
)
_FIND = Sql("SELECT request_hash, status, media_type, body FROM answers WHERE key_hash = :key")
_KEEP = Sql("UPDATE answers SET status = :status, media_type = :media_type, body = :body WHERE key_hash = :key")
_RELEASE = Sql("DELETE FROM answers WHERE key_hash = :key AND status = 0")
_PRUNE = Sql("DELETE FROM answers WHERE created_us < :before")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log."""

    id: str
    at: datetime
    user_id: str
    act: str
    object_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `status` 0 while the first call is under way."""

    request_hash: bytes
    status: int
    media_type: str
    body: bytes


def add(uow: Uow, entry: Entry) -> None:
    """Writes one line; nothing changes or deletes it."""
    uow.execute(
        _ADD,
        {
            "id": entry.id,
            "at": micros(entry.at),
            "user": entry.user_id,
            "act": entry.act,
            "object": entry.object_id,
            "detail": entry.detail,
        },
    )


def entries(reader: Reader, *, object_id: str, user_id: str, limit: int, after: str) -> list[Entry]:
    """Newest first, after the entry `after`."""
    rows = reader.rows(_LIST, {"after": after, "object": object_id, "user": user_id, "limit": limit})
    return [Entry(str(r[0]), a_moment(r[1]), str(r[2]), str(r[3]), str(r[4]), str(r[5])) for r in rows]


def reserve(uow: Uow, key: bytes, request: bytes, *, now: datetime, stale: datetime) -> Answer | None:
    """Reserves a key for one call, also one that was left under way before `stale`; else what is stored under it."""
    row: dict[str, Value] = {"key": key, "request": request, "empty": b"", "now": micros(now), "stale": micros(stale)}
    if uow.execute(_RESERVE, row):
        return None
    found = uow.row(_FIND, {"key": key})
    if found is None:
        return None
    return Answer(bytes(found[0]), int(found[1] or 0), str(found[2]), bytes(found[3]))  # type: ignore[arg-type]  # bytes columns


def keep(uow: Uow, key: bytes, *, status: int, media_type: str, body: bytes) -> None:
    """Stores the answer under its reserved key."""
    uow.execute(_KEEP, {"key": key, "status": status, "media_type": media_type, "body": body})


def release(uow: Uow, key: bytes) -> None:
    """Gives a key back: the call did not succeed and may be repeated."""
    uow.execute(_RELEASE, {"key": key})


def prune(uow: Uow, before: datetime) -> int:
    """Deletes answers older than `before`."""
    return uow.execute(_PRUNE, {"before": micros(before)})
