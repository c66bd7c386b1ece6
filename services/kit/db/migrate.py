"""Runs a service's numbered migrations. No service needs an `env.py`: what differs is the folder and the database.

Migrations live in `services/<name>/migrations/versions/NNNN_<what>.py`, where `revision` is the number.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.kit.errors import Internal

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

_FILE = re.compile(r"(\d{4})_\w+\.py")  # 0001_first.py


def folder_of(service: str) -> Path:
    """Where the migrations of a service of this distribution live."""
    return Path(__file__).parents[2] / service / "migrations"


def head_of(folder: Path) -> str:
    """The newest revision in a folder. Raises `Internal` when there is none."""
    found = [match[1] for path in (folder / "versions").glob("*.py") if (match := _FILE.fullmatch(path.name))]
    if not found:
        raise Internal(f"{folder}/versions holds no migration; the first is 0001_first.py.")
    return max(found)


def migrate_sqlite(path: Path, folder: Path) -> None:
    """Brings one SQLite file to the newest revision; each migration is one transaction, so a kill leaves a whole one.

    Does nothing, and does not load Alembic (0.3 s), when the file is there already.
    """
    if revision_of(path) >= head_of(folder):  # a newer program was here: its schema serves this one too
        return
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def by_hand(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # else the driver begins no transaction for DDL
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.connect() as connection:
        upgrade(connection, folder)
    engine.dispose()


def revision_of(path: Path) -> str:
    """The revision an SQLite file is at; empty when it has none."""
    if not path.exists():
        return ""
    connection = sqlite3.connect(path)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return ""
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else ""
    finally:
        connection.close()


def upgrade(connection: Connection, folder: Path, *, to: str = "head") -> None:
    """Runs what is missing up to a revision on an open connection, each migration in a transaction."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, _context: MigrationContext) -> Any:
        return script._upgrade_revs(to, revision)  # noqa: SLF001 (as Alembic's own `command.upgrade` does)

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, transaction_per_migration=True, render_as_batch=True)
        with environment.begin_transaction():
            environment.run_migrations()
