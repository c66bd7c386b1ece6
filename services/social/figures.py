"""Figures of listening, asked for when somebody looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.kit.errors import AscoltoError
from services.social.store import alerts, config

if TYPE_CHECKING:
    from services.kit.uow import Database


class SocialFigures(Collector):
    """Sources and alerts by state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before somebody looks."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The newest figures; absent while the database is away."""
        try:
            with self._database.read() as reader:
                sources = Counter(row.state if row.enabled else "off" for row in config.list_sources(reader))
                states = alerts.count_by_state(reader)
        except AscoltoError:  # the database's check says it
            return
        of_sources = GaugeMetricFamily("ascolto_social_sources", "Sources by state.", labels=["state"])
        for state, count in sources.items():
            of_sources.add_metric([state], count)
        of_alerts = GaugeMetricFamily("ascolto_social_alerts", "Alerts by state.", labels=["state"])
        for state, count in states.items():
            of_alerts.add_metric([state], count)
        yield from (of_sources, of_alerts)
