"""Figures that are asked for when somebody looks: lag, dead letters, leases, pools, checks; and those of a process beside.

`docs/reference/metrics.md` lists every figure there is; a test holds the two together.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from services.kit.app import Check
from services.kit.errors import AscoltoError
from services.kit.http import failing
from services.kit.runner import Loop
from services.kit.watched import Watched

_SERVICE = ("service",)
_GROUP = ("service", "group", "topic")
_POOL = ("service", "pool")


class Registry(CollectorRegistry):
    """The figures of this process, and of those it keeps beside itself."""

    def __init__(self) -> None:
        super().__init__()
        self.beside: list[Callable[[], str]] = []  # each gives a page of figures, or raises an `AscoltoError`

    def collect(self) -> Iterator[Metric]:
        """Everything, each name once."""
        found = {metric.name: metric for metric in super().collect()}
        for ask in self.beside:
            try:
                page = ask()
            except AscoltoError:  # its check says so; a page of figures must not fail for one of its parts
                continue
            for metric in text_string_to_metric_families(page):
                if not metric.name.startswith("ascolto_") or metric.name.endswith("_created"):
                    continue  # its memory is shown under a name of its own
                if metric.name in found:
                    found[metric.name].samples.extend(metric.samples)
                else:
                    found[metric.name] = metric
        yield from found.values()


class _Asked(Collector):
    """A collector that is asked nothing before somebody looks."""

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would ask for everything to learn the names."""
        return ()


class ServiceFigures(_Asked):
    """What every service has. A figure that cannot be told now is absent, so that nobody reads an old one."""

    def __init__(self, watched: Mapping[str, Watched]) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        """The newest of all."""
        letters = GaugeMetricFamily("ascolto_kit_dead_letters", "Records parked, not handled yet.", labels=_GROUP)
        leases = GaugeMetricFamily(
            "ascolto_kit_lease_seconds", "Until it ends unless renewed.", labels=("service", "lease", "holder")
        )
        commits = CounterMetricFamily("ascolto_kit_commits", "Transactions committed by this process.", labels=_SERVICE)
        for name, one in self._watched.items():
            commits.add_metric([name], one.service.database.commits)
            try:
                for group, topic, count in one.letters():
                    letters.add_metric([name, group, topic], count)
                for held in one.leases():
                    leases.add_metric([name, held.name, held.holder], held.left_s)
            except AscoltoError:  # the database's check says it
                continue
        yield from (letters, leases, commits)
        yield from self._pools()

    def _pools(self) -> Iterator[Metric]:
        size = GaugeMetricFamily("ascolto_kit_pool_size", "Ways into a database.", labels=_POOL)
        free = GaugeMetricFamily("ascolto_kit_pool_free", "Those nobody uses now.", labels=_POOL)
        waiting = GaugeMetricFamily("ascolto_kit_pool_waiting", "Who waits for one now.", labels=_POOL)
        waits = CounterMetricFamily("ascolto_kit_pool_waits", "Times somebody had to wait.", labels=_POOL)
        waited = CounterMetricFamily("ascolto_kit_pool_waited_seconds", "Seconds they waited in all.", labels=_POOL)
        refused = CounterMetricFamily("ascolto_kit_pool_refused", "Times none came free in time.", labels=_POOL)
        for name, one in self._watched.items():
            for pool in one.pools():
                labels = [name, pool.name]
                size.add_metric(labels, pool.size)
                free.add_metric(labels, pool.free)
                waiting.add_metric(labels, pool.waiting)
                waits.add_metric(labels, pool.waits)
                waited.add_metric(labels, pool.waited_s)
                refused.add_metric(labels, pool.refused)
        yield from (size, free, waiting, waits, waited, refused)


class ProcessFigures(_Asked):
    """What a process has: its checks, its disk, the loops of its workers."""

    def __init__(self, checks: Callable[[], Sequence[Check]], loops: Callable[[], Sequence[Loop]], data: Path) -> None:
        self._checks, self._loops, self._data = checks, loops, data

    def collect(self) -> Iterator[Metric]:
        """The newest of all; runs the checks."""
        check = GaugeMetricFamily("ascolto_kit_check", "1: it holds; as on /readyz.", labels=("check", "critical"))
        checks = self._checks()
        bad = {name for name, _, _ in failing(checks)}
        for one in checks:
            check.add_metric([one.name, str(one.critical).lower()], one.name not in bad)
        fails = CounterMetricFamily("ascolto_kit_worker_failures", "Times a worker began again.", labels=("worker",))
        for loop in self._loops():
            fails.add_metric([loop.thread.name], loop.failures)
        free = shutil.disk_usage(self._data).free
        yield from (check, fails)
        yield GaugeMetricFamily("ascolto_kit_disk_free_bytes", "Free on the disk of the data folder.", value=free)
