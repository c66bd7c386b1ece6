"""Wires search: the index of the data folder, its workers, its calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from prometheus_client import Gauge

from ascolto.search.v1.service_pb2_grpc import add_SearchServicer_to_server
from services.kit.app import Check, Service
from services.kit.backends import Parts, load
from services.kit.errors import Unavailable
from services.kit.rpc.caller import Caller
from services.search.clients import GrpcOwners
from services.search.consumer import Indexer
from services.search.domain.document import KINDS
from services.search.domain.query import EMPTY
from services.search.index.local.schema import VERSION
from services.search.ports import IndexDamaged, Owners, Plan, Scope
from services.search.rpc import SearchRpc
from services.search.usecases.find import Finder
from services.search.usecases.generations import Generations
from services.search.usecases.rebuild import Rebuilder
from services.search.usecases.watch import Watcher


def build(parts: Parts, owners: Owners | None = None) -> Service:
    """The service; `owners` replaces the calls to tickets and social in tests."""
    if owners is None:
        caller = Caller(service="search", keys=parts.keys, clock=parts.clock)
        owners = GrpcOwners(
            caller, parts.blobs, tickets_at=parts.channels["tickets"], social_at=parts.channels["social"]
        )
    generations = Generations(
        parts.database,
        parts.data / "search",
        load("index", parts.settings.index),
        schema=VERSION,
        clock=parts.clock,
    )
    indexer = Indexer(generations, parts.database, parts.log, parts.blobs, clock=parts.clock)
    rebuilder = Rebuilder(generations, owners, parts.database)
    rpc = SearchRpc(Finder(generations, owners), generations, indexer, rebuilder, clock=parts.clock)
    lag = Gauge("ascolto_search_lag_seconds", "Age of the oldest event not in the index.", registry=parts.metrics)
    lag.set_function(lambda: rpc.lag()[1])
    held = Gauge("ascolto_search_documents", "Documents in the index.", ["kind"], registry=parts.metrics)
    for kind in KINDS:
        held.labels(kind).set_function(partial(_documents, generations, kind))

    def check() -> None:
        if generations.live is None:
            raise Unavailable(f"There is no index to search: {generations.damaged or 'it is being built'}")

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


def _documents(generations: Generations, kind: str) -> int:
    """How many of a kind can be found now; none while there is no index."""
    index = generations.live
    if index is None:
        return 0
    try:
        return index.count(Plan(EMPTY, Scope((kind,)), spam=True))
    except IndexDamaged as error:
        generations.suspect(index, error)
        return 0
