"""PostgreSQL for tests: databases that are emptied and used again, and a log over their outbox tables.

Its role must be allowed to make databases. With `TEST_DATABASE=postgres` the
functions of `kitlib` give these instead of SQLite, so that every suite of use cases runs on PostgreSQL.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from services.kit.bus import Bounds, Part, Record
from services.kit.bus.local import GroupPlace, LocalLog
from services.kit.clock import Clock, ManualClock
from services.kit.db.migrate import folder_of
from services.kit.db.postgres import PostgresDatabase
from services.kit.db.postgres_pool import Limits
from services.kit.db.postgres_uow import PostgresUow
from services.kit.db.sql import Sql
from services.kit.errors import Unavailable
from services.kit.topics import PRODUCERS
from services.kit.wakes import Wakes
from tests.real import servers

_PASS = Sql("UPDATE leases SET expires_us = expires_us - :us")
_EMPTY = """
SELECT string_agg(format('DELETE FROM %I', tablename), ';') FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
_RESTART = "SELECT setval(schemaname || '.' || sequencename, 1, false) FROM pg_sequences WHERE last_value IS NOT NULL"


class _OnTheTestsClock(PostgresUow):
    """Where a test moves its clock by hand, the database's own must not be asked."""

    __slots__ = ()

    def now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


class Postgres(PostgresDatabase):
    """A database on the test's clock."""

    uow_type = _OnTheTestsClock


class Server:
    """Gives databases with a service's schema and takes them back. `mark` keeps those of this run apart."""

    def __init__(self, url: str, mark: str) -> None:
        self.url, self._mark = url, mark
        self._admin = psycopg.connect(url, autocommit=True)
        self._free: dict[tuple[str, bytes], list[str]] = {}
        self._used: dict[tuple[Path, str], tuple[tuple[str, bytes], str]] = {}
        self._made: list[str] = []
        self._opened: list[tuple[Path, LocalLog | Postgres]] = []

    def url_of(self, name: str) -> str:
        """The URL of one database of this server."""
        given = conninfo_to_dict(self.url) | {"dbname": name}
        return "postgresql://?" + "&".join(f"{key}={value}" for key, value in given.items())

    def find(self, folder: Path, service: str) -> str | None:
        """The URL of the database that stands for `folder/<service>.db`, if it was made."""
        found = self._used.get((folder, service))
        return self.url_of(found[1]) if found else None

    def database(self, folder: Path, service: str, migrations: Path | None) -> str:
        """The URL of the database that stands for `folder/<service>.db`; an empty one at first."""
        if (found := self.find(folder, service)) is not None:
            return found
        scripts = sorted((migrations or folder_of(service)).glob("versions/*.py"))
        schema = (service, hashlib.sha256(b"".join(path.read_bytes() for path in scripts)).digest())
        if free := self._free.setdefault(schema, []):
            name = free.pop()
        else:
            name = self.make(service)
            made = PostgresDatabase(self.url_of(name), service, migrations=migrations)
            made.migrate()
            made.close()
        self._used[folder, service] = (schema, name)
        return self.url_of(name)

    def make(self, what: str) -> str:
        """A new database without any table; its name."""
        name = f"{self._mark}_{what}_{len(self._made)}"
        self._admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        self._made.append(name)
        return name

    def close_with(self, folder: Path, opened: LocalLog | Postgres) -> None:
        """Closes it with its folder, also where a test leaves it open: a pool that is only forgotten fails another test."""
        self._opened.append((folder, opened))

    def take_back(self, folder: Path) -> None:
        """Empties the databases of a folder for the next test."""
        for _, one in [one for one in self._opened if one[0].is_relative_to(folder)]:
            one.close()
        self._opened = [one for one in self._opened if not one[0].is_relative_to(folder)]
        for place in [place for place in self._used if place[0].is_relative_to(folder)]:
            schema, name = self._used.pop(place)
            self._admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND state <> 'idle'", (name,)
            )
            with psycopg.connect(self.url_of(name), autocommit=True) as connection:
                row = connection.execute(_EMPTY).fetchone()
                connection.execute(row[0])
                connection.execute(_RESTART)
            self._free[schema].append(name)

    def close(self) -> None:
        """Drops all that was made."""
        for name in self._made:
            self._admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._admin.close()


