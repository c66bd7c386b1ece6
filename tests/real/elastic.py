"""Indices of one test on a real Elasticsearch, removed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.kit.ids import new_id
from services.search.index.elastic import ElasticEngine
from tests.kitlib import make_database
from tests.real import servers
from tests.search.world import World


def url_of(prefix: str, *, host: str = "") -> str:
    """The setting for indices under `prefix`; `host` stands before the server when given."""
    given = urlsplit(servers.url("elasticsearch"))
    return f"elasticsearch://{host or given.netloc}/{prefix}?tls={int(given.scheme == 'https')}"


def fresh_prefix() -> str:
    """One that no other test has."""
    return f"test-{new_id('es').replace('_', '-').lower()}"


@pytest.fixture
def make_engine() -> Iterator[Callable[[], ElasticEngine]]:
    """`make_engine()`: an engine with indices of its own."""
    made: list[ElasticEngine] = []

    def make() -> ElasticEngine:
        made.append(ElasticEngine(url_of(fresh_prefix()), Path()))
        return made[-1]

    yield make
    for engine in made:
        for number in engine.existing():
            engine.discard(number)


@pytest.fixture(scope="session")
def search_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database of search, to be copied."""
    folder = tmp_path_factory.mktemp("search")
    make_database(folder, "search").close()
    return folder / "search.db"


@pytest.fixture
def make_world(search_template: Path, make_engine: Callable[[], ElasticEngine]) -> Callable[[Path], World]:
    """`make_world(folder)`: search over an owner in memory, on indices of its own."""
    return lambda folder: World(folder, search_template, make_engine())


@pytest.fixture
def world(tmp_path: Path, make_world: Callable[[Path], World]) -> Iterator[World]:
    """One of them."""
    made = make_world(tmp_path)
    yield made
    made.stop()
