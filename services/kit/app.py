"""What a service is made of, and the application that runs a set of them until a signal.

Each `services/<name>/app.py` has `build(...) -> Service`; `services/__main__.py` adds them up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import grpc
    from starlette.types import ASGIApp

    from services.kit.bus import Record
    from services.kit.uow import Database, Uow


class Worker(Protocol):
    """A loop of its own thread: a poller, a sender, a pruner, a listener.

    One that consumers cannot do without has a true attribute `feeds_consumers`: it also runs where they run alone, and
    neither takes anything in nor sends anything.
    """

    name: str

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set; returns within 5 s of it. An exception is logged, counted and the loop begun again with back-off."""
        ...


Handler = Callable[[Sequence["Record"], "Uow"], None]


@dataclass(frozen=True, slots=True)
class Consumption:
    """One consumer group over one topic: `handle(records, uow)` runs in the transaction that moves the position.

    `records` hold only events not yet applied and only kinds in `kinds`. `ignored` kinds are skipped; any other kind
    is parked as `newer_schema`. Raise `Unavailable` to pause and retry for ever; anything else parks the one record
    at fault after it was tried alone.
    """

    group: str
    topic: str
    kinds: frozenset[str]
    handle: Handler
    ignored: frozenset[str] = frozenset()
    batch: int = 500


@dataclass(frozen=True, slots=True)
class Mount:
    """An ASGI application under a path prefix; the longest prefix wins."""

    prefix: str
    app: ASGIApp


@dataclass(frozen=True, slots=True)
class Check:
    """A health check: `run` raises with a sentence when the thing is not usable."""

    name: str
    run: Callable[[], None]
    critical: bool = True


@dataclass(frozen=True, slots=True)
class Service:
    """Everything the application must start for one service."""

    name: str
    database: Database
    process: str = ""  # a module: the service runs in a process of its own, and this is what the others see of it
    rpc: Sequence[
        Callable[[grpc.Server], None]
    ] = ()  # each adds one servicer: lambda server: add_XServicer_to_server(x, server)
    consumers: Sequence[Consumption] = ()
    workers: Sequence[Worker] = ()
    mounts: Sequence[Mount] = ()
    checks: Sequence[Check] = ()
    stages: Callable[[], Sequence[tuple[str, int, int, int, int, float]]] | None = (
        None  # name, in, out, waiting, failing, oldest_s
    )
    on_stop: Sequence[Callable[[], None]] = field(default=())
