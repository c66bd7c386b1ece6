"""Real gRPC: a server that runs the same guard, and channels to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from services.kit.config import HostPort
from services.kit.errors import AscoltoError, Unavailable
from services.kit.rpc import status
from services.kit.rpc.guard import MAX_MESSAGE_BYTES, MAX_RESPONSE_BYTES, Guard

_RECEIVE, _SEND = "grpc.max_receive_message_length", "grpc.max_send_message_length"
_SERVER_SIZES = ((_RECEIVE, MAX_MESSAGE_BYTES), (_SEND, MAX_RESPONSE_BYTES))
_CLIENT_SIZES = ((_RECEIVE, MAX_RESPONSE_BYTES), (_SEND, MAX_MESSAGE_BYTES))


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


def listen(server: grpc.Server, address: HostPort) -> int:
    """Binds and starts; returns the port. Raises `Unavailable` when it is taken."""
    try:
        port = server.add_insecure_port(str(address))
    except RuntimeError as error:
        raise Unavailable(
            f"The address {address} for calls between services cannot be used; choose another."
        ) from error
    server.start()
    return int(port)


def connect(address: HostPort) -> grpc.Channel:
    """A channel to another service; it connects with the first call and again when lost."""
    return grpc.insecure_channel(str(address), options=_CLIENT_SIZES)
