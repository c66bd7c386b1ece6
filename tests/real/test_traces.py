"""Traces go through Kafka in a header that every tracing program reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer

from services.kit import log, topics
from services.kit.bus.kafka_cluster import Cluster
from services.kit.clock import ManualClock
from tests.contracts.bus import publish
from tests.kitlib import make_kit_database
from tests.real import kafka_world
from tests.real.test_kafka import relayed


@pytest.fixture
def url() -> Iterator[str]:
    made = kafka_world.new_url(partitions=1)
    yield made
    kafka_world.drop(made)


def test_the_relay_writes_the_trace_of_each_event_as_w3c_traceparent(
    url: str, tmp_path: Path, clock: ManualClock
) -> None:
    database = make_kit_database(tmp_path, "intake", clock=clock)
    relay, cluster = kafka_world.make_relay(url, database), Cluster.of(url)
    trace_id = log.new_trace()
    publish(database, ["a"])
    relayed(relay)

    reader = KafkaConsumer(
        cluster.name(topics.CONTACTS), **cluster.client, auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    message = next(reader)
    reader.close()

    assert dict(message.headers)["traceparent"].decode() == f"00-{trace_id}-{trace_id[16:]}-01"
    relay.close()
    database.close()
