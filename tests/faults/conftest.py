"""The prepared installation, made once: each test copies it."""

from __future__ import annotations

import pytest

from tests.faults.installation import Prepared, prepare


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """An installation with two brands, an agent and a token."""
    return prepare(tmp_path_factory.mktemp("template"))
