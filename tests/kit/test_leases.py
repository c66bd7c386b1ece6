"""Leases on SQLite."""

from __future__ import annotations

import pytest

from services.kit.clock import ManualClock
from services.kit.db.sqlite import SqliteDatabase
from tests.contracts.leases import LeasesContract, PassTime
from tests.kitlib import DatabaseFactory


class TestLeasesOnSqlite(LeasesContract):
    @pytest.fixture
    def database(self, kit_database: DatabaseFactory) -> SqliteDatabase:
        return kit_database("intake")

    @pytest.fixture
    def pass_time(self, clock: ManualClock) -> PassTime:
        return lambda seconds: clock.advance(seconds=seconds)
