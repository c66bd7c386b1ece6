"""What tests of every service build upon: databases with their schema, the log over them, consumers run by hand."""

from __future__ import annotations

import atexit
import functools
import hashlib
import itertools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from services.kit.app import Service
from services.kit.bus.local import LocalLog
from services.kit.clock import Clock, ManualClock
from services.kit.consume import Consumer
from services.kit.db.migrate import folder_of, migrate_sqlite
from services.kit.db.sqlite import Limits, SqliteDatabase
from services.kit.wakes import Wakes

if TYPE_CHECKING:
    from services.kit.backends import Parts

ON_POSTGRES = os.environ.get("TEST_DATABASE") == "postgres"
on_sqlite = pytest.mark.skipif(ON_POSTGRES, reason="about SQLite's own way")
SERVICES = ("intake", "tickets", "social", "search", "desk")
FIRST_MIGRATION = '''
"""The kit's tables, and one to write into."""
import sqlalchemy as sa
from alembic import op
from services.kit.db.tables import create_kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_kit_tables(op)
    parent = sa.ForeignKey("things.id", deferrable=True, initially="DEFERRED")
    op.create_table(
        "things",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("parent", sa.Text, parent),
    )
'''


class DatabaseFactory(Protocol):
    """The type of the fixtures `database_factory` and `kit_database`."""

    def __call__(self, service: str, **more: Any) -> SqliteDatabase:
        """That service's database in this test's folder."""
        ...


def wait_until(predicate: Callable[[], Any], deadline_s: float = 5.0) -> Any:
    """What `predicate` returns once it is true; fails after `deadline_s`. Looks each 5 ms."""
    end = time.monotonic() + deadline_s
    tick = threading.Event()
    while not (found := predicate()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {getattr(predicate, '__name__', predicate)}")
        tick.wait(0.005)
    return found


def kit_migrations(folder: Path) -> Path:
    """A folder of migrations that makes the kit's tables and `things (id, body, parent)`, to write into."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (versions / "0001_first.py").write_text(FIRST_MIGRATION.strip() + "\n")
    return folder / "migrations"


@functools.cache
def _templates() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ascolto-schemas-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _migrated(service: str, migrations: Path) -> Path:
    """A file at the newest revision of these migrations, made once a process: each test copies it (0.1 s saved)."""
    scripts = b"".join(path.read_bytes() for path in sorted((migrations / "versions").glob("*.py")))
    path = _templates() / f"{service}-{hashlib.sha256(scripts).hexdigest()[:16]}.db"
    if not path.exists():
        migrate_sqlite(path, migrations)
    return path


def make_database(
    folder: Path,
    service: str,
    *,
    clock: Clock | None = None,
    log: LocalLog | None = None,
    migrations: Path | None = None,
    **limits: Any,
) -> Any:
    """A database with the service's schema in `folder/<service>.db`; close it. `limits` are those of `Limits`.

    With `TEST_DATABASE=postgres` it is one of the PostgreSQL server `TEST_POSTGRES_URL` that stands for this file.
    """
    if ON_POSTGRES:
        from tests.real import postgres

        return postgres.make_database(folder, service, clock=clock, log=log, migrations=migrations, **limits)
    path = folder / f"{service}.db"
    if not path.exists():
        shutil.copyfile(_migrated(service, migrations or folder_of(service)), path)
    database = SqliteDatabase(
        path,
        service,
        clock=clock or ManualClock(),
        migrations=migrations,
        notify=log.wakes.notify if log else None,
        limits=Limits(**{"strict": True, "budget_s": 0.05} | limits),  # 20 ms on a machine that is not shared
    )
    database.migrate()
    return database


def forget_databases(folder: Path) -> None:
    """Lets the server use for others what stood for the files of a folder; SQLite's go with their folder."""
    if ON_POSTGRES:
        from tests.real.postgres import the_server

        the_server().take_back(folder)


def make_kit_database(folder: Path, service: str, **more: Any) -> SqliteDatabase:
    """A database with the kit's tables and `things`."""
    return make_database(folder, service, migrations=kit_migrations(folder), **more)


def make_log(folder: Path) -> LocalLog:
    """The log over every service's database in `folder`."""
    if ON_POSTGRES:
        from tests.real.postgres import OutboxLog

        return OutboxLog(folder)
    return LocalLog({service: folder / f"{service}.db" for service in SERVICES}, wakes=Wakes())


def make_consumers(services: Iterable[Service], log: LocalLog, clock: Clock) -> list[Consumer]:
    """A consumer for each consumption of some services."""
    return [
        Consumer(consumption, service.database, log, clock=clock, service=service.name)
        for service in services
        for consumption in service.consumers
    ]


def drain(consumers: Sequence[Consumer], rounds: int = 50) -> int:
    """Runs all consumers until nothing waits anywhere; returns how many records were handled."""
    handled = 0
    for _ in itertools.repeat(None, rounds):
        step = sum(consumer.run_once() for consumer in consumers)
        if step == 0:
            return handled
        handled += step
    raise AssertionError(f"still busy after {rounds} rounds: events go in a circle")


def make_parts(
    folder: Path, service: str, *, log: LocalLog | None = None, clock: Clock | None = None, **overrides: Any
) -> Parts:
    """What `build` of a service wants, on SQLite in `folder`; anything can be replaced by name."""
    from prometheus_client import CollectorRegistry

    from services.kit.backends import Parts
    from services.kit.blobs import FolderBlobs
    from services.kit.config import Settings
    from services.kit.egress import Egress
    from services.kit.leases import Leases
    from services.kit.secrets import Keys, SecretBox

    clock = clock or ManualClock()
    log = log or make_log(folder)
    database = overrides.pop("database", None) or make_database(folder, service, clock=clock, log=log)
    settings = overrides.pop("settings", None) or replace(Settings(), data=folder)
    keys = overrides.pop("keys", None) or Keys(b"\x07" * 32)
    parts: dict[str, Any] = {
        "service": service,
        "settings": settings,
        "database": database,
        "log": log,
        "wakes": log.wakes,
        "blobs": FolderBlobs(folder / "blobs"),
        "clock": clock,
        "secrets": SecretBox(keys),
        "keys": keys,
        "metrics": CollectorRegistry(),
        "channels": {},
        "data": folder,
        "instance": f"test:{folder}",
        "leases": Leases(database),
        "egress": Egress(),
    }
    return Parts(**parts | overrides)