@functools.cache
def the_server() -> Server:
    """The server of this run."""
    server = Server(servers.url("postgres"), f"test_{secrets.token_hex(3)}")
    atexit.register(server.close)
    return server


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Server]:
    """The server; import this where it is used. Databases of `tmp_path` are taken back at the end."""
    yield the_server()
    the_server().take_back(tmp_path)


def make_database(
    folder: Path,
    service: str,
    *,
    clock: Clock | None = None,
    log: Any = None,
    migrations: Path | None = None,
    **limits: Any,
) -> Postgres:
    """As `kitlib.make_database`; bounds that only SQLite has are passed over."""
    made = Postgres(
        the_server().database(folder, service, migrations),
        service,
        clock=clock or ManualClock(),
        migrations=migrations,
        notify=log.wakes.notify if log else None,
        limits=Limits(**{name: value for name, value in limits.items() if name in Limits.__slots__}),
    )
    the_server().close_with(folder, made)
    return made


def pass_time(database: Postgres, seconds: float) -> None:
    """Lets leases see the hour `seconds` later."""
    database.write(lambda uow: uow.execute(_PASS, {"us": int(seconds * 1_000_000)}))


class OutboxLog(LocalLog):
    """The log over the outbox tables of a folder's databases, read as SQLite's are: for tests, where one writes at a time."""

    def __init__(self, folder: Path) -> None:
        paths = {service: folder / f"{service}.db" for service in {*PRODUCERS.values(), "search", "desk"}}
        super().__init__(paths, wakes=Wakes())
        self._folder = folder
        the_server().close_with(folder, self)
        self._open_to: dict[str, ConnectionPool[Any]] = {}

    def _ask(self, service: str, text: str, values: tuple[Any, ...]) -> list[Any]:
        if service not in self._open_to:
            url = the_server().find(self._folder, service)
            if url is None:
                raise Unavailable(f"{service} has not run its migrations.")
            self._open_to[service] = ConnectionPool(
                url, min_size=1, max_size=4, kwargs={"autocommit": True}, open=True, num_workers=1
            )
        with self._open_to[service].connection() as connection:
            return connection.execute(text, values, binary=True).fetchall()

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        part, floor = Part(topic, partition), self.begin(topic)
        Bounds(floor, max(floor, offset)).check(part, offset)
        rows = self._ask(
            self._producer(topic),
            "SELECT id, key, kind, event_id, data FROM outbox WHERE topic = %s AND id >= %s ORDER BY id LIMIT %s",
            (topic, offset, limit),
        )
        if not rows:
            Bounds(floor, self.end(topic)).check(part, offset)
        return [Record(topic, partition, *row) for row in rows]

    def begin(self, topic: str) -> int:
        rows = self._ask(self._producer(topic), "SELECT floor FROM outbox_floor WHERE topic = %s", (topic,))
        return int(rows[0][0]) if rows else 0

    def end(self, topic: str) -> int:
        text = "SELECT coalesce(last_value, 0) + 1 FROM pg_sequences WHERE sequencename = 'outbox_id_seq'"
        return int(self._ask(self._producer(topic), text, ())[0][0])

    def since(self, topic: str, moment: datetime) -> int:
        text = "SELECT min(id) FROM outbox WHERE topic = %s AND created_us >= %s"
        first = self._ask(self._producer(topic), text, (topic, int(moment.timestamp() * 1_000_000)))[0][0]
        return self.end(topic) if first is None else int(first)

    def places(self, topic: str) -> list[GroupPlace]:
        text = "SELECT group_name, next_offset FROM positions WHERE topic = %s AND part = 0"
        known = [service for service in self._databases if the_server().find(self._folder, service)]
        return [GroupPlace(*row) for service in known for row in self._ask(service, text, (topic,))]

    def close(self) -> None:
        for pool in self._open_to.values():
            pool.close()
        self._open_to.clear()
