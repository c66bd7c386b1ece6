"""Where an installation's data lie and how the oracle reads them: files in its folder, or servers."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from ascolto.common.v1.envelope_pb2 import Envelope
from services.kit.backends import SERVICES, load
from services.kit.blobs import Blobs
from services.kit.bus import Part
from services.kit.bus.kafka import KafkaLog
from services.kit.bus.kafka_cluster import Cluster
from services.kit.config import Settings
from services.kit.topics import PRODUCERS
from services.search.index.elastic import ElasticEngine
from services.search.index.local import LocalIndex


@dataclass(frozen=True, slots=True)
class Event:
    """One event as its log holds it. Offsets grow within a lane: the whole outbox on SQLite, one key on Kafka."""

    lane: str
    part: int
    offset: int
    topic: str
    kind: str
    event_id: str
    envelope: Envelope


class Store(Protocol):
    """Everything that is asked of an installation's data; nothing is written."""

    def rows(self, service: str, statement: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        ...

    def sound(self, service: str) -> str:
        """`ok`, or what is wrong with a database's files."""
        ...

    def emitted(self, service: str) -> int:
        """A number that grows with each event."""
        ...

    def unpublished(self) -> Mapping[str, int]:
        """Events that no reader can see yet, by service."""
        ...

    def events(self) -> Iterator[Event]:
        """All events, each lane in its order."""
        ...

    def ends(self) -> Mapping[Part, int]:
        """Behind the last event of each part."""
        ...

    def blobs(self) -> Blobs:
        """The files."""
        ...

    def index(self, generation: int) -> contextlib.AbstractContextManager[Any]:
        """A generation of the index."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """SQLite, the local log, index and blobs of a data folder."""

    data: Path

    def rows(self, service: str, statement: str) -> list[tuple[Any, ...]]:
        path = f"file:{self.data / service}.db?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True)) as database:
            return list(database.execute(statement))

    def sound(self, service: str) -> str:
        return str(self.rows(service, "PRAGMA quick_check")[0][0])

    def emitted(self, service: str) -> int:
        return int(self.rows(service, "SELECT COALESCE(MAX(id), 0) FROM outbox")[0][0])

    def unpublished(self) -> Mapping[str, int]:
        return {}

    def events(self) -> Iterator[Event]:
        for service in SERVICES:
            found = self.rows(service, "SELECT id, topic, kind, event_id, data FROM outbox ORDER BY id")
            for offset, topic, kind, event_id, data in found:
                yield Event("", 0, offset, topic, kind, event_id, Envelope.FromString(data))

    def ends(self) -> Mapping[Part, int]:
        ends = dict.fromkeys((Part(topic, 0) for topic in PRODUCERS), 0)
        for event in self.events():
            ends[Part(event.topic, 0)] = event.offset + 1
        return ends

    def blobs(self) -> Blobs:
        settings = Settings.from_env({"ASCOLTO_DATA": str(self.data)})
        found: Blobs = load("blobs", settings.blobs).for_settings(settings)
        return found

    def index(self, generation: int) -> contextlib.AbstractContextManager[Any]:
        return contextlib.closing(LocalIndex(self.data / "search" / f"generation-{generation}"))


@dataclass(frozen=True, slots=True)
class Servers:
    """PostgreSQL, Kafka, Elasticsearch and S3, read past any proxy. `urls` are the settings by name."""

    data: Path
    urls: Mapping[str, str]

    def rows(self, service: str, statement: str) -> list[tuple[Any, ...]]:
        url = self.urls["ASCOLTO_DATABASE"].format(service=service)
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def sound(self, service: str) -> str:
        return "ok"

    def emitted(self, service: str) -> int:
        text = "SELECT coalesce(last_value, 0) FROM pg_sequences WHERE sequencename = 'outbox_id_seq'"
        return int(self.rows(service, text)[0][0])

    def unpublished(self) -> Mapping[str, int]:
        counts = {service: int(self.rows(service, "SELECT count(*) FROM outbox")[0][0]) for service in SERVICES}
        return {service: count for service, count in counts.items() if count}

    def _log(self) -> contextlib.closing[KafkaLog]:
        return contextlib.closing(KafkaLog(Cluster.of(self.urls["ASCOLTO_BUS"])))

    def events(self) -> Iterator[Event]:
        seen: set[str] = set()  # a relay publishes at least once; the first is what readers apply
        with self._log() as log:
            for topic in PRODUCERS:
                for part, bounds in log.bounds(topic).items():
                    at = bounds.begin
                    while at < bounds.end:
                        records = log.read(topic, part.partition, at, 5000)
                        at = records[-1].offset + 1
                        for one in records:
                            if one.event_id not in seen:
                                seen.add(one.event_id)
                                yield Event(
                                    one.key, one.partition, one.offset, topic, one.kind, one.event_id, one.envelope
                                )

    def ends(self) -> Mapping[Part, int]:
        with self._log() as log:
            return {part: bounds.end for topic in PRODUCERS for part, bounds in log.bounds(topic).items()}

    def blobs(self) -> Blobs:
        settings = Settings.from_env({**self.urls, "ASCOLTO_DATA": str(self.data / "judged")})
        found: Blobs = load("blobs", settings.blobs).for_settings(settings)
        return found

    def index(self, generation: int) -> contextlib.AbstractContextManager[Any]:
        return contextlib.closing(ElasticEngine(self.urls["ASCOLTO_INDEX"], Path()).open(generation, built=True))
