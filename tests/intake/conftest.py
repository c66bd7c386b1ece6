"""The fixture of intake's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from tests.intake.world import World, make_world
from tests.kitlib import DatabaseFactory


@pytest.fixture
def world(tmp_path: Path, database_factory: DatabaseFactory, log: LocalLog, clock: ManualClock) -> Iterator[World]:
    made = make_world(tmp_path, database_factory("intake"), log, clock)
    yield made
    for close in made.service.on_stop:
        close()
