"""Figures of all consumers of a process. Lag is asked of the consumers themselves, at each scrape of the health page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from services.kit.consume import Consumer


class ConsumeMetrics(Collector):
    """One for a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._watched: list[Consumer] = []
        registry.register(self)
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

    def watch(self, consumers: Sequence[Consumer]) -> None:
        """Asks these for their lag at each scrape."""
        self._watched.extend(consumers)

    def describe(self) -> Iterable[Metric]:
        """The names, which asks nobody."""
        return self._families()

    def collect(self) -> Iterable[Metric]:
        """The lag of each group; of one that cannot be asked there is no figure."""
        records, age, paused = self._families()
        for consumer in self._watched:
            for lag in consumer.lags():
                labels = (consumer.service, lag.group, lag.topic)
                paused.add_metric(labels, bool(lag.paused))
                if lag.known:
                    records.add_metric(labels, lag.end - lag.position)
                    age.add_metric(labels, lag.age_s)
        return records, age, paused

    @staticmethod
    def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        labels = ("service", "group", "topic")
        return (
            GaugeMetricFamily("ascolto_kit_lag_records", "Records that a group has not read.", labels=labels),
            GaugeMetricFamily("ascolto_kit_lag_seconds", "Age of the oldest of them.", labels=labels),
            GaugeMetricFamily("ascolto_kit_group_paused", "1: it waits for what is away.", labels=labels),
        )

    def applied(self, consumer: Consumer, records: int, seconds: float) -> None:
        """A batch was committed."""
        labels = (consumer.service, consumer.consumption.group, consumer.consumption.topic)
        self._applied.labels(*labels).inc(records)
        self._batch.labels(*labels).observe(seconds)

    def parked(self, consumer: Consumer, reason: str) -> None:
        """A record was parked."""
        self._parked.labels(consumer.service, consumer.consumption.group, consumer.consumption.topic, reason).inc()
