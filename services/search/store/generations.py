"""The index's generations: which one answers, which one is being built and how far."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow

_COLUMNS = "id, state, schema, started_us, built_us, cursors, documents, total"
_ALL = Sql(f"SELECT {_COLUMNS} FROM generations WHERE state IN ('live', 'building') ORDER BY id")  # noqa: S608 (ours)
_NEW = Sql(  # unless another process has begun one
    "INSERT INTO generations (state, schema, started_us, built_us, cursors, documents, total)"
    " SELECT 'building', CAST(:schema AS INTEGER), CAST(:now_us AS BIGINT), 0, '{}', 0, 0"
    " WHERE NOT EXISTS (SELECT 1 FROM generations WHERE state = 'building') RETURNING id"
)
_PROGRESS = Sql("UPDATE generations SET cursors = :cursors, documents = :documents, total = :total WHERE id = :id")
_RETIRE_OTHERS = Sql("UPDATE generations SET state = 'retired' WHERE id <> :id AND state = 'live'")
_RETIRE = Sql("UPDATE generations SET state = 'retired' WHERE id = :id")
_LIVE = Sql("UPDATE generations SET state = 'live', built_us = :now_us WHERE id = :id")


@dataclass(slots=True)
class Generation:
    """One index. `cursors` say how far each scan came: a rev, or -1 when it is done."""

    id: int
    state: str
    schema: int
    started_us: int = 0
    built_us: int = 0
    cursors: dict[str, int] = field(default_factory=dict)
    documents: int = 0
    total: int = 0


def current(reader: Reader) -> list[Generation]:
    """The live one and the one being built, as far as there are any."""
    return [
        Generation(
            int(row[0] or 0),
            str(row[1]),
            int(row[2] or 0),
            int(row[3] or 0),
            int(row[4] or 0),
            {str(name): int(rev) for name, rev in json.loads(str(row[5])).items()},
            int(row[6] or 0),
            int(row[7] or 0),
        )
        for row in reader.rows(_ALL)
    ]


def begin(uow: Uow, schema: int, now_us: int) -> Generation | None:
    """A new one, being built; None when there is one already."""
    row = uow.row(_NEW, {"schema": schema, "now_us": now_us})
    return None if row is None else Generation(int(row[0] or 0), "building", schema, started_us=now_us)


def progress(uow: Uow, generation: Generation) -> None:
    """Remembers how far it came."""
    values: dict[str, str | int] = {
        "id": generation.id,
        "cursors": json.dumps(generation.cursors),
        "documents": generation.documents,
        "total": generation.total,
    }
    uow.execute(_PROGRESS, values)


def switch(uow: Uow, generation_id: int, now_us: int) -> None:
    """Makes it the live one; what was live is retired in the same transaction."""
    uow.execute(_RETIRE_OTHERS, {"id": generation_id})
    uow.execute(_LIVE, {"id": generation_id, "now_us": now_us})


def retire(uow: Uow, generation_id: int) -> None:
    """Gives one up."""
    uow.execute(_RETIRE, {"id": generation_id})
