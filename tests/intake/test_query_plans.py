"""What is asked all day long reads what is on its way, not all there ever was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.intake.store import deliveries, inbound
from tests.kitlib import make_database, on_sqlite


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    make_database(tmp_path, "intake").close()
    with closing(sqlite3.connect(tmp_path / "intake.db")) as opened:
        yield opened


@on_sqlite
@pytest.mark.parametrize("name", ["_ORPHANS", "_UNSENT", "_COUNTS"])
def test_deliveries_on_their_way_are_found_by_their_index(connection: sqlite3.Connection, name: str) -> None:
    statement = getattr(deliveries, name).sqlite.replace("$COLUMNS", "*")
    given = {"epoch": 1, "now_us": 1, "limit": 1}

    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)]

    assert plan[0] == "SCAN deliveries USING INDEX deliveries_lane"


@on_sqlite
def test_contacts_are_known_without_reading_all_events(connection: sqlite3.Connection) -> None:
    statement = inbound._KNOWN_CONTACTS.sqlite

    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", {"ids": "[]"})]

    assert not [step for step in plan if step.startswith("SCAN inbound")]
