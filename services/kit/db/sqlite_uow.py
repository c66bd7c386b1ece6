"""What a function given to `SqliteDatabase.write` gets, and the job that carries it to the writer thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any

from services.kit import log
from services.kit.clock import Clock
from services.kit.db.events import INSERT_OUTBOX, OutboxRow, outbox_rows
from services.kit.db.sql import Sql
from services.kit.db.sqlite_many import ManyRows
from services.kit.db.sqlite_readers import bound
from services.kit.errors import Internal
from services.kit.uow import Event, Lane, Params, Row, Uow

_READ_SEQUENCE = "SELECT value FROM sequence WHERE name = 'rev'"
_WRITE_SEQUENCE = (
    "INSERT INTO sequence (name, value) VALUES ('rev', ?)"
    " ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"
)


class Job:
    """One function on its way to the writer, and the future of its result."""

    __slots__ = ("_trace_id", "alone", "born", "function", "future", "lane")

    def __init__(self, function: Callable[[Uow], Any], lane: Lane, born: float) -> None:
        self.function, self.lane, self.born = function, lane, born
        self.future: Future[Any] = Future()
        self._trace_id = log.trace_id()  # of who asked: the function runs on another thread
        self.alone = False  # its group was lost by another's fault: it runs by itself

    def run(self, uow: SqliteUow) -> Any:
        """Runs it; its events are of the trace of who asked."""
        uow.trace_id = self._trace_id
        return self.function(uow)

    @property
    def name(self) -> str:
        """The function's name, for logs and budgets."""
        function = self.function
        return str(getattr(function, "title", "") or getattr(function, "__qualname__", type(function).__qualname__))

    @property
    def rows(self) -> int:
        """How many items the function says it handles: its budget grows with them."""
        return max(1, int(getattr(self.function, "rows", 1)))


class SqliteUow:
    """A transaction under way on the writer's connection. Events and the sequence are written once a group."""

    __slots__ = ("_clock", "_connection", "_drawn", "_last", "_many", "_pending", "_service", "outbox", "trace_id")

    def __init__(self, connection: sqlite3.Connection, service: str, clock: Clock) -> None:
        self._connection, self._service, self._clock = connection, service, clock
        self._many: dict[Sql, ManyRows | None] = {}
        self.trace_id = ""
        self._last = -1  # last revision drawn; only ever grows, so a rollback leaves a gap and no repeat
        self._drawn = False
        self._pending: list[OutboxRow] = []  # of the function under way
        self.outbox: list[OutboxRow] = []  # of the functions of this group that succeeded

    def rows(self, statement: Sql, params: Params | None = None) -> list[Row]:
        """All rows of a query."""
        return self._connection.execute(statement.sqlite, bound(statement, params)).fetchall()

    def row(self, statement: Sql, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        rows = self._connection.execute(statement.sqlite, bound(statement, params)).fetchall()
        return rows[0] if rows else None

    def execute(self, statement: Sql, params: Params | None = None) -> int:
        """Runs one statement; returns how many rows it touched."""
        return self._connection.execute(statement.sqlite, bound(statement, params)).rowcount

    def execute_many(self, statement: Sql, rows: Iterable[Params | Row]) -> int:
        """Runs one statement for many rows; those of a plain INSERT may be tuples. Returns how many rows it touched."""
        return self._insert(statement, rows if isinstance(rows, (list, tuple)) else list(rows))

    def _insert(self, statement: Sql, rows: Sequence[Any]) -> int:
        if statement not in self._many:
            self._many[statement] = ManyRows.of(statement)
        if (many := self._many[statement]) is not None:
            return many.run(self._connection, rows)
        if rows and isinstance(rows[0], tuple):
            raise Internal(f"Only a plain INSERT takes tuples: {statement!r}.")
        listed = [bound(statement, row) for row in rows] if statement.lists else rows
        return max(0, self._connection.executemany(statement.sqlite, listed).rowcount)

    def lock(self, name: str) -> None:
        """There is one writer: nobody else is in a transaction."""

    def next_revs(self, count: int = 1) -> range:
        """Draws `count` consecutive revisions."""
        if self._last < 0:
            row = self._connection.execute(_READ_SEQUENCE).fetchone()
            self._last = int(row[0]) if row else 0
        first = self._last + 1
        self._last += count
        self._drawn = True
        return range(first, first + count)

    def now_us(self) -> int:
        """The hour: of the process, as there is one."""
        return int(self._clock.now().timestamp() * 1_000_000)

    def emit(self, *events: Event) -> None:
        """Queues events for the outbox."""
        self._pending += outbox_rows(events, self._service, self.now_us(), self.trace_id)

    def keep(self) -> None:
        """The function succeeded: its events go with the group."""
        if self._pending:
            self.outbox.extend(self._pending)
            self._pending.clear()

    def drop(self) -> None:
        """The function failed: so do its events."""
        self._pending.clear()

    def flush(self) -> frozenset[str]:
        """Writes the group's events and the sequence; returns the topics touched. Last thing before the commit."""
        if self._drawn:
            self._connection.execute(_WRITE_SEQUENCE, (self._last,))
            self._drawn = False
        if not self.outbox:
            return frozenset()
        rows = self.outbox
        self._insert(INSERT_OUTBOX, rows)
        topics = frozenset([row[0] for row in rows])
        self.outbox = []
        return topics

    def forget(self) -> None:
        """The group is gone: nothing of it is left. Revisions drawn stay drawn."""
        self._pending.clear()
        self.outbox = []
        self._drawn = self._last >= 0
