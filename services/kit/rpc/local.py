"""gRPC without a network: a server and a channel under the generated stubs, the handler on the caller's thread.

A call costs microseconds. Messages are not copied: handlers treat requests as read-only. The deadline is cooperative:
checked before the call, by `context.time_remaining()` while it runs, and on return (DEADLINE_EXCEEDED though applied),
so callers treat it as unknown, exactly as over the network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import grpc

from services.kit.errors import AscoltoError, Invalid
from services.kit.rpc import status
from services.kit.rpc.guard import MAX_MESSAGE_BYTES, MAX_RESPONSE_BYTES, Guard

if TYPE_CHECKING:
    from services.kit.config import Settings

_Metadata = Sequence[tuple[str, str | bytes]]


class LocalRpcError(grpc.RpcError):
    """A failed local call, with what a caller reads from gRPC's own."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: _Metadata = ()) -> None:
        super().__init__(f"{code.name}: {details}")
        self._code, self._details, self._trailing = code, details, tuple(trailing)

    def code(self) -> grpc.StatusCode:
        """Status."""
        return self._code

    def details(self) -> str:
        """Sentence."""
        return self._details

    def trailing_metadata(self) -> Any:
        """What travels beside."""
        return self._trailing


class LocalContext:
    """What a handler may ask of its call."""

    def __init__(self, metadata: _Metadata, deadline: float | None) -> None:
        self._metadata, self._deadline = metadata, deadline

    def invocation_metadata(self) -> _Metadata:
        """The caller's metadata."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, or None."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def is_active(self) -> bool:
        """Whether somebody still waits."""
        return self.time_remaining() != 0.0


class LocalServer:
    """Takes servicers by the generated `add_…Servicer_to_server` and answers through `channel()`."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._handlers: dict[str, Callable[[Any, Any], Any]] = {}

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Called by generated code."""
        for name, handler in handlers.items():
            self._handlers[f"/{service}/{name}"] = handler.unary_unary

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Called by generated code too; the registered methods say it all."""

    def channel(self) -> LocalChannel:
        """A channel to this server."""
        return LocalChannel(self)

    def call(self, method: str, request: Any, timeout: float | None, metadata: _Metadata) -> Any:
        """One call. Raises `LocalRpcError` as a network call would raise gRPC's."""
        handler = self._handlers.get(method)
        if handler is None:
            raise LocalRpcError(grpc.StatusCode.UNIMPLEMENTED, f"There is no method {method}.")
        if timeout is not None and timeout <= 0:
            raise LocalRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, f"{method} was not called: no time was left.")
        _limit(method, "request", request, MAX_MESSAGE_BYTES)
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            response = self._guard.run(method, handler, request, LocalContext(metadata, deadline), dict(metadata))
        except AscoltoError as error:
            raise LocalRpcError(status.CODES[error.kind], error.message, status.trailing(error)) from error
        _limit(method, "response", response, MAX_RESPONSE_BYTES)
        if deadline is not None and time.monotonic() > deadline:
            raise LocalRpcError(
                grpc.StatusCode.DEADLINE_EXCEEDED, f"{method} answered after its {timeout} s; it may have been applied."
            )
        return response


def _limit(method: str, what: str, message: Any, most: int) -> None:
    size = message.ByteSize()
    if size > most:
        raise LocalRpcError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"The {what} of {method} has {size} bytes, more than {most}.",
        )


class LocalChannel(grpc.Channel):
    """What generated stubs call."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    def unary_unary(self, method: str, *_serializers: Any, **_options: Any) -> Any:
        """A callable for one method."""

        def call(request: Any, timeout: float | None = None, metadata: _Metadata | None = None, **_more: Any) -> Any:
            return self._server.call(method, request, timeout, tuple(metadata or ()))

        return call

    def unary_stream(self, method: str, *_a: Any, **_k: Any) -> Any:
        """Our contract has no streams."""
        raise LocalRpcError(grpc.StatusCode.UNIMPLEMENTED, f"{method} streams; the contract has unary calls only.")

    stream_unary = stream_stream = unary_stream

    def subscribe(self, callback: Callable[..., None], try_to_connect: bool | None = None) -> None:
        """A local channel is always ready."""
        callback(grpc.ChannelConnectivity.READY)

    def unsubscribe(self, callback: Callable[..., None]) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()


class LocalCalls:
    """The backend `local:` of role rpc: every service is in this process, and nobody else can ask it."""

    def __init__(self, settings: Settings) -> None:
        """Takes the settings as every backend of the role does."""

    def channel(self, service: str) -> grpc.Channel:
        """Raises `Invalid`: there is nowhere else."""
        raise Invalid(
            f"{service} does not run in this process and ASCOLTO_RPC=local: reaches no other;"
            " name all services, or set ASCOLTO_RPC=grpc://{service}:8710.",
            field="ASCOLTO_RPC",
        )

    def instances(self, service: str) -> Sequence[tuple[str, grpc.Channel]]:
        """None elsewhere."""
        return ()

    def serve(self, guard: Guard, register: Callable[[grpc.Server], None]) -> None:
        """Nobody asks from outside."""

    def close(self) -> None:
        """Nothing to close."""
