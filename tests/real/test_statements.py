"""Every statement that a service keeps at module level is valid on PostgreSQL, on that service's schema."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import services
from services.kit.db.sql import Sql
from tests.kitlib import SERVICES
from tests.real.postgres import Server, postgres

__all__ = ["postgres"]

pytestmark = pytest.mark.real
_NOT = ("migrations", "__main__", "services.demo", "models.fit", "bus.kafka", "index.elastic", "blobs_s3")


def _statements(package: str) -> Iterator[tuple[str, Sql]]:
    """Those of a package, wherever a module, a dict or an object of it keeps them."""
    found = importlib.import_module(package)
    for info in pkgutil.walk_packages(found.__path__, f"{package}."):
        if any(part in info.name for part in _NOT):
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            for one in (value, *_inside(value)):
                if isinstance(one, Sql):
                    yield f"{info.name}.{name}", one


def _inside(value: object) -> tuple[object, ...]:
    if isinstance(value, dict):
        return tuple(value.values())
    return (
        tuple(vars(value).values())
        if type(value).__module__.startswith("services.") and hasattr(value, "__dict__")
        else ()
    )


@pytest.mark.parametrize("service", SERVICES)
def test_every_statement_of_a_service_is_understood(service: str, postgres: Server, tmp_path: Path) -> None:
    refused, count = [], 0
    with psycopg.connect(postgres.database(tmp_path, service, None), autocommit=True) as connection:
        for place, statement in [*_statements(f"services.{service}"), *_statements("services.kit")]:
            text, _ = statement.postgres
            count += 1
            try:
                connection.execute(f"PREPARE s{count} AS {text}".encode())
            except psycopg.Error as error:
                refused.append(f"{place}: {error} in {text}")

    assert refused == []
    assert count > 30
    assert services
