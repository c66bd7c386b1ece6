"""One product process for all flows: made in a folder of its own, on free ports, with a mail server outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.installation import Installation, Prepared, installed, prepare


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """An installation that was made and never started: two shops, an agent, a token."""
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="session")
def running(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The running product; every flow brings its own people, so that none sees another's."""
    with installed(
        tmp_path_factory.mktemp("running"),
        prepared,
        ASCOLTO_LOG="json",
        ASCOLTO_LOG_LEVEL="debug",
        ASCOLTO_LOGIN_ATTEMPTS="1000",
    ) as one:
        one.start()
        yield one
