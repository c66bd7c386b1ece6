"""Who saw and changed what: appended, never altered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.kit.db.sql import Sql
from services.kit.uow import Params, Reader, Uow

_ADD = Sql(
    "INSERT INTO audit (id, at_us, user_id, act, object_id, detail)"
    " VALUES (:id, :at_us, :user_id, :act, :object_id, :detail) ON CONFLICT DO NOTHING"
)
_COLUMNS = "SELECT id, at_us, user_id, act, object_id, detail FROM audit WHERE id < :before"
_LIST = {
    (False, False): Sql(f"{_COLUMNS} ORDER BY id DESC LIMIT :limit"),
    (True, False): Sql(f"{_COLUMNS} AND object_id = :object_id ORDER BY id DESC LIMIT :limit"),
    (False, True): Sql(f"{_COLUMNS} AND user_id = :user_id ORDER BY id DESC LIMIT :limit"),
    (True, True): Sql(f"{_COLUMNS} AND object_id = :object_id AND user_id = :user_id ORDER BY id DESC LIMIT :limit"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. The id is sortable by time."""

    id: str
    at_us: int
    user_id: str
    act: str
    object_id: str
    detail: str = ""


def add(uow: Uow, entries: Sequence[Entry]) -> None:
    """Appends entries."""
    rows: list[Params] = [
        {
            "id": one.id,
            "at_us": one.at_us,
            "user_id": one.user_id,
            "act": one.act,
            "object_id": one.object_id,
            "detail": one.detail[:500],
        }
        for one in entries
    ]
    if rows:
        uow.execute_many(_ADD, rows)


def page(reader: Reader, *, object_id: str, user_id: str, before: str, limit: int) -> list[Entry]:
    """Newest first."""
    rows = reader.rows(
        _LIST[bool(object_id), bool(user_id)],
        {"object_id": object_id, "user_id": user_id, "before": before or "\x7f", "limit": limit},
    )
    return [Entry(*row) for row in rows]  # type: ignore[arg-type]  # a row's values are untyped by nature
