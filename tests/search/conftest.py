"""Search over an owner in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kitlib import make_database
from tests.search.world import World


@pytest.fixture(scope="session")
def search_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, to be copied."""
    folder = tmp_path_factory.mktemp("search")
    make_database(folder, "search").close()
    return folder / "search.db"


@pytest.fixture
def world(tmp_path: Path, search_template: Path) -> Iterator[World]:
    made = World(tmp_path, search_template)
    yield made
    made.stop()
