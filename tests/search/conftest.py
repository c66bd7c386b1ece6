"""Search over an owner in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
def make_world(search_template: Path) -> Callable[[Path], World]:
    """`make_world(folder)`: search on an index of its own."""
    return lambda folder: World(folder, search_template)


@pytest.fixture
def world(tmp_path: Path, make_world: Callable[[Path], World]) -> Iterator[World]:
    made = make_world(tmp_path)
    yield made
    made.stop()
