"""The prepared installation on the servers, made once: each test copies it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.real import world

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Everything here is one of `make faults`, and may wait for servers to be fetched."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.faults)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def on_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.Template]:
    """An installation with two brands, an agent and a token."""
    with world.template(tmp_path_factory.mktemp("servers")) as made:
        yield made
