"""Migrations make the tables the code declares, and the lookups of the hot path use their indexes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from services.tickets.domain.ticket import State
from services.tickets.store.tables import METADATA
from tests.kitlib import on_sqlite
from tests.tickets.world import World

pytestmark = on_sqlite


def _shape(path: Path) -> set[tuple[str, ...]]:
    connection = sqlite3.connect(path)
    try:
        shape: set[tuple[str, ...]] = set()
        for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"):
            if name.startswith("sqlite_"):
                continue
            kind = "rowid" if "WITHOUT ROWID" not in (sql or "") else "without rowid"
            shape.add((name, kind, "where" if " WHERE " in sql else ""))
            for column in connection.execute(f"PRAGMA table_xinfo({name})"):
                shape.add((name, *map(str, column[1:6])))
            for column in connection.execute(f"PRAGMA index_xinfo({name})"):
                shape.add((name, "index", *map(str, column[:3])))
        return shape
    finally:
        connection.close()


def test_the_first_migration_makes_what_the_tables_declare(world: World, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    METADATA.create_all(engine)
    engine.dispose()

    assert _shape(world.database.path) == _shape(tmp_path / "declared.db")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM tickets WHERE open_key = 'x' AND open_key <> ''", "tickets_by_open_key"),
        ("SELECT id FROM tickets WHERE close_us > 0 AND close_us <= 5 ORDER BY close_us", "tickets_to_close"),
        (
            "SELECT * FROM interactions WHERE account_id IN ('a') AND external_id IN ('b') AND external_id <> ''",
            "interactions_by_external",
        ),
        (
            "SELECT * FROM interactions WHERE ticket_id = 'a' AND reply_key = 'b' AND reply_key <> ''",
            "interactions_by_",
        ),
        ("SELECT * FROM interactions WHERE rev > 5 ORDER BY rev LIMIT 5", "interactions_by_rev"),
        (
            "SELECT COUNT(*), SUM(due_us < 5) FROM tickets WHERE assignee = '' AND state IN (1, 2)",
            "COVERING INDEX tickets_by_due",
        ),
    ],
)
def test_lookups_use_their_index(world: World, query: str, index: str) -> None:
    plan = " ".join(str(row[3]) for row in world.rows(f"EXPLAIN QUERY PLAN {query}"))

    assert index in plan


def test_states_are_numbered_as_in_the_contract() -> None:
    from ascolto.tickets.v1.events_pb2 import State as Contract

    assert {f"STATE_{state.name}": int(state) for state in State} == {
        name: number for name, number in Contract.items() if number
    }
