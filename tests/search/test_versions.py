"""The side table of versions is asked by its keys alone, however many documents there are."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.kit.db.sql import Sql
from services.search.store import versions
from tests.kitlib import on_sqlite


@on_sqlite
@pytest.mark.parametrize("statement", [versions._KNOWN, versions._OF_TICKETS])
def test_no_question_reads_the_whole_table(search_template: Path, statement: Sql) -> None:
    connection = sqlite3.connect(search_template)

    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sqlite}", _nothing(statement))]
    connection.close()

    assert any(step.startswith("SEARCH documents") for step in plan), plan
    assert not any(step.startswith("SCAN documents") for step in plan), plan


def _nothing(statement: Sql) -> dict[str, str]:
    return dict.fromkeys(statement.lists, "[]")
