"""Indices of one test on a real Elasticsearch, by `TEST_ELASTICSEARCH_URL` (http://host:port), removed after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.kit.ids import new_id
from services.search.index.elastic import ElasticEngine


def url_of(prefix: str, *, host: str = "") -> str:
    """The setting for indices under `prefix`."""
    given = urlsplit(os.environ.get("TEST_ELASTICSEARCH_URL", ""))
    if not given.hostname:
        pytest.skip("TEST_ELASTICSEARCH_URL names no server")
    return f"elasticsearch://{host or given.netloc}/{prefix}?tls={int(given.scheme == 'https')}"


def fresh_prefix() -> str:
    """One that no other test has."""
    return f"test-{new_id('es').replace('_', '-').lower()}"


def engines(folder: Path) -> Iterator[ElasticEngine]:
    """An engine with indices of its own."""
    made = ElasticEngine(url_of(fresh_prefix()), folder)
    yield made
    for number in made.existing():
        made.discard(number)
