"""Kafka passes the contract of every log, and what is its own."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from services.kit import topics
from services.kit.bus import Log
from services.kit.bus.kafka import KafkaLog
from services.kit.bus.kafka_cluster import Cluster
from services.kit.bus.kafka_topics import create_topics, faults
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import Invalid, Unavailable
from services.kit.relay import Relay
from services.kit.uow import Database
from tests.contracts.bus import BusContract, publish
from tests.kitlib import make_kit_database, wait_until
from tests.real import kafka_world

pytestmark = [
    pytest.mark.real,
    # kafka-python 3.0.12 leaves the sockets of clients that were cut off to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


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


def test_the_topics_of_one_broker_are_made_once_and_told_of(url: str) -> None:
    cluster = Cluster.of(url)

    said = create_topics(cluster, retention=timedelta(days=7), partitions=1)

    assert [sentence.partition(":")[0] for sentence in said] == ["Kafka has 1 broker(s)"]
    assert any("1 replica(s): add brokers" in fault for fault in faults(cluster, partitions=1))
    assert not [fault for fault in faults(cluster, partitions=1) if "replica" not in fault]


def test_a_changed_number_of_partitions_and_a_missing_topic_are_faults(url: str) -> None:
    cluster = Cluster.of(url)
    admin = KafkaAdminClient(**cluster.client)
    admin.create_partitions({cluster.name(topics.CONTACTS): 2})
    admin.delete_topics([cluster.name(topics.ALERTS)])
    admin.close()

    for said in (f"{topics.CONTACTS} has 2 partitions", f"{topics.ALERTS} is not there"):
        start = f"The topic {cluster.prefix}{said}"
        wait_until(lambda start=start: any(fault.startswith(start) for fault in faults(cluster, partitions=1)), 20)


def test_a_clock_that_is_ahead_does_not_stop_the_outbox(url: str, tmp_path: Path) -> None:
    """Kafka 4 by itself refuses what is dated more than an hour ahead."""
    database = make_kit_database(tmp_path, "intake", clock=ManualClock(datetime.now(UTC) + timedelta(days=1)))
    publish(database, ["ahead"])
    relay = kafka_world.make_relay(url, database)

    relayed(relay)

    assert relay.waiting() == 0
    relay.close()
    database.close()


def test_a_retention_past_the_hour_of_erasure_is_refused() -> None:
    with pytest.raises(Invalid, match="27 or less"):
        create_topics(Cluster.of("kafka://nowhere:1"), retention=timedelta(days=28))


def test_a_broker_that_is_away_is_unavailable_and_told_so_at_once_the_second_time() -> None:
    log = KafkaLog(Cluster.of("kafka://127.0.0.1:1"))

    with pytest.raises(Unavailable, match=r"Kafka at 127\.0\.0\.1:1 is away"):
        log.ping()
    with pytest.raises(Unavailable, match="a moment ago"):
        log.bounds(topics.CONTACTS)


@pytest.mark.parametrize("url", ["kafka:", "kafka://host", "local:", "kafka://a:1,b"])
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="kafka://host:port"):
        Cluster.of(url)


def relayed(relay: Relay) -> None:
    """Runs the relay until the outbox is empty."""
    never = threading.Event()
    assert relay.take()
    while relay.step(never):
        pass
