"""Figures of all consumers of a process. Lag is asked of the consumers themselves, at each scrape of the health page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram

if TYPE_CHECKING:
    from services.kit.consume import Consumer


class ConsumeMetrics:
    """One for a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("service", "group", "topic")
        self._applied = Counter(
            "ascolto_kit_consumed_records", "Records consumed, with their effect committed.", labels, registry=registry
        )
        self._batch = Histogram(
            "ascolto_kit_consume_batch_seconds", "Time from a batch read to its commit.", labels, registry=registry
        )
        self._parked = Counter(
            "ascolto_kit_parked_records", "Records parked as dead letters.", (*labels, "reason"), registry=registry
        )

    def applied(self, consumer: Consumer, records: int, seconds: float) -> None:
        """A batch was committed."""
        labels = (consumer.service, consumer.consumption.group, consumer.consumption.topic)
        self._applied.labels(*labels).inc(records)
        self._batch.labels(*labels).observe(seconds)

    def parked(self, consumer: Consumer, reason: str) -> None:
        """A record was parked."""
        self._parked.labels(consumer.service, consumer.consumption.group, consumer.consumption.topic, reason).inc()
