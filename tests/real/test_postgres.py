"""The contracts of databases and leases on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import kitlib
from tests.contracts.database import DatabaseContract
from tests.contracts.leases import LeasesContract, PassTime
from tests.real.postgres import Postgres, Server, make_database, pass_time, postgres

__all__ = ["postgres"]

pytestmark = pytest.mark.real


@pytest.fixture
def kit_database(postgres: Server, tmp_path: Path) -> Iterator[Callable[..., Postgres]]:
    """As the fixture of this name on SQLite."""
    opened: list[Postgres] = []

    def make(service: str, **more: Any) -> Postgres:
        opened.append(make_database(tmp_path, service, migrations=kitlib.kit_migrations(tmp_path), **more))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


class TestPostgresDatabase(DatabaseContract):
    @pytest.fixture
    def database(self, kit_database: Callable[..., Postgres]) -> Postgres:
        return kit_database("intake")


class TestLeasesOnPostgres(LeasesContract):
    @pytest.fixture
    def database(self, kit_database: Callable[..., Postgres]) -> Postgres:
        return kit_database("intake")

    @pytest.fixture
    def pass_time(self, database: Postgres) -> PassTime:
        return partial(pass_time, database)
