"""Copies of PostgreSQL databases by COPY alone, while they are written to; and their way back into empty ones.

Each database is of one moment of its own. What they do not agree about is settled after a restore: the log is read
from its begin, the inboxes know what was applied. So positions stay behind, and leases, which name processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import IsolationLevel, sql

from services.kit.backends import COPIES, SERVICES
from services.kit.db.carry import BOUND
from services.kit.db.migrate import folder_of, head_of
from services.kit.db.postgres_errors import translated
from services.kit.db.postgres_migrate import migrate_postgres, revision_of
from services.kit.db.postgres_pool import conninfo
from services.kit.db.snapshot import EPOCH
from services.kit.errors import Conflict, Invalid

if TYPE_CHECKING:
    from services.kit.config import Settings

_LEFT_OUT = (BOUND | {"moved"}) - {"outbox"}  # what is in the outbox was published to nobody
_NOTE = "tables.json"
_REVISIONS = "revisions"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_COLUMNS = (
    "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
    " ORDER BY attnum"
)
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"


class PostgresSnapshots:
    """See `kit.db.snapshot.Snapshots`."""

    kind = "postgresql"

    @staticmethod
    def copy_all(databases: Mapping[str, Any], folder: Path, *, progress: Callable[[str], None]) -> None:
        """Writes a folder for each database: a file for each table, and what they are."""
        for name, database in databases.items():
            progress(name)
            try:
                with psycopg.connect(database.info, autocommit=True) as connection:
                    _dump(connection, folder / name)
            except psycopg.Error as error:
                raise translated(error, name) from error

    @staticmethod
    def check_empty(settings: Settings) -> None:
        """Raises `Conflict` when any database holds a row."""
        for name in SERVICES:
            info = conninfo(settings.database_of(name), name)
            try:
                if revision_of(info):
                    with psycopg.connect(info, autocommit=True) as connection:
                        _refuse_rows(connection, name)
            except psycopg.Error as error:
                raise translated(error, name) from error

    @staticmethod
    def restore(settings: Settings, draft: Path) -> None:
        """Fills the databases, each whole or not at all. Raises `Invalid` for a backup of a newer version."""
        for name in SERVICES:
            if name in COPIES:
                continue
            note = json.loads((draft / name / _NOTE).read_text())
            if note["revision"] > (head := head_of(folder_of(name))):
                raise Invalid(
                    f"The backup's schema of {name} is {note['revision']}, this version's {head}: upgrade first."
                )
            info = conninfo(settings.database_of(name), name)
            try:
                migrate_postgres(info, folder_of(name), to=note["revision"])  # its rows then go the way all rows went
                with psycopg.connect(info, autocommit=True) as connection, connection.transaction():
                    _refuse_rows(connection, name)
                    for table, columns in note["tables"].items():
                        _fill(connection, table, columns, draft / name / f"{table}.copy")
                    _set_sequences(connection, note["sequences"])
            except psycopg.Error as error:
                raise translated(error, name) from error


def _dump(connection: psycopg.Connection[Any], folder: Path) -> None:
    folder.mkdir()
    connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
    tables: dict[str, list[str]] = {}
    with connection.transaction():
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
        for (table,) in connection.execute(_TABLES).fetchall():
            if table in _LEFT_OUT:
                continue
            tables[table] = [str(row[0]) for row in connection.execute(_COLUMNS, (table,))]
            copying = _copy("COPY {} ({columns}) TO STDOUT (FORMAT BINARY)", table, tables[table])
            with (folder / f"{table}.copy").open("wb") as file, connection.cursor().copy(copying) as copy:
                for data in copy:
                    file.write(data)
    sequences = dict(connection.execute(_SEQUENCES).fetchall())  # later than the rows: never below one of them
    (folder / _NOTE).write_text(json.dumps({"revision": revision, "tables": tables, "sequences": sequences}))


def _refuse_rows(connection: psycopg.Connection[Any], service: str) -> None:
    for (table,) in connection.execute(_TABLES).fetchall():
        if table != "alembic_version":
            found = connection.execute(_copy("SELECT 1 FROM {} LIMIT 1", table, ())).fetchone()
            if found is not None:
                raise Conflict(f"The database of {service} is not empty ({table}). Restore into new ones.")


def _fill(connection: psycopg.Connection[Any], table: str, columns: list[str], path: Path) -> None:
    copying = _copy("COPY {} ({columns}) FROM STDIN (FORMAT BINARY)", table, columns)
    with path.open("rb") as file, connection.cursor().copy(copying) as copy:
        while data := file.read(1 << 20):
            copy.write(data)


def _set_sequences(connection: psycopg.Connection[Any], sequences: Mapping[str, int]) -> None:
    """Ids go on above those of the backup; revisions above all that can have been drawn since."""
    for name, last in ({_REVISIONS: 1} | dict(sequences)).items():
        above = (last // EPOCH + 1) * EPOCH if name == _REVISIONS else last
        connection.execute("SELECT setval(%s::regclass, %s)", (name, above))


def _copy(text: str, table: str, columns: list[str] | tuple[str, ...]) -> sql.Composed:
    listed = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    return sql.SQL(text).format(sql.Identifier(table), columns=listed)
