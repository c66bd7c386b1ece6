"""Figures of what came in and of what is to go out, asked for when somebody looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.intake.store import deliveries, inbound
from services.kit.errors import AscoltoError

if TYPE_CHECKING:
    from services.kit.clock import Clock
    from services.kit.uow import Database


class IntakeFigures(Collector):
    """Contacts by channel, deliveries by state, quarantine."""

    def __init__(self, database: Database, clock: Clock, taken: Mapping[str, int]) -> None:
        self._database, self._clock, self._taken = database, clock, taken

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before somebody looks."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The newest figures; those of the database are absent while it is away."""
        contacts = CounterMetricFamily(
            "ascolto_intake_contacts",
            "Raw contacts taken in by this process, resent ones included.",
            labels=["channel"],
        )
        for channel, count in list(self._taken.items()):
            contacts.add_metric([channel], count)
        waiting = GaugeMetricFamily(
            "ascolto_intake_deliveries_waiting", "Deliveries whose end is not known.", labels=["state"]
        )
        oldest = GaugeMetricFamily(
            "ascolto_intake_deliveries_overdue_seconds", "How long the oldest of them is due.", labels=["state"]
        )
        unread = GaugeMetricFamily(
            "ascolto_intake_quarantine", "Contacts that could not be read and wait for a person."
        )
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        try:
            with self._database.read() as reader:
                for state, (count, due_us) in deliveries.counts(reader).items():
                    waiting.add_metric([state], count)
                    oldest.add_metric([state], max(0.0, (now_us - due_us) / 1e6))
                unread.add_metric([], inbound.count_quarantine(reader))
        except AscoltoError:  # the database's check says it
            pass
        yield from (contacts, waiting, oldest, unread)
