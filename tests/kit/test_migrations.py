"""Migrations: repeatable, whole or not at all, and the schema they make is the one the code declares."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from services.kit.db.migrate import folder_of, head_of, migrate_sqlite
from services.kit.errors import Internal
from tests.kitlib import SERVICES, kit_migrations

WITH_MIGRATIONS = [name for name in SERVICES if (folder_of(name) / "versions").is_dir()]

SECOND = """
from alembic import op
import sqlalchemy as sa
revision = "0002"
down_revision = "0001"
def upgrade() -> None:
    op.add_column("things", sa.Column("colour", sa.Text))
    {more}
"""


def tables(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return names


def columns(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    names = [row[1] for row in connection.execute("PRAGMA table_info(things)")]
    connection.close()
    return names


def test_a_file_is_brought_to_the_newest_revision_step_by_step(tmp_path: Path) -> None:
    path, folder = tmp_path / "a.db", kit_migrations(tmp_path)
    migrate_sqlite(path, folder)
    migrate_sqlite(path, folder)
    assert {"outbox", "positions", "applied", "dead_letters", "leases", "sequence", "erasures"} <= tables(path)
    (folder / "versions" / "0002_colour.py").write_text(SECOND.format(more=""))

    migrate_sqlite(path, folder)

    assert "colour" in columns(path)
    assert head_of(folder) == "0002"


def test_a_migration_that_fails_leaves_the_file_as_it_was_and_can_be_run_again(tmp_path: Path) -> None:
    path, folder = tmp_path / "a.db", kit_migrations(tmp_path)
    migrate_sqlite(path, folder)
    second = folder / "versions" / "0002_colour.py"
    second.write_text(SECOND.format(more="op.execute('SELECT nonsense')"))

    with pytest.raises(OperationalError, match="nonsense"):
        migrate_sqlite(path, folder)
    assert "colour" not in columns(path)
    second.write_text(SECOND.format(more="op.execute('SELECT 1')"))
    importlib.invalidate_caches()
    Path(importlib.util.cache_from_source(str(second))).unlink(missing_ok=True)
    migrate_sqlite(path, folder)

    assert "colour" in columns(path)


def test_a_folder_without_migrations_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Internal, match="no migration"):
        migrate_sqlite(tmp_path / "a.db", tmp_path)


@pytest.mark.parametrize("service", WITH_MIGRATIONS)
def test_what_the_migrations_make_is_what_the_code_declares(service: str, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    metadata = importlib.import_module(f"services.{service}.store.tables").METADATA

    migrate_sqlite(path, folder_of(service))

    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert differences == []


@pytest.mark.parametrize("service", WITH_MIGRATIONS)
def test_a_revision_is_the_number_of_its_file(service: str) -> None:
    for path in (folder_of(service) / "versions").glob("*.py"):
        revision = re.search(r'^revision(?:: str)? = "(\w+)"', path.read_text(), re.MULTILINE)
        assert revision is not None, path
        assert path.name.startswith(f"{revision[1]}_"), path
