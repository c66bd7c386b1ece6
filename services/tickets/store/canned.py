"""Canned answers. Texts by language are kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field

from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow


@dataclass(slots=True)
class Canned:
    """One prepared answer; no brand means every brand."""

    id: str
    brand_id: str = ""
    title: str = ""
    shortcut: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    channel: str = ""
    version: int = 1
    changed_us: int = 0


_COLUMNS = "id, brand_id, title, shortcut, texts, channel, version, changed_us"
_LIST = Sql(f"SELECT {_COLUMNS} FROM canned_answers WHERE brand_id IN (:brands...) ORDER BY title, id")  # noqa: S608 - fixed names
_ALL = Sql(f"SELECT {_COLUMNS} FROM canned_answers ORDER BY title, id")  # noqa: S608 - fixed names
_LOCK = Sql(f"SELECT {_COLUMNS} FROM canned_answers WHERE id = :id FOR UPDATE")  # noqa: S608 - fixed names
_PUT = Sql(
    "INSERT INTO canned_answers (id, brand_id, title, shortcut, texts, channel, version, changed_us) VALUES (:id,"
    " :brand_id, :title, :shortcut, :texts, :channel, :version, :changed_us) ON CONFLICT (id) DO UPDATE SET"
    " brand_id = excluded.brand_id, title = excluded.title, shortcut = excluded.shortcut, texts = excluded.texts,"
    " channel = excluded.channel, version = excluded.version, changed_us = excluded.changed_us"
)
_DROP = Sql("DELETE FROM canned_answers WHERE id = :id")


def _of_row(row: tuple[object, ...]) -> Canned:
    identifier, brand_id, title, shortcut, texts, channel, version, changed_us = row
    assert isinstance(version, int)
    assert isinstance(changed_us, int)
    loaded = json.loads(str(texts))
    return Canned(str(identifier), str(brand_id), str(title), str(shortcut), loaded, str(channel), version, changed_us)


def find(reader: Reader, brands: Collection[str]) -> list[Canned]:
    """Answers of these brands (empty: all); those of every brand have the brand ''."""
    rows = reader.rows(_LIST, {"brands": ["", *brands]}) if brands else reader.rows(_ALL)
    return [_of_row(row) for row in rows]


def lock(uow: Uow, answer_id: str) -> Canned | None:
    """One, locked."""
    rows = uow.rows(_LOCK, {"id": answer_id})
    return _of_row(rows[0]) if rows else None


def put(uow: Uow, answer: Canned) -> None:
    """Writes one."""
    uow.execute(
        _PUT,
        {
            "id": answer.id,
            "brand_id": answer.brand_id,
            "title": answer.title,
            "shortcut": answer.shortcut,
            "texts": json.dumps(answer.texts, ensure_ascii=False, sort_keys=True),
            "channel": answer.channel,
            "version": answer.version,
            "changed_us": answer.changed_us,
        },
    )


def drop(uow: Uow, answer_id: str) -> None:
    """Removes one."""
    uow.execute(_DROP, {"id": answer_id})
