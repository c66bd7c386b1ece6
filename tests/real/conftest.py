"""Real servers, one of each for a run. Databases, topics and indices of one test are made by the modules beside this one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
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
