"""Fixtures of every test: what is opened is closed."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.db.sqlite import SqliteDatabase
from tests import kitlib


def pytest_pycollect_makeitem(name: str, obj: Any) -> None:
    """A `Test…` class that forgets a part of its contract is an error; pytest would pass over it in silence."""
    if name.startswith("Test") and inspect.isabstract(obj):
        missing = ", ".join(sorted(obj.__abstractmethods__))
        raise pytest.UsageError(f"{name} does not give {missing} of its contract.")


@pytest.fixture(autouse=True, scope="module")
def _collection_between_modules() -> Iterator[None]:
    """Garbage is collected after each module, never within a test.

    What thousands of tests leave behind makes one collection half a second of CPU, and it falls on whichever thread
    allocates: the budget of a writer would measure that. What survives is frozen, so that the next one is short.
    """
    gc.disable()
    yield
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _plain_logs() -> None:
    """Logs go to standard output as JSON, whatever a test of the command line set before.

    The developer's renderer draws each traceback for a second.
    """
    structlog.reset_defaults()
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


@pytest.fixture(autouse=kitlib.ON_POSTGRES)
def _databases_for_the_next_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Takes back what this test used of the server, once all is closed."""
    folder = request.getfixturevalue("tmp_path")
    yield
    kitlib.forget_databases(folder)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still at 2026-03-12 09:00 UTC."""
    return ManualClock()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LocalLog]:
    """The log over every database of this test's folder."""
    opened = kitlib.make_log(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def database_factory(tmp_path: Path, clock: ManualClock, log: LocalLog) -> Iterator[kitlib.DatabaseFactory]:
    """`database_factory("tickets")`: that service's database in this test's folder, wired to `log` and `clock`."""
    opened: list[SqliteDatabase] = []

    def make(service: str, **more: Any) -> SqliteDatabase:
        settings: dict[str, Any] = {"clock": clock, "log": log} | more
        opened.append(kitlib.make_database(tmp_path, service, **settings))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def kit_database(tmp_path: Path, database_factory: kitlib.DatabaseFactory) -> kitlib.DatabaseFactory:
    """As `database_factory`, with the kit's tables and `things`."""

    def make(service: str, **more: Any) -> SqliteDatabase:
        return database_factory(service, migrations=kitlib.kit_migrations(tmp_path), **more)

    return make
