"""Fixtures of the tickets service."""

from __future__ import annotations

import pytest

from services.kit.clock import ManualClock
from tests.kitlib import DatabaseFactory
from tests.tickets.world import World


@pytest.fixture
def world(database_factory: DatabaseFactory, clock: ManualClock) -> World:
    return World(database_factory("tickets"), clock)
