"""Wires search: the index of the data folder, its workers, its calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.search.v1.service_pb2 import StatusResponse
from ascolto.search.v1.service_pb2_grpc import SearchStub, add_SearchServicer_to_server
from services.kit.app import Check, Service
from services.kit.backends import Parts, load
from services.kit.bus import Log
from services.kit.clock import Clock
from services.kit.errors import AscoltoError, Unavailable
from services.kit.inbox import Place
from services.kit.rpc.caller import Caller
from services.kit.uow import Database, Uow
from services.search import wire
from services.search.clients import GrpcOwners
from services.search.consumer import GROUP, Indexer
from services.search.domain.document import KINDS
from services.search.ports import Owners
from services.search.rpc import SearchRpc
from services.search.usecases.find import Finder
from services.search.usecases.generations import Generations
from services.search.usecases.rebuild import Rebuilder
from services.search.usecases.watch import Watcher

_ASK_S = 1.5
_NO_INDEX = frozenset({"absent", "damaged"})


def build(parts: Parts, owners: Owners | None = None) -> Service:
    """The service; `owners` replaces the calls to tickets and social in tests."""
    if owners is None:
        caller = Caller(service="search", keys=parts.keys, clock=parts.clock)
        owners = GrpcOwners(
            caller, parts.blobs, tickets_at=parts.channels["tickets"], social_at=parts.channels["social"]
        )
    engine = load("index", parts.settings.index)(parts.settings.index, parts.data / "search")
    generations = Generations(parts.database, engine, clock=parts.clock)
    indexer = Indexer(generations, parts.database, parts.log, parts.blobs, clock=parts.clock, tracer=parts.tracer)
    rebuilder = Rebuilder(generations, owners, parts.database, parts.leases, parts.instance)
    rpc = SearchRpc(
        Finder(generations, owners, lambda: indexer.behind().events), generations, indexer, rebuilder, clock=parts.clock
    )
    parts.metrics.register(Figures(rpc.status))

    def check() -> None:
        generations.open()
        index = generations.live
        if index is None:
            raise Unavailable(f"There is no index to search: {generations.damaged or 'it is being built'}")
        index.ping()

    def stages() -> Sequence[tuple[str, int, int, int, int, float]]:
        events, seconds = rpc.lag()
        return [("index", indexer.handled + events, indexer.handled, events, int(bool(indexer.paused)), seconds)]

    return Service(
        name="search",
        database=parts.database,
        rpc=[lambda server: add_SearchServicer_to_server(rpc, server)],
        workers=[indexer, rebuilder, Watcher(generations)],
        checks=[Check("search: index", check, critical=False)],
        stages=stages,
        on_stop=[generations.suspected.set],
    )


def pass_over(database: Database, event_log: Log, clock: Clock) -> None:
    """Has the index begin behind all that is in the log now: after a restore, when it is built from the owners anyway.

    What was published after the backup tells of tickets that no longer are.
    """
    now_us = int(clock.now().timestamp() * 1_000_000)
    ends = {part: bounds.end for topic in wire.CONSUMES for part, bounds in event_log.bounds(topic).items()}

    def register(uow: Uow) -> None:
        for part, end in ends.items():
            Place(GROUP, part.topic, part.partition).register(uow, end, now_us)

    database.write(register)


def build_apart(parts: Parts) -> Service:
    """What the main process shows of search when that runs in a process of its own (`services.search.__main__`)."""
    caller = Caller(service="search", keys=parts.keys, clock=parts.clock)

    def ask() -> StatusResponse:
        return caller.invoke(SearchStub(parts.channels["search"]).Status, Empty(), timeout_s=_ASK_S)

    def check() -> None:
        status = ask()
        if status.state in _NO_INDEX:
            raise Unavailable(f"There is no index to search: {status.last_error or 'it is being built'}")

    return Service(
        name="search",
        database=parts.database,
        process="services.search",
        checks=[Check("search: index", check, critical=False)],
    )


class Figures(Collector):
    """What is measured of the index; by the process that has it, whose page is shown with the main process's."""

    def __init__(self, ask: Callable[[], StatusResponse]) -> None:
        self._ask = ask

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before somebody looks."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The newest figures, by one call."""
        try:
            status = self._ask()
        except AscoltoError:  # health says so; a page of metrics must not fail for one of its parts
            return
        yield GaugeMetricFamily(
            "ascolto_search_lag_seconds", "Age of the oldest event not in the index.", value=status.lag_s
        )
        yield GaugeMetricFamily("ascolto_search_lag_events", "Events not in the index.", value=status.lag_events)
        yield GaugeMetricFamily(
            "ascolto_search_usable", "1: there is an index to search.", value=status.state not in _NO_INDEX
        )
        held = GaugeMetricFamily("ascolto_search_documents", "Documents in the index.", labels=["kind"])
        for kind in KINDS:
            held.add_metric([kind], status.by_kind.get(kind, 0))
        yield held
