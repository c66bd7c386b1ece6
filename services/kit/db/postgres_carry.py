"""Fills the tables of a PostgreSQL database from another one, page by page; a kill at any point loses and doubles nothing.

Each page is one transaction with the row of `moved` that says how far its table has come.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import psycopg
from psycopg import sql

from services.kit.db.carry import BOUND, Shape, key_text, key_values, plain
from services.kit.db.postgres_errors import translated
from services.kit.db.postgres_pool import conninfo
from services.kit.db.postgres_types import adapt
from services.kit.uow import Row, Value

_PROGRESS = "moved"
_MAKE = "CREATE TABLE IF NOT EXISTS moved (name text PRIMARY KEY, last text NOT NULL, rows bigint NOT NULL)"
_ASK = "SELECT last, rows FROM moved WHERE name = %s"
_NOTE = (
    "INSERT INTO moved (name, last, rows) VALUES (%s, %s, %s)"
    " ON CONFLICT (name) DO UPDATE SET last = excluded.last, rows = moved.rows + excluded.rows"
)
_FORGET = "DELETE FROM moved WHERE name = %s"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_TYPES = (
    "SELECT attname::text, atttypid::regtype::text FROM pg_attribute"
    " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
)
_SERIALS = """
SELECT c.relname, format('%%I.%%I', n.nspname, s.relname)
FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i')
JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE s.relkind = 'S' AND c.relname = ANY(%s)
"""
_FETCH = 2000  # rows a round trip


class PostgresTables:
    """One database that is being filled. Not for several threads."""

    def __init__(self, url: str, service: str) -> None:
        self._service = service
        with self._told():
            self._connection = psycopg.connect(conninfo(url, service), autocommit=True)
            adapt(self._connection)
            self._connection.execute(_MAKE)

    # --- what is there ---

    def used(self) -> bool:
        """Whether a service has run on it: who reads the log has a position, who works holds leases."""
        return any(self._any(name) for name in ("positions", "leases", "outbox"))

    def strays(self) -> list[str]:
        """Tables that hold rows which no move brought."""
        with self._told():
            names = [str(row[0]) for row in self._connection.execute(_TABLES)]
        return [
            name for name in names if name not in BOUND | {_PROGRESS} and not self.come(name)[0] and self._any(name)
        ]

    def _any(self, table: str) -> bool:
        with self._told():
            return self._connection.execute(_of("SELECT 1 FROM {} LIMIT 1", table)).fetchone() is not None

    def come(self, table: str) -> tuple[list[Value], int]:
        """How far a table has come: the last key, nothing for none, and how many rows."""
        with self._told():
            row = self._connection.execute(_ASK, (table,)).fetchone()
        return (key_values(row[0]), int(row[1])) if row else ([], 0)

    def rows(self, shape: Shape) -> Iterator[Row]:
        """All rows, in no order; a few are in memory."""
        with (
            self._told(),
            self._connection.transaction(),
            self._connection.cursor("carried", binary=True) as cursor,
        ):
            cursor.itersize = _FETCH
            yield from cursor.execute(_of("SELECT {columns} FROM {}", shape.name, shape.columns))

    # --- filling ---

    def fill(self, shape: Shape, page: Sequence[Row]) -> None:
        """Appends rows, and notes how far the table has come, in one transaction."""
        with self._told(), self._connection.transaction(), self._connection.cursor() as cursor:
            types: Mapping[str, str] = dict(cursor.execute(_TYPES, (shape.name,)).fetchall())
            copying = _of("COPY {} ({columns}) FROM STDIN (FORMAT BINARY)", shape.name, shape.columns)
            with cursor.copy(copying) as copy:
                copy.set_types([types[name] for name in shape.columns])
                for row in page:
                    copy.write_row(plain(row))
            cursor.execute(_NOTE, (shape.name, key_text(shape.key_of(page[-1])), len(page)))

    def empty(self, shape: Shape) -> None:
        """Takes everything out of a table again, to carry it anew."""
        with self._told(), self._connection.transaction():
            self._connection.execute(_of("DELETE FROM {}", shape.name))
            self._connection.execute(_FORGET, (shape.name,))

    def set_counters(self, counters: Mapping[str, int], last_rev: int) -> None:
        """What is drawn from now on lies above all that was drawn there."""
        with self._told():
            for table, sequence in self._connection.execute(_SERIALS, (list(counters),)).fetchall():
                self._connection.execute("SELECT setval(%s::regclass, %s)", (sequence, max(1, counters[table])))
            self._connection.execute("SELECT setval('revisions', %s)", (max(1, last_rev),))

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise translated(error, self._service) from error


def _of(text: str, table: str, columns: Sequence[str] = ()) -> sql.Composed:
    listed: Any = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    return sql.SQL(text).format(sql.Identifier(table), columns=listed)
