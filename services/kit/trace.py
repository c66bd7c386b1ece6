"""Spans of the traces whose ids `kit.log` binds: where the time between the edge and the index went. Off unless set.

A trace's first span has the second half of the trace's id as its own: whoever knows the trace knows where it hangs,
so nothing but that id need travel in envelopes. Libraries are loaded when `ASCOLTO_TRACES` is set, and only then.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from ascolto.common.v1.envelope_pb2 import Envelope
from services.kit import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kit.bus import Record

PARENT = "traceparent"
_EXPORT_S = 3.0  # a collector that is away is not waited for longer, at the end neither
_MOST_QUEUED = 4096  # further spans are dropped: whoever watches must not fill the memory


@dataclass(frozen=True, slots=True)
class _Active:
    """The span under way on this thread or task."""

    tracer: Tracer
    service: str
    span: Any


_active: contextvars.ContextVar[_Active | None] = contextvars.ContextVar("span", default=None)


def open_tracer(endpoint: str, instance: str) -> Tracer | None:
    """Sends spans to an OTLP/HTTP endpoint from now on; None, and no cost, for an empty one."""
    return Tracer(endpoint, instance) if endpoint else None


@contextlib.contextmanager
def _part(active: _Active, name: str, service: str) -> Iterator[None]:
    with active.tracer.under(service or active.service, name, active.span.get_span_context()):
        yield


def span(name: str, *, service: str = "") -> contextlib.AbstractContextManager[None]:
    """A part of the span under way, of the same service where none is named; nothing when there is none."""
    active = _active.get()
    return _NOTHING if active is None else _part(active, name, service)


_NOTHING = contextlib.nullcontext()


def headers() -> list[tuple[str, str | bytes]]:
    """What tells the other side of a call which span it is a part of; empty when nobody traces."""
    active = _active.get()
    if active is None:
        return []
    here = active.span.get_span_context()
    return [(PARENT, _parent(here.trace_id, here.span_id))]


def parent_of(trace_id: str) -> str:
    """W3C Trace Context of a trace's first span, for what hangs on it. Source: https://www.w3.org/TR/trace-context/#traceparent-header."""
    return _parent(int(trace_id, 16), _root_of(trace_id))


def _parent(trace_id: int, span_id: int) -> str:
    return f"00-{trace_id:032x}-{span_id:016x}-01"


def _root_of(trace_id: str) -> int:
    return int(trace_id[16:], 16)


def trace_of(envelope: bytes) -> str:
    """The trace of an event; empty for what is none."""
    try:
        return Envelope.FromString(envelope).trace_id
    except DecodeError:
        return ""  # its consumers park it


class Tracer:
    """All spans of a process, sent by a thread of its own; a collector that is away costs only the spans."""

    def __init__(self, endpoint: str, instance: str) -> None:
        from opentelemetry import context, trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        begun = threading.local()  # the trace whose first span is being made on this thread

        class Ids(RandomIdGenerator):
            def generate_trace_id(self) -> int:
                return int(begun.trace_id, 16)

            def generate_span_id(self) -> int:
                trace_id = getattr(begun, "trace_id", "")
                return _root_of(trace_id) if trace_id else super().generate_span_id()

        self._api, self._context, self._begun = trace, context.Context, begun
        sender = OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_S)
        self._processor = BatchSpanProcessor(sender, max_queue_size=_MOST_QUEUED, schedule_delay_millis=1000)
        self._make: Callable[[str], Any] = lambda service: TracerProvider(
            resource=Resource.create({"service.name": f"ascolto-{service}", "service.instance.id": instance}),
            id_generator=Ids(),
            shutdown_on_exit=False,
        )
        self._makers: dict[str, Any] = {}  # of spans, by service
        self._lock = threading.Lock()

    def _maker(self, service: str) -> Any:
        with self._lock:
            if service not in self._makers:
                provider = self._make(service)
                provider.add_span_processor(self._processor)
                self._makers[service] = provider.get_tracer("ascolto")
            return self._makers[service]

    @contextlib.contextmanager
    def root(self, service: str, name: str, **attributes: str | int) -> Iterator[Any]:
        """The first span of the trace that `log` has bound: what an edge does for one request."""
        self._begun.trace_id = log.trace_id()
        try:
            first = self._maker(service).start_span(name, self._context(), self._api.SpanKind.SERVER, attributes)
        finally:
            self._begun.trace_id = ""
        with self._entered(service, first):
            yield first

    @contextlib.contextmanager
    def served(self, service: str, name: str, parent: str) -> Iterator[None]:
        """The answer to a call: a part of the span named by the caller, or of the first of the trace bound."""
        fields = parent.split("-")
        if len(fields) != 4:
            fields = parent_of(log.trace_id()).split("-") if log.trace_id() else []
        if not fields:
            yield
            return
        there = self._remote(int(fields[1], 16), int(fields[2], 16))
        with self.under(service, name, there, self._api.SpanKind.SERVER):
            yield

    @contextlib.contextmanager
    def under(self, service: str, name: str, parent: Any, kind: Any = None) -> Iterator[None]:
        """A span below `parent`."""
        made = self._maker(service).start_span(name, self._below(parent), kind or self._api.SpanKind.INTERNAL)
        with self._entered(service, made):
            yield

    def took(self, service: str, name: str, traces: Iterable[str], begun_ns: int) -> None:
        """What was done for several traces at once, from `begun_ns` (`time.time_ns`) until now: a span in each of them."""
        ended_ns = time.time_ns()
        for trace_id in {one for one in traces if one}:
            first = self._remote(int(trace_id, 16), _root_of(trace_id))
            made = self._maker(service).start_span(
                name,
                self._below(first),
                self._api.SpanKind.CONSUMER,
                links=[self._api.Link(first)],
                start_time=begun_ns,
            )
            made.end(ended_ns)

    def consumed(self, service: str, name: str, records: Iterable[Record], begun_ns: int) -> None:
        """As `took`, for records of the log."""
        self.took(service, name, [trace_of(record.data) for record in records], begun_ns)

    def _below(self, parent: Any) -> Any:
        return self._api.set_span_in_context(self._api.NonRecordingSpan(parent), self._context())

    def _remote(self, trace_id: int, span_id: int) -> Any:
        flags = self._api.TraceFlags(self._api.TraceFlags.SAMPLED)
        return self._api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)

    @contextlib.contextmanager
    def _entered(self, service: str, made: Any) -> Iterator[None]:
        token = _active.set(_Active(self, service, made))
        try:
            yield
        except BaseException as error:
            made.set_status(
                self._api.Status(self._api.StatusCode.ERROR, type(error).__name__)
            )  # its text may be personal
            raise
        finally:
            _active.reset(token)
            made.end()

    def close(self) -> None:
        """Sends what waits, for some seconds at most."""
        ending = threading.Thread(target=self._processor.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(_EXPORT_S)
