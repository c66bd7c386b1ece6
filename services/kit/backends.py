"""Backends, chosen in one place: (role, scheme of the setting's URL) names a class that is imported only when chosen.

A new backend is one line here and one subclass of the role's contract suite.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from services.kit.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

    import grpc
    from prometheus_client import CollectorRegistry

    from services.kit.blobs import Blobs
    from services.kit.bus import Log
    from services.kit.clock import Clock
    from services.kit.config import Settings
    from services.kit.egress import Egress
    from services.kit.leases import Leases
    from services.kit.secrets import Keys, SecretBox
    from services.kit.trace import Tracer
    from services.kit.uow import Database
    from services.kit.wakes import Wakes

SERVICES = ("intake", "tickets", "social", "search", "desk")
COPIES = frozenset({"search"})  # hold nothing of their own: built anew from the others, and left out of backups

BACKENDS: Mapping[tuple[str, str], str] = {
    ("database", "sqlite"): "services.kit.db.sqlite:SqliteDatabase",
    ("database", "postgresql"): "services.kit.db.postgres:PostgresDatabase",
    ("snapshot", "sqlite"): "services.kit.db.snapshot:SqliteSnapshots",
    ("snapshot", "postgresql"): "services.kit.db.postgres_snapshot:PostgresSnapshots",
    ("bus", "local"): "services.kit.bus.local:LocalLog",
    ("bus", "kafka"): "services.kit.bus.kafka:KafkaLog",
    ("blobs", "local"): "services.kit.blobs:FolderBlobs",
    ("blobs", "s3"): "services.kit.blobs_s3:S3Blobs",
    ("rpc", "local"): "services.kit.rpc.local:LocalCalls",
    ("rpc", "grpc"): "services.kit.rpc.network:NetworkCalls",
    ("rpc", "grpcs"): "services.kit.rpc.network:NetworkCalls",
    ("index", "local"): "services.search.index.local:LocalEngine",
    ("index", "elasticsearch"): "services.search.index.elastic:ElasticEngine",
}


def load(role: str, url: str) -> Any:
    """The class for a role's URL. Raises `Invalid` naming the schemes there are."""
    scheme = urlsplit(url).scheme or "local"
    place = BACKENDS.get((role, scheme))
    if place is None:
        known = ", ".join(sorted(name for of, name in BACKENDS if of == role))
        raise Invalid(
            f"ASCOLTO_{role.upper()} has the scheme {scheme!r}; this build knows: {known}.",
            field=f"ASCOLTO_{role.upper()}",
        )
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service's `build` is given."""

    service: str
    settings: Settings
    database: Database
    log: Log
    wakes: Wakes
    blobs: Blobs
    clock: Clock
    secrets: SecretBox
    keys: Keys
    metrics: CollectorRegistry
    channels: Mapping[str, grpc.Channel]
    data: Path
    instance: str  # this process among all of its kind, the same after a restart: who holds a lease
    leases: Leases
    egress: Egress
    tracer: Tracer | None = None
