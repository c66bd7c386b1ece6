"""Questions put to every service alike: health and dead letters. One that does not answer only spoils its own part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.common.v1 import operations_pb2 as pb
from ascolto.common.v1 import operations_pb2_grpc as rpc
from services.kit.errors import AscoltoError, NotFound

if TYPE_CHECKING:
    import grpc

    from services.kit.principal import Person
    from services.kit.rpc import Caller

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Part(Generic[R]):
    """One service's answer, or why there is none."""

    service: str
    value: R | None
    error: str = ""


class OperationsClient:
    """Fans out; every call ends by its own deadline."""

    def __init__(self, caller: Caller, channels: Mapping[str, grpc.Channel]) -> None:
        self._caller = caller
        self._stubs = {name: rpc.OperationsStub(channel) for name, channel in channels.items()}
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(self._stubs)), thread_name_prefix="desk-fan-out")

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def services(self) -> Sequence[str]:
        """Who is asked."""
        return tuple(self._stubs)

    def health(self) -> Sequence[Part[pb.HealthResponse]]:
        """Of every service."""
        return self._each(lambda stub: self._caller.invoke(stub.Health, common.Empty(), timeout_s=1.5))

    def dead_letters(
        self, person: Person, *, limit: int = 50, after: str = ""
    ) -> Sequence[Part[pb.ListDeadLettersResponse]]:
        """One page of every service; `after` is that of a single service's page when only one is read on."""
        request = pb.ListDeadLettersRequest(page=common.Page(limit=limit, after=after))
        return self._each(lambda stub: self._caller.invoke(stub.ListDeadLetters, request, person=person, timeout_s=2.0))

    def dead_letters_of(
        self, person: Person, service: str, *, limit: int, after: str = ""
    ) -> pb.ListDeadLettersResponse:
        """One page of one service."""
        request = pb.ListDeadLettersRequest(page=common.Page(limit=limit, after=after))
        return self._caller.invoke(self._stub(service).ListDeadLetters, request, person=person, timeout_s=2.0)

    def replay(
        self,
        person: Person,
        service: str,
        *,
        ids: Sequence[str] = (),
        all: bool = False,
        reason_kind: str = "",
        confirmed: bool = False,
    ) -> Sequence[pb.ReplayOutcome]:
        """Tries dead letters of one service again; `confirmed`: replies may be sent."""
        request = pb.ReplayDeadLettersRequest(ids=ids, all=all, reason_kind=reason_kind, confirmed=confirmed)
        return self._caller.invoke(
            self._stub(service).ReplayDeadLetters, request, person=person, timeout_s=30.0
        ).results

    def _stub(self, service: str) -> rpc.OperationsStub:
        if service not in self._stubs:
            raise NotFound(f"There is no service {service!r}.", field="service")
        return self._stubs[service]

    def _each(self, ask: Callable[[rpc.OperationsStub], R]) -> Sequence[Part[R]]:
        futures = {name: self._pool.submit(ask, stub) for name, stub in self._stubs.items()}
        parts: list[Part[R]] = []
        for name, future in futures.items():
            try:
                parts.append(Part(name, future.result()))
            except AscoltoError as error:
                parts.append(Part(name, None, error.message))
        return parts
