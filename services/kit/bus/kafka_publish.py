"""The way into Kafka: an idempotent producer, acknowledged by all replicas in sync, bounded by what it is handed."""

from __future__ import annotations

import contextlib
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaProducer, errors
from kafka.partitioner.abc import Partitioner

from services.kit import trace
from services.kit.bus.kafka_cluster import Cluster
from services.kit.relay import Outgoing

_LOOK_S = 0.1
_FOR_EVER_MS = (
    2**31 - 1
)  # what was handed over is tried until it is there: giving one up would let those behind pass it


class _ByKey(Partitioner):  # type: ignore[misc]  # kafka-python has no types
    """Always the same partition for a key. Kafka's own hash, in Python, and the lists around it cost nine times as much."""

    def partition(self, topic: str, _key: Any, serialized_key: bytes, _value: Any, _bytes: Any, cluster: Any) -> int:
        """The number of the partition; they are numbered from 0 on."""
        return zlib.crc32(serialized_key) % len(cluster.partitions_for_topic(topic))


class KafkaPublisher:
    """One producer, made when first needed and given up after any failure.

    kafka-python puts no bound on what it buffers, and with the broker away `send` never blocks: the caller's batch is
    the bound, as the next is handed over only when this one is safe.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._producer: Any = None

    def publish(self, records: Sequence[Outgoing], going: Callable[[], bool]) -> int:
        """Hands records over in order and waits for all; returns how many of the first are safe.

        While the broker is away it waits as long as `going()`. Raises `Unavailable`.
        """
        futures: list[Any] = []
        with self._cluster.translated():
            try:
                producer = self._opened()
                for record in records:
                    if not going():
                        break
                    futures.append(self._send(producer, record))
                self._wait(futures, going)
                failed = next((one.exception for one in futures if one.is_done and one.failed()), None)
            except BaseException:
                self.close()
                raise
            if failed is not None or not all(one.is_done for one in futures) or len(futures) < len(records):
                self.close()  # nothing of it may come later, behind what is handed over next
            safe = 0
            for one in futures:
                if not one.is_done or one.failed():
                    break
                safe += 1
            if failed is not None and not safe:
                raise failed
        return safe

    def _opened(self) -> Any:
        if self._producer is None:
            self._cluster.reach()
            self._producer = KafkaProducer(
                **self._cluster.client,
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                partitioner=_ByKey(),
                batch_size=65536,
                delivery_timeout_ms=_FOR_EVER_MS,
                max_block_ms=5000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        return self._producer

    def _send(self, producer: Any, record: Outgoing) -> Any:
        headers = [("kind", record.kind.encode()), ("event_id", record.event_id.encode())]
        if trace_id := trace.trace_of(record.data):
            headers.append((trace.PARENT, trace.parent_of(trace_id).encode()))
        return producer.send(
            self._cluster.name(record.topic),
            record.data,
            key=record.key.encode(),
            headers=headers,
            timestamp_ms=record.created_us // 1000,
        )

    @staticmethod
    def _wait(futures: Sequence[Any], going: Callable[[], bool]) -> None:
        for future in futures:
            while not future.is_done and going():
                done = threading.Event()
                future.add_both(lambda _result, done=done: done.set())
                done.wait(_LOOK_S)

    def close(self) -> None:
        """Gives up what is under way."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with contextlib.suppress(errors.KafkaTimeoutError):
            producer.close(timeout=0)
            return
        producer._sender.force_close()  # noqa: SLF001 (kafka-python 3.0.12 raises before it ends the sender, which would send later)
