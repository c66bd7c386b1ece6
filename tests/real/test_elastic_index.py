"""Elasticsearch keeps the contract of the index that the local one keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.search.index.elastic import ElasticEngine, ElasticIndex
from tests.contracts.index import IndexContract
from tests.real import elastic


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ElasticEngine]:
    yield from elastic.engines(tmp_path)


class TestElasticIndex(IndexContract):
    @pytest.fixture
    def make_index(self, engine: ElasticEngine) -> Callable[[], ElasticIndex]:
        return lambda: engine.open(1, built=False)
