"""What functions given to `PostgresDatabase` get: a transaction under way, or a consistent view."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import Connection

from services.kit import log
from services.kit.clock import Clock
from services.kit.db import postgres_many as many
from services.kit.db.events import INSERT_OUTBOX, OutboxRow, outbox_rows
from services.kit.db.postgres_errors import translated
from services.kit.db.postgres_pool import READ_S
from services.kit.db.postgres_types import array
from services.kit.db.sql import Sql
from services.kit.errors import Internal, Unavailable
from services.kit.uow import Event, Params, Row

_REVS = "SELECT nextval('revisions') FROM generate_series(1, $1)"
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_COLUMNS = (
    "SELECT attname::text, atttypid::regtype::text FROM pg_attribute"
    " WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"
)
_SOON_S = 0.2  # a read that has lasted so long gets what is left of its time for each further statement


def bound(statement: Sql, names: Sequence[str], params: Params | None) -> list[object]:
    """Parameters in the order of the statement's numbers; lists become arrays."""
    if not names:
        return []
    if params is None:
        raise Internal(f"No values for {statement!r}.")
    lists = statement.lists
    return [array(params[name]) if name in lists else params[name] for name in names]  # type: ignore[arg-type]  # names in `lists` hold sequences


class Statements:
    """How each list statement of a database is run; the types of columns are asked for once."""

    def __init__(self) -> None:
        self._many: dict[Sql, many.ManyRows | None] = {}
        self._columns: dict[str, many.Columns] = {}

    def listed(self, statement: Sql, cursor: Any) -> many.ManyRows | None:
        """The statement for lists, or None when it goes row by row."""
        if statement not in self._many:
            self._many[statement] = many.of(statement, lambda table: self._columns_of(table, cursor))
        return self._many[statement]

    def _columns_of(self, table: str, cursor: Any) -> many.Columns:
        if table not in self._columns:
            self._columns[table] = dict(cursor.execute(_COLUMNS, (table,)).fetchall())
        return self._columns[table]


class PostgresUow:
    """A transaction under way. Errors of the driver pass through it; the database decides what they mean."""

    __slots__ = ("_clock", "_cursor", "_outbox", "_service", "_statements")

    def __init__(self, connection: Connection[Any], service: str, clock: Clock, statements: Statements) -> None:
        self._cursor = connection.cursor(binary=True)
        self._service, self._clock, self._statements = service, clock, statements
        self._outbox: list[OutboxRow] = []

    def rows(self, statement: Sql, params: Params | None = None) -> list[Row]:
        """All rows of a query."""
        text, names = statement.postgres
        found: list[Row] = self._cursor.execute(text, bound(statement, names, params)).fetchall()
        return found

    def row(self, statement: Sql, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        rows = self.rows(statement, params)
        return rows[0] if rows else None

    def execute(self, statement: Sql, params: Params | None = None) -> int:
        """Runs one statement; returns how many rows it touched."""
        text, names = statement.postgres
        return self._cursor.execute(text, bound(statement, names, params)).rowcount

    def execute_many(self, statement: Sql, rows: Iterable[Params | Row]) -> int:
        """Runs one statement for many rows; those of a plain INSERT may be tuples. Returns how many rows it touched."""
        listed: Sequence[Any] = rows if isinstance(rows, (list, tuple)) else list(rows)
        if not listed:
            return 0
        if (how := self._statements.listed(statement, self._cursor)) is not None:
            return sum(self._cursor.execute(how.text, values).rowcount for values in how.steps(listed))
        if isinstance(listed[0], tuple):
            raise Internal(f"Only a plain INSERT takes tuples: {statement!r}.")
        text, names = statement.postgres
        self._cursor.executemany(text, [bound(statement, names, row) for row in listed])
        return self._cursor.rowcount

    def lock(self, name: str) -> None:
        """Waits for whoever locked the same name; the lock ends with the transaction."""
        self._cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", (name,))

    def next_revs(self, count: int = 1) -> Sequence[int]:
        """Draws `count` revisions, ascending; others may draw between them."""
        return [row[0] for row in self._cursor.execute(_REVS, (count,)).fetchall()]

    def now_us(self) -> int:
        """The hour of the database's clock."""
        (row,) = self._cursor.execute(_NOW).fetchall()
        return int(row[0])

    def emit(self, *events: Event) -> None:
        """Queues events for the outbox."""
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        self._outbox += outbox_rows(events, self._service, now_us, log.trace_id())

    def flush(self) -> frozenset[str]:
        """Writes the events, so that their ids are drawn after all locks; returns the topics touched."""
        if not self._outbox:
            return frozenset()
        self.execute_many(INSERT_OUTBOX, self._outbox)
        return frozenset([row[0] for row in self._outbox])


class PostgresReader:
    """One read transaction."""

    __slots__ = ("_begun", "_cursor", "_service")

    def __init__(self, connection: Connection[Any], service: str) -> None:
        self._cursor = connection.cursor(binary=True)
        self._service, self._begun = service, time.monotonic()

    def rows(self, statement: Sql, params: Params | None = None) -> list[Row]:
        """All rows of a query. Raises `Unavailable` when the transaction has lasted over 2 s."""
        text, names = statement.postgres
        values = bound(statement, names, params)
        try:
            self._hold_to_time()
            found: list[Row] = self._cursor.execute(text, values).fetchall()
        except psycopg.Error as error:
            raise translated(error, self._service) from error
        return found

    def row(self, statement: Sql, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        rows = self.rows(statement, params)
        return rows[0] if rows else None

    def _hold_to_time(self) -> None:
        lasted_s = time.monotonic() - self._begun
        if lasted_s > READ_S:
            raise Unavailable(f"A read of the database {self._service} lasted over {READ_S:.0f} s.", retry_after_s=1.0)
        if lasted_s > _SOON_S:
            left_ms = max(1, round((READ_S - lasted_s) * 1000))
            self._cursor.execute(f"SET LOCAL statement_timeout = {left_ms}")
