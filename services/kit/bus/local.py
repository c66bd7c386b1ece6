"""The embedded log: the producers' outbox tables, read in place. An offset is the row's id; there is one partition, 0.

Nothing is copied and nothing is written here: `Uow.emit` appends, `local_prune` removes. Who waits is woken by the
writer's commit, so one process must hold all producers of a data folder.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from services.kit.backends import SERVICES
from services.kit.bus import Bounds, Duties, Part, Positions, Record
from services.kit.db.sqlite import SqliteDatabase
from services.kit.db.sqlite_errors import translated
from services.kit.errors import Internal, Invalid, Unavailable
from services.kit.topics import PRODUCERS
from services.kit.wakes import Wakes

if TYPE_CHECKING:
    from services.kit.app import Worker
    from services.kit.uow import Database, Uow

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


class LocalReading:
    """Reads all parts of some topics, and waits for commits between."""

    def __init__(
        self, log: LocalLog, topics: Sequence[str], positions: Positions, *, skips_pruned: bool = False
    ) -> None:
        self._log, self._topics, self._positions, self._skips_pruned = log, tuple(topics), positions, skips_pruned
        self._next = dict(positions([Part(topic, 0) for topic in topics]))
        self._rewound: set[Part] = set()
        self._seen = 0

    def poll(self, limit: int, timeout_s: float) -> dict[Part, list[Record]]:
        """Up to `limit` records of each part."""
        if self._rewound:
            self._next.update(self._positions(self._rewound))
            self._rewound.clear()
        if (found := self._read(limit)) or timeout_s <= 0:
            return found
        self._seen = self._log.wakes.wait(self._topics, self._seen, timeout_s)
        return self._read(limit)

    def _read(self, limit: int) -> dict[Part, list[Record]]:
        found = {}
        for part, position in self._next.items():
            start = max(position, self._log.begin(part.topic)) if self._skips_pruned else position
            if records := self._log.read(part.topic, part.partition, start, limit):
                self._next[part] = records[-1].offset + 1
                found[part] = records
        return found

    def rewind(self, parts: Collection[Part]) -> None:
        """Asks for these positions before the next poll."""
        self._rewound.update(parts)

    def close(self) -> None:
        """There is nothing to give up."""


class LocalLog:
    """Reads every topic from its producer's file.

    `databases` maps service to file, consumers' files included: their positions say how far the log may be pruned.
    """

    relayed = False

    def __init__(
        self, databases: Mapping[str, Path], *, wakes: Wakes, producers: Mapping[str, str] = PRODUCERS
    ) -> None:
        self._databases = dict(databases)
        self._producers = {topic: service for topic, service in producers.items() if service in databases}
        self._free: dict[str, list[sqlite3.Connection]] = {service: [] for service in databases}
        self._lock = threading.Lock()
        self.wakes = wakes

    @classmethod
    def open(cls, url: str, *, databases: Mapping[str, Database], wakes: Wakes) -> Self:
        """The log over the outboxes of all services. Raises `Invalid` unless all are SQLite files of this process."""
        paths = {name: database.path for name, database in databases.items() if isinstance(database, SqliteDatabase)}
        if missing := [name for name in SERVICES if name not in paths]:
            raise Invalid(
                f"ASCOLTO_BUS={url} reads the SQLite files of all services in one process; not here: {', '.join(missing)}."
                " Name all services or none, or set ASCOLTO_BUS=kafka://… and ASCOLTO_DATABASE=postgresql://….",
                field="ASCOLTO_BUS",
            )
        return cls(paths, wakes=wakes)

    def reach(self) -> None:
        """There is no server: always reached."""

    def bounds(self, topic: str) -> dict[Part, Bounds]:
        """Those of the one part."""
        return {Part(topic, 0): Bounds(self.begin(topic), self.end(topic))}

    def join(self, group: str, topics: Sequence[str], positions: Positions) -> LocalReading:  # noqa: ARG002 (it has one member)
        """The group's one member, which holds all parts."""
        return LocalReading(self, topics, positions)

    def follow(self, topics: Sequence[str], moment: datetime) -> LocalReading:
        """All parts from `moment` on; who slept past the pruning goes on with what there is."""
        return LocalReading(
            self, topics, lambda parts: {part: self.since(part.topic, moment) for part in parts}, skips_pruned=True
        )

    def copy_parked(self, uow: Uow, records: Sequence[Record]) -> None:
        """Nothing: the row in the consumer's database is in everybody's reach."""

    def migrate(self, retention: timedelta) -> list[str]:  # noqa: ARG002 (pruning keeps it)
        """Nothing: the databases' own migrations make the outboxes."""
        return []

    def faults(self) -> list[str]:
        """None that the databases' own checks would not tell."""
        return []

    def workers(self, duties: Duties) -> list[Worker]:
        """The one that prunes outboxes."""
        from services.kit.bus.local_prune import OutboxPruner

        return [OutboxPruner(self, duties)]

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on, by id. Raises `Internal` beyond the end or below the floor."""
        with self._connection(self._producer(topic)) as connection:
            floor = self._floor(connection, topic)
            if offset < floor:
                Bounds(floor, offset).check(Part(topic, partition), offset)
            if limit > 1:
                count, size = connection.execute(_WEIGHT, (topic, offset, limit)).fetchone()
                if size and size > _BATCH_BYTES:
                    limit = max(1, count * _BATCH_BYTES // size)
            heads, data = connection.execute(_READ, (topic, offset, limit)).fetchone()
            if data is None:
                Bounds(floor, self._end(connection)).check(Part(topic, partition), offset)
        return _records(topic, partition, json.loads(heads), data or b"")

    def first(self, places: Mapping[Part, int]) -> dict[Part, Record]:
        """The first record of each part at or behind a place, where there is one."""
        return {part: record for part, offset in places.items() for record in self.read(*part, offset, 1)}

    def begin(self, topic: str) -> int:
        """The offset below which everything is pruned."""
        with self._connection(self._producer(topic)) as connection:
            return self._floor(connection, topic)

    def end(self, topic: str) -> int:
        """The offset the next record will have, at least."""
        with self._connection(self._producer(topic)) as connection:
            return self._end(connection)

    def since(self, topic: str, moment: datetime) -> int:
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

    def ping(self) -> None:
        """Raises `Unavailable` when an outbox cannot be read."""
        for topic in self._producers:
            self.end(topic)

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
