"""Read-only connections to one SQLite file: a bounded pool, one transaction a read, two seconds at most.

A reader held open keeps the write-ahead log from being reused, so it grows; hence the limit.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.kit import log
from services.kit.db.sql import Sql
from services.kit.db.sqlite_errors import translated
from services.kit.errors import Unavailable
from services.kit.uow import Params, Row

READ_S = 2.0
_OPS_BETWEEN_LOOKS = 20_000  # a look at the clock each 20,000 steps of the virtual machine: about 1 ms


def bound(statement: Sql, params: Params | None) -> Any:
    """Parameters as sqlite3 takes them: lists become JSON arrays."""
    if params is None:
        return ()
    if not statement.lists:
        return params
    return {name: json.dumps(list(value)) if name in statement.lists else value for name, value in params.items()}  # type: ignore[arg-type]  # names in `lists` hold sequences


class SqliteReader:
    """One read transaction."""

    __slots__ = ("_connection", "_service", "deadline")

    def __init__(self, connection: sqlite3.Connection, service: str) -> None:
        self._connection, self._service = connection, service
        self.deadline = float("inf")
        connection.set_progress_handler(self._late, _OPS_BETWEEN_LOOKS)

    def _late(self) -> bool:
        return time.monotonic() > self.deadline

    def rows(self, statement: Sql, params: Params | None = None) -> list[Row]:
        """All rows of a query. Raises `Unavailable` when the transaction has lasted over 2 s."""
        try:
            return self._connection.execute(statement.sqlite, bound(statement, params)).fetchall()
        except sqlite3.Error as error:
            raise translated(error, self._service) from error

    def row(self, statement: Sql, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        try:
            found: Row | None = self._connection.execute(statement.sqlite, bound(statement, params)).fetchone()
        except sqlite3.Error as error:
            raise translated(error, self._service) from error
        return found

    def begin(self, seconds: float) -> None:
        """Opens the transaction."""
        self.deadline = time.monotonic() + seconds
        try:
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            raise translated(error, self._service) from error

    def end(self) -> None:
        """Closes the transaction."""
        self.deadline = float("inf")
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class Readers:
    """At most `size` readers; a nested read on one thread is the same transaction."""

    def __init__(self, path: Path, service: str, *, size: int = 8) -> None:
        self._path, self._service = path, service
        self._free: list[SqliteReader] = []
        self._room = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._mine = threading.local()
        self._closed = False
        self._log = log.logger(service)

    def _open(self) -> SqliteReader:
        try:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                timeout=READ_S,
            )
            connection.execute("PRAGMA query_only=1")
            connection.execute("PRAGMA cache_size=-2000")
        except sqlite3.Error as error:
            raise translated(error, self._service) from error
        return SqliteReader(connection, self._service)

    @contextlib.contextmanager
    def read(self) -> Iterator[SqliteReader]:
        """A read transaction of at most 2 s. Raises `Unavailable` when none of the pool comes free in that time."""
        nested: SqliteReader | None = getattr(self._mine, "reader", None)
        if nested is not None:
            yield nested
            return
        if self._closed:
            raise Unavailable(f"The database {self._service} is closed.")
        if not self._room.acquire(timeout=READ_S):
            raise Unavailable(f"All readers of the database {self._service} are busy.", retry_after_s=1.0)
        try:
            with self._lock:
                reader = self._free.pop() if self._free else None
            reader = reader or self._open()
            begun = time.monotonic()
            try:
                reader.begin(READ_S)
                self._mine.reader = reader
                yield reader
            finally:
                self._mine.reader = None
                reader.end()
                self._give_back(reader)
            if (held := time.monotonic() - begun) > READ_S:
                self._log.warning("read.too_long", duration_ms=round(held * 1000))
        finally:
            self._room.release()

    def _give_back(self, reader: SqliteReader) -> None:
        with self._lock:
            if not self._closed:
                self._free.append(reader)
                return
        reader.close()

    def close(self) -> None:
        """Closes what is free now and the rest as it comes back."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for reader in free:
            reader.close()
