"""PostgreSQL for tests: a database of its own for each test, copied from one that was migrated once.

Its role must be allowed to make databases.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from services.kit.clock import Clock, ManualClock
from services.kit.db.migrate import folder_of
from services.kit.db.postgres import PostgresDatabase
from services.kit.db.postgres_pool import Limits
from services.kit.db.postgres_uow import PostgresUow
from services.kit.db.sql import Sql

_PASS = Sql("UPDATE leases SET expires_us = expires_us - :us")


class _OnTheTestsClock(PostgresUow):
    """Where a test moves its clock by hand, the database's own must not be asked."""

    __slots__ = ()

    def now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


class Postgres(PostgresDatabase):
    """A database on the test's clock."""

    uow_type = _OnTheTestsClock


class Server:
    """Makes and drops databases. `mark` keeps those of this run apart."""

    def __init__(self, url: str, mark: str) -> None:
        self.url, self._mark = url, mark
        self._admin = psycopg.connect(url, autocommit=True)
        self._templates: dict[tuple[str, bytes], str] = {}
        self._made: list[str] = []
        self._count = 0

    def url_of(self, name: str) -> str:
        """The URL of one database of this server."""
        given = conninfo_to_dict(self.url) | {"dbname": name}
        return "postgresql://?" + "&".join(f"{key}={value}" for key, value in given.items())

    def fresh(self, service: str, migrations: Path | None = None) -> str:
        """The URL of a new database with the service's schema."""
        template = self._template(service, migrations)
        self._count += 1
        return self.url_of(self._make(f"{self._mark}_{service}_{self._count}", template))

    def _template(self, service: str, migrations: Path | None) -> str:
        folder = migrations or folder_of(service)
        digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(folder.glob("versions/*.py")))).digest()
        if (name := self._templates.get((service, digest))) is None:
            name = self._make(f"{self._mark}_{service}_t{len(self._templates)}", "template0")
            database = PostgresDatabase(self.url_of(name), service, migrations=migrations)
            database.migrate()
            database.close()
            self._templates[service, digest] = name
        return name

    def _make(self, name: str, template: str) -> str:
        self._admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        self._made.append(name)
        return name

    def drop(self, url: str) -> None:
        """Drops one database."""
        name = str(conninfo_to_dict(url)["dbname"])
        self._admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.remove(name)

    def close(self) -> None:
        """Drops what is left."""
        for name in list(self._made):
            self.drop(self.url_of(name))
        self._admin.close()


def make_database(
    server: Server,
    service: str,
    *,
    clock: Clock | None = None,
    log: Any = None,
    migrations: Path | None = None,
    **limits: Any,
) -> Postgres:
    """As `kitlib.make_database`."""
    return Postgres(
        server.fresh(service, migrations),
        service,
        clock=clock or ManualClock(),
        migrations=migrations,
        notify=log.notify if log else None,
        limits=Limits(**limits),
    )


def pass_time(database: Postgres, seconds: float) -> None:
    """Lets leases see the hour `seconds` later."""
    database.write(lambda uow: uow.execute(_PASS, {"us": int(seconds * 1_000_000)}))


@pytest.fixture(scope="session")
def postgres(postgres_url: str) -> Iterator[Server]:
    """The PostgreSQL server of this run; import it where it is used."""
    server = Server(postgres_url, f"test_{secrets.token_hex(3)}")
    yield server
    server.close()
