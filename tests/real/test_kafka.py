"""Kafka passes the contract of every log, and what is its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.kit import topics
from services.kit.bus import Log
from services.kit.bus.kafka import KafkaLog
from services.kit.bus.kafka_cluster import Cluster
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from services.kit.db.sqlite import SqliteDatabase
from services.kit.relay import Relay
from services.kit.uow import Database
from tests.contracts.bus import BusContract, publish
from tests.kitlib import make_kit_database
from tests.real import kafka_world

pytestmark = pytest.mark.real


@pytest.fixture
def url() -> Iterator[str]:
    made = kafka_world.new_url(partitions=1)
    yield made
    kafka_world.drop(made)


class TestKafkaLog(BusContract):
    @pytest.fixture
    def log(self, url: str) -> Iterator[KafkaLog]:
        opened = KafkaLog(Cluster.of(url))
        yield opened
        opened.close()

    @pytest.fixture
    def producer(self, url: str, tmp_path: Path, clock: ManualClock) -> Iterator[SqliteDatabase]:
        opened = make_kit_database(tmp_path, "intake", clock=clock)
        self.relay, self.url = kafka_world.make_relay(url, opened), url
        yield opened
        self.relay.close()
        opened.close()

    @pytest.fixture
    def database(self, tmp_path: Path, clock: ManualClock) -> Iterator[SqliteDatabase]:
        opened = make_kit_database(tmp_path, "tickets", clock=clock)
        yield opened
        opened.close()

    def publish(self, producer: Database, keys: Iterable[str], **more: Any) -> None:
        publish(producer, keys, **more)
        relayed(self.relay)

    def drain(self, consumers: Sequence[Consumer]) -> int:
        return kafka_world.drain(consumers)

    def prune(self, producer: Database, log: Log, clock: ManualClock) -> None:
        assert isinstance(log, KafkaLog)
        kafka_world.forget(self.url, log, topics.CONTACTS)


def relayed(relay: Relay) -> None:
    """Runs the relay until the outbox is empty."""
    never = threading.Event()
    assert relay.take()
    while relay.step(never):
        pass
