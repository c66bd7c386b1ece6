"""What every call passes before its handler: who calls, may they, how did it end. The same on both transports."""

from __future__ import annotations

import contextvars
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import descriptor_pool
from prometheus_client import CollectorRegistry, Counter

from ascolto.common.v1 import options_pb2
from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import AscoltoError, Internal, Unauthenticated
from services.kit.principal import ADMIN, SERVICE, Person
from services.kit.rpc import assertion
from services.kit.secrets import Keys
from services.kit.trace import PARENT, Tracer

TRACE = "ascolto-trace"
MAX_MESSAGE_BYTES = 4 * 1024 * 1024  # of a request, which anybody may send
MAX_RESPONSE_BYTES = 256 * 1024 * 1024  # ours: a ticket is answered whole, however long its thread
_SLOW_S = 0.5
_person: contextvars.ContextVar[Person] = contextvars.ContextVar("person")


def person_of(_context: object) -> Person:
    """The caller of the handler that runs on this thread."""
    return _person.get()


@functools.cache
def permission_of(method: str) -> str:
    """The permission `/package.Service/Method` declares in its .proto; a method without one is refused to everybody."""
    service, _, name = method.lstrip("/").partition("/")
    options = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name].GetOptions()
    return str(options.Extensions[options_pb2.permission])


def call_counter(metrics: CollectorRegistry) -> Counter:
    """The counter that all guards of a process share."""
    return Counter(
        "ascolto_rpc_calls_total", "Calls by method and outcome.", ["service", "method", "outcome"], registry=metrics
    )


class Guard:
    """Runs handlers of one service for callers who may call them."""

    def __init__(self, *, service: str, keys: Keys, clock: Clock, calls: Counter, tracer: Tracer | None = None) -> None:
        self._service, self._keys, self._clock, self._calls = service, keys, clock, calls
        self._tracer = tracer
        self._log = log.logger(service)

    def run(
        self, method: str, handler: Callable[[Any, Any], Any], request: Any, context: Any, metadata: Mapping[str, Any]
    ) -> Any:
        """Calls `handler` as the caller named in `metadata`. Raises only `AscoltoError`s."""
        started = time.perf_counter()
        outcome = "ok"
        person_token = None
        try:
            person = self._admit(method, metadata)
            log.bind_trace(str(metadata.get(TRACE, "")))
            person_token = _person.set(person)
            if self._tracer is None:
                return handler(request, context)
            with self._tracer.served(self._service, method.rpartition("/")[2], str(metadata.get(PARENT, ""))):
                return handler(request, context)
        except AscoltoError as error:
            outcome = error.kind
            raise
        except Exception as error:
            outcome = "internal"
            self._log.exception("rpc.failed", method=method)
            raise Internal(
                f"{method} failed on our side; the log has the reason under trace {log.trace_id() or 'unknown'}."
            ) from error
        finally:
            if person_token is not None:
                _person.reset(person_token)
            self._calls.labels(self._service, method.rpartition("/")[2], outcome).inc()
            took = time.perf_counter() - started
            if took > _SLOW_S:
                self._log.warning("rpc.slow", method=method, duration_ms=round(took * 1000), outcome=outcome)

    def _admit(self, method: str, metadata: Mapping[str, Any]) -> Person:
        sealed = metadata.get(assertion.HEADER)
        if not isinstance(sealed, bytes):
            raise Unauthenticated("The call carries no assertion of its caller.")
        person = assertion.verify(sealed, keys=self._keys, clock=self._clock)
        needed = permission_of(method)
        if not needed:
            raise Internal(f"{method} declares no permission.")
        if needed == SERVICE:  # any service may ask on its own or a person's behalf: the signature proves it is one
            return person
        if needed == ADMIN or not person.may(needed):
            person.require(needed)
        return person
