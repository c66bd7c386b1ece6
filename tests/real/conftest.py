"""Real servers, one of each for a run. Databases, topics and indices of one test are made by the modules beside this one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.real import servers

_FIRST_START_S = 600  # a local server may have to be fetched and built
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Everything here is `real`, and may wait for the first start of a server."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.real)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_FIRST_START_S))


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A PostgreSQL server whose role may make databases."""
    return servers.url("postgres")


@pytest.fixture(scope="session")
def kafka_url() -> str:
    """`kafka://host:port`; topics are not made by themselves."""
    return servers.url("kafka")


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    """`elasticsearch://host:port`."""
    return servers.url("elasticsearch")


@pytest.fixture(scope="session")
def s3_url() -> str:
    """`s3://key:secret@host:port/?tls=0`, without a bucket."""
    return servers.url("s3")


@pytest.fixture
def own_name() -> str:
    """A prefix for topics, indices or a bucket that no other test has: `t` and twelve digits or letters a to f."""
    return f"t{secrets.token_hex(6)}"


@pytest.fixture
def fresh_postgres(postgres_url: str) -> Iterator[Callable[[], str]]:
    """`fresh_postgres()`: the URL of a new, empty database; all are dropped after the test."""
    import psycopg
    from psycopg import sql

    made: list[sql.Identifier] = []

    with psycopg.connect(postgres_url, autocommit=True) as server:

        def make() -> str:
            name = f"t{secrets.token_hex(6)}"
            server.execute(sql.SQL("CREATE DATABASE {} STRATEGY file_copy").format(sql.Identifier(name)))
            made.append(sql.Identifier(name))
            return f"{postgres_url.rpartition('/')[0]}/{name}"

        yield make
        for name in made:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
