"""The embedded log: the producers' outbox tables, read in place. An offset is the row's id; there is one partition, 0.

Nothing is copied and nothing is written here: `Uow.emit` appends, `kit.prune` removes. Who waits is woken by the
writer's commit, so one process must hold all producers of a data folder.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.kit.backends import SERVICES
from services.kit.bus import Record
from services.kit.db.sqlite import SqliteDatabase
from services.kit.db.sqlite_errors import translated
from services.kit.errors import Internal, Invalid, Unavailable
from services.kit.topics import PRODUCERS

if TYPE_CHECKING:
    from services.kit.config import Settings
    from services.kit.uow import Database

# One row for the whole batch: at each row the driver gives the interpreter's lock away and must wait for it again,
# which beside one busy thread costs 0.2 ms a record (measured with `executemany`, see `kit.db.sqlite_many`).
_READ = """
SELECT json_group_array(json_array(id, key, kind, event_id, length(data))), CAST(group_concat(data, '') AS BLOB)
FROM (SELECT id, key, kind, event_id, data FROM outbox WHERE topic = ? AND id >= ? ORDER BY id LIMIT ?)
"""
_WEIGHT = """
SELECT count(*), sum(length(data)) FROM (SELECT data FROM outbox WHERE topic = ? AND id >= ? ORDER BY id LIMIT ?)
"""
_BATCH_BYTES = 8 * 1024 * 1024  # about what a batch may weigh, whatever its number of records
_FLOOR = "SELECT floor FROM outbox_floor WHERE topic = ?"
_END = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"
_AT = "SELECT id, created_us FROM outbox WHERE topic = ? AND id >= ? ORDER BY id LIMIT 1"


_PLACES = "SELECT group_name, next_offset FROM positions WHERE topic = ? AND part = 0"


@dataclass(frozen=True, slots=True)
class GroupPlace:
    """Where a group is that has registered itself in its own database."""

    group: str
    next_offset: int


@dataclass(eq=False, slots=True)
class _Waiter:
    topics: frozenset[str]
    woken: threading.Event = field(default_factory=threading.Event)


class LocalLog:
    """Reads every topic from its producer's file.

    `databases` maps service to file, consumers' files included: their positions say how far the log may be pruned.
    """

    def __init__(self, databases: Mapping[str, Path], *, producers: Mapping[str, str] = PRODUCERS) -> None:
        self._databases = dict(databases)
        self._producers = {topic: service for topic, service in producers.items() if service in databases}
        self._free: dict[str, list[sqlite3.Connection]] = {service: [] for service in databases}
        self._lock = threading.Lock()
        self._ticket = 1
        self._last: dict[str, int] = {}  # the ticket of each topic's last commit
        self._waiters: set[_Waiter] = set()

    @classmethod
    def open(cls, _settings: Settings, databases: Mapping[str, Database]) -> LocalLog:
        """The log over the files of all services. Raises `Invalid` when a database is no file, or some service's is not here."""
        paths = {name: one.path for name, one in databases.items() if isinstance(one, SqliteDatabase)}
        if missing := [name for name in SERVICES if name not in paths]:
            raise Invalid(
                f"ASCOLTO_BUS=local: reads the SQLite files of all services in one process; not here: {', '.join(missing)}."
                " Name all services or none, or set ASCOLTO_BUS=kafka://… and ASCOLTO_DATABASE=postgresql://….",
                field="ASCOLTO_BUS",
            )
        return cls(paths)

    def prepare(self) -> None:
        """The outbox tables are made by the migrations."""

    def reach(self) -> None:
        """There is no server: always reached."""

    def partitions(self, topic: str) -> Sequence[int]:
        """One, 0."""
        self._producer(topic)
        return (0,)

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on, by id. Raises `Internal` beyond the end or below the floor."""
        with self._connection(self._producer(topic)) as connection:
            floor = self._floor(connection, topic)
            if offset < floor:
                raise Internal(
                    f"Records {offset} to {floor - 1} of {topic} are pruned and were never read by this group."
                )
            if limit > 1:
                count, size = connection.execute(_WEIGHT, (topic, offset, limit)).fetchone()
                if size and size > _BATCH_BYTES:
                    limit = max(1, count * _BATCH_BYTES // size)
            heads, data = connection.execute(_READ, (topic, offset, limit)).fetchone()
            if data is None and offset > (end := self._end(connection)):
                raise Internal(f"Position {offset} of {topic} lies beyond the log's end {end}: is this another log?")
        return _records(topic, partition, json.loads(heads), data or b"")

    def begin(self, topic: str, partition: int) -> int:  # noqa: ARG002 (there is one)
        """The offset below which everything is pruned."""
        with self._connection(self._producer(topic)) as connection:
            return self._floor(connection, topic)

    def end(self, topic: str, partition: int) -> int:  # noqa: ARG002 (there is one)
        """The offset the next record will have, at least."""
        with self._connection(self._producer(topic)) as connection:
            return self._end(connection)

    def since(self, topic: str, partition: int, moment: datetime) -> int:  # noqa: ARG002 (there is one)
        """The offset of the first record written at `moment` or later; found by halving, as ids grow with time."""
        moment_us = int(moment.timestamp() * 1_000_000)
        with self._connection(self._producer(topic)) as connection:
            low, high = self._floor(connection, topic), self._end(connection)
            while low < high:
                middle = (low + high) // 2
                row = connection.execute(_AT, (topic, middle)).fetchone()
                if row is None or row[1] >= moment_us:
                    high = middle
                else:
                    low = row[0] + 1
        return low

    def places(self, topic: str) -> list[GroupPlace]:
        """Where each registered group of the topic is, over all databases that exist."""
        found = []
        for service, path in self._databases.items():
            if path.exists():
                with self._connection(service) as connection:
                    found += [GroupPlace(*row) for row in connection.execute(_PLACES, (topic,)).fetchall()]
        return found

    def notify(self, topics: frozenset[str]) -> None:
        """Wakes who waits for one of `topics`; the databases call it after each commit."""
        with self._lock:
            self._ticket += 1
            for topic in topics:
                self._last[topic] = self._ticket
            for waiter in self._waiters:
                if not waiter.topics.isdisjoint(topics):
                    waiter.woken.set()

    def wait(self, topics: Sequence[str], seen: int, timeout_s: float) -> int:
        """Blocks until something was committed to one of `topics` after the ticket `seen`; returns the new ticket."""
        waiter = _Waiter(frozenset(topics))
        with self._lock:
            if any(self._last.get(topic, 0) > seen for topic in topics):
                return self._ticket
            self._waiters.add(waiter)
        try:
            woken = waiter.woken.wait(timeout_s)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
                ticket = self._ticket
        return ticket if woken else max(seen, 0)

    def ping(self) -> None:
        """Raises `Unavailable` when an outbox cannot be read."""
        for topic in self._producers:
            self.end(topic, 0)

    def close(self) -> None:
        """Closes the connections that nobody uses."""
        with self._lock:
            free = [connection for connections in self._free.values() for connection in connections]
            for connections in self._free.values():
                connections.clear()
        for connection in free:
            connection.close()

    def _producer(self, topic: str) -> str:
        service = self._producers.get(topic, "")
        if not service:
            raise Internal(f"No database of this log produces {topic}.")
        return service

    @contextlib.contextmanager
    def _connection(self, service: str) -> Iterator[sqlite3.Connection]:
        """A connection of its own for as long as it is used, inside one read transaction."""
        with self._lock:
            free = self._free[service]
            connection = free.pop() if free else None
        try:
            connection = connection or self._open(service)
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error as error:
            raise translated(error, service) from error
        finally:
            if connection is not None:
                self._give_back(service, connection)

    def _give_back(self, service: str, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:  # a connection that cannot even end a read is of no more use; the next is opened anew
            connection.close()
            return
        with self._lock:
            self._free[service].append(connection)

    def _open(self, service: str) -> sqlite3.Connection:
        path = self._databases[service]
        if not path.exists():
            raise Unavailable(f"{path} does not exist yet: {service} has not run its migrations.")
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=2.0
        )
        connection.execute("PRAGMA query_only=1")
        connection.execute("PRAGMA cache_size=-1000")
        return connection

    @staticmethod
    def _floor(connection: sqlite3.Connection, topic: str) -> int:
        row = connection.execute(_FLOOR, (topic,)).fetchone()
        return int(row[0]) if row else 0

    @staticmethod
    def _end(connection: sqlite3.Connection) -> int:
        row = connection.execute(_END).fetchone()
        return int(row[0]) + 1 if row else 1


def _records(topic: str, partition: int, heads: list[list[Any]], data: bytes) -> list[Record]:
    """Cuts the joined envelopes apart again: `heads` are id, key, kind, event id and length, in the order of `data`."""
    records, start = [], 0
    for offset, key, kind, event_id, length in heads:
        records.append(Record(topic, partition, offset, key, kind, event_id, data[start : start + length]))
        start += length
    return sorted(records, key=attrgetter("offset"))  # SQLite keeps the inner order but does not promise to
