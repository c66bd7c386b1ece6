"""Structured logs: one canonical line an event, on standard error, with the trace id of the edge.

Ids yes; bodies, addresses and tokens never. A processor refuses the field names that would carry them.
"""

from __future__ import annotations

import contextvars
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from services.kit.ids import fresh_bytes

_trace: contextvars.ContextVar[str] = contextvars.ContextVar("trace_id", default="")
_PERSONAL = frozenset(
    {"text", "body", "html", "email", "address", "phone", "password", "token", "secret", "subject", "name", "query"}
)


def new_trace() -> str:
    """Begins a trace on this thread or task; returns its id (32 hexadecimal digits, as in W3C Trace Context)."""
    trace_id = fresh_trace()
    _trace.set(trace_id)
    return trace_id


def fresh_trace() -> str:
    """An id for a trace, of work that is on no thread of its own."""
    return fresh_bytes(16).hex()


def bind_trace(trace_id: str) -> None:
    """Goes on with a trace that began elsewhere."""
    _trace.set(trace_id)


def trace_id() -> str:
    """The trace of this thread or task, or an empty string."""
    return _trace.get()


def _add_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if current := _trace.get():
        event.setdefault("trace_id", current)
    return event


def _drop_personal(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in _PERSONAL & event.keys():
        event[name] = "…"
    return event


class _StandardError:
    """Standard error as it is at each line: whoever redirects it later is followed."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def set_up(*, form: str, level: str) -> None:
    """Configures logging for the process: ours, and what libraries say from warning on."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_trace,
            _drop_personal,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(_StandardError()),  # type: ignore[arg-type]  # print needs no more
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s", force=True
    )


def logger(service: str) -> Any:
    """The logger of a service."""
    return structlog.get_logger(service=service)
