"""Real gRPC: a server that runs the same guard, and channels to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from services.kit.config import HostPort
from services.kit.errors import AscoltoError, Unavailable
from services.kit.rpc import status
from services.kit.rpc.guard import MAX_MESSAGE_BYTES, MAX_RESPONSE_BYTES, Guard

_RECEIVE, _SEND = "grpc.max_receive_message_length", "grpc.max_send_message_length"
_SERVER_SIZES = ((_RECEIVE, MAX_MESSAGE_BYTES), (_SEND, MAX_RESPONSE_BYTES))
_CLIENT_SIZES = ((_RECEIVE, MAX_RESPONSE_BYTES), (_SEND, MAX_MESSAGE_BYTES))
# gRPC waits 1 s before it tries a lost server again, then longer and longer, up to 2 minutes; ours is back sooner.
_RECONNECT = tuple(
    (f"grpc.{name}_reconnect_backoff_ms", most) for name, most in (("initial", 100), ("min", 100), ("max", 300))
)
Address = HostPort | Path  # a path is that of a socket, which the kernel limits to 108 bytes


class _GuardInterceptor(grpc.ServerInterceptor):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler

        def guarded(request: Any, context: Any) -> Any:
            metadata = dict(context.invocation_metadata())
            try:
                return self._guard.run(details.method, handler.unary_unary, request, context, metadata)
            except AscoltoError as error:
                context.set_trailing_metadata(status.trailing(error))
                context.abort(status.CODES[error.kind], error.message)

        return grpc.unary_unary_rpc_method_handler(
            guarded, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )


def server(guard: Guard, *, threads: int = 16) -> grpc.Server:
    """A server without ports; `listen` gives it one. At most eight calls a thread wait, more are refused at once."""
    return grpc.server(
        ThreadPoolExecutor(max_workers=threads, thread_name_prefix="rpc"),
        interceptors=[_GuardInterceptor(guard)],
        options=_SERVER_SIZES,
        maximum_concurrent_rpcs=threads * 8,
    )


def listen(server: grpc.Server, address: Address) -> int:
    """Binds and starts; returns the port. Raises `Unavailable` when it is taken."""
    try:
        port = server.add_insecure_port(_target(address))
    except RuntimeError as error:
        raise Unavailable(
            f"The address {address} for calls between services cannot be used; choose another."
        ) from error
    server.start()
    return int(port)


def connect(address: Address) -> grpc.Channel:
    """A channel to another service; it connects with the first call and again when lost."""
    return grpc.insecure_channel(_target(address), options=(*_CLIENT_SIZES, *_RECONNECT))


def _target(address: Address) -> str:
    return f"unix:{address}" if isinstance(address, Path) else str(address)
