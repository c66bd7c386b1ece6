"""A desk over fake services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import fakes


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[fakes.Rig]:
    """A desk without pages."""
    with fakes.a_rig(tmp_path) as made:
        yield made
