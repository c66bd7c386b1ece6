"""tantivy keeps the contract of the index, and its damage is always found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.search.index.local import LocalIndex
from tests.contracts.index import IndexContract


class TestLocalIndex(IndexContract):
    @pytest.fixture
    def make_index(self, tmp_path: Path) -> Callable[[], LocalIndex]:
        return lambda: LocalIndex(tmp_path / "index")
