"""The one way to call another service: with a deadline, a signed caller and our own errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from services.kit import log, trace
from services.kit.clock import Clock
from services.kit.db import guard
from services.kit.principal import Person, service_person
from services.kit.rpc import assertion, status
from services.kit.rpc.guard import TRACE
from services.kit.secrets import Keys

R = TypeVar("R")


class Caller:
    """Calls made by one service."""

    def __init__(self, *, service: str, keys: Keys, clock: Clock) -> None:
        self._self = service_person(service)
        self._signer = assertion.Signer(service=service, keys=keys, clock=clock)

    def invoke(
        self, method: Callable[..., R], request: Any, *, person: Person | None = None, timeout_s: float = 2.0
    ) -> R:
        """Calls a stub's method for `person` (None: this service itself) and returns the answer.

        Raises the callee's `AscoltoError`; `Unavailable` when it could not be reached or did not answer in time,
        in which case the act may have been applied all the same.
        """
        guard.refuse_inside_uow("An rpc")
        metadata: list[tuple[str, str | bytes]] = [(assertion.HEADER, self._signer.sign(person or self._self))]
        if current := log.trace_id():
            metadata.append((TRACE, current))
        try:
            with trace.span(f"call {type(request).__name__}"):
                return method(request, timeout=timeout_s, metadata=metadata + trace.headers())
        except grpc.RpcError as error:
            raise status.to_error(error.code(), error.details() or "", error.trailing_metadata() or ()) from error
