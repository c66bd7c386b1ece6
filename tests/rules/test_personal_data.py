"""Every store that can hold a person's data stands in the one registry."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from services.kit import topics

REGISTRY = Path(__file__).parents[2] / "docs" / "reference" / "personal-data.md"
SERVICES = ("intake", "tickets", "social", "search", "desk")


def _listed() -> set[str]:
    cells = [line.split("|")[1] for line in REGISTRY.read_text().splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("service", SERVICES)
def test_every_table_is_in_the_registry(service):
    listed = _listed()
    tables = importlib.import_module(f"services.{service}.store.tables").METADATA.tables

    missing = [name for name in tables if f"{service}.{name}" not in listed and f"*.{name}" not in listed]

    assert missing == []


def test_every_topic_is_in_the_registry():
    assert set(topics.PRODUCERS) <= _listed()


def test_the_registry_names_no_table_that_is_gone():
    there = {"*." + name for service in SERVICES for name in _tables(service)}
    there |= {f"{service}.{name}" for service in SERVICES for name in _tables(service)}
    named = {name for name in _listed() if "." in name and "/" not in name and not name.startswith("ascolto.")}

    assert named <= there


def _tables(service: str) -> list[str]:
    return list(importlib.import_module(f"services.{service}.store.tables").METADATA.tables)
