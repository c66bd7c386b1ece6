"""Real gRPC: a server that runs the same guard, and channels to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from services.kit.config import HostPort
from services.kit.errors import AscoltoError, Invalid, Unavailable
from services.kit.rpc import status
from services.kit.rpc.guard import MAX_MESSAGE_BYTES, MAX_RESPONSE_BYTES, Guard

if TYPE_CHECKING:
    from services.kit.config import Settings

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


def listen(server: grpc.Server, address: Address, identity: Identity | None = None) -> int:
    """Binds and starts; returns the port. Raises `Unavailable` when it is taken."""
    where = _target(address)
    try:
        port = server.add_secure_port(where, identity.server()) if identity else server.add_insecure_port(where)
    except RuntimeError as error:
        raise Unavailable(
            f"The address {address} for calls between services cannot be used; choose another."
        ) from error
    server.start()
    return int(port)


def connect(*addresses: Address, identity: Identity | None = None) -> grpc.Channel:
    """A channel to the instances of another service; it connects with the first call and again when lost.

    Calls go to the instances by turns: to several addresses, or to all that one name stands for.
    """
    options = (*_CLIENT_SIZES, *_RECONNECT, ("grpc.lb_policy_name", "round_robin"))
    target = _targets(addresses)
    if identity is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, identity.client(), options=options)


def _target(address: Address) -> str:
    return f"unix:{address}" if isinstance(address, Path) else str(address)


def _targets(addresses: Sequence[Address]) -> str:
    """One gRPC target. Source: https://grpc.github.io/grpc/core/md_doc_naming.html; only numbers can be listed there."""
    if len(addresses) == 1:
        only = addresses[0]
        return _target(only) if isinstance(only, Path) else f"dns:///{only}"
    scheme = "ipv6" if ":" in _host(addresses[0]) else "ipv4"
    return f"{scheme}:{','.join(_number(address) for address in addresses)}"


def _host(address: Address) -> str:
    return address.host if isinstance(address, HostPort) else ""


def _number(address: Address) -> str:
    host = _host(address)
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise Invalid(
            f"{address}: several instances of one service are listed by number; with names, let one name have them all.",
            field="ASCOLTO_RPC",
        ) from error
    return str(address)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process proves itself with: TLS on both sides, by certificates of one authority (PEM)."""

    authority: bytes
    certificate: bytes
    key: bytes

    @classmethod
    def read(cls, settings: Settings) -> Identity:
        """Reads the three files. Raises `Invalid` naming the setting whose file cannot be read."""
        return cls(*(_file(settings, name) for name in ("rpc_ca", "rpc_cert", "rpc_key")))

    def server(self) -> grpc.ServerCredentials:
        """For who listens: callers without a certificate of the authority are refused."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)], root_certificates=self.authority, require_client_auth=True
        )

    def client(self) -> grpc.ChannelCredentials:
        """For who calls."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


def _file(settings: Settings, name: str) -> bytes:
    setting, path = f"ASCOLTO_{name.upper()}", str(getattr(settings, name))
    if not path:
        raise Invalid(f"ASCOLTO_RPC=grpcs: needs {setting}, the path of a PEM file.", field=setting)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Invalid(f"{setting}={path} cannot be read: {error.strerror}.", field=setting) from error


class NetworkCalls:
    """The backend `grpc:` of role rpc: services of other processes, and this one's answers to them."""

    def __init__(self, settings: Settings) -> None:
        scheme, _, rest = settings.rpc.partition("://")
        self._identity = Identity.read(settings) if scheme == "grpcs" else None
        self._first = settings.rpc_listen
        self._places = [_place(entry) for entry in rest.split(",")]
        self._servers: list[grpc.Server] = []

    def channel(self, service: str) -> grpc.Channel:
        """A channel to a service of other processes. Raises `Invalid` when the setting does not say where it is."""
        found = self._found(service)
        if not found:
            raise Invalid(f"ASCOLTO_RPC does not say where {service} answers.", field="ASCOLTO_RPC")
        return connect(*found, identity=self._identity)

    def _found(self, service: str) -> list[HostPort]:
        return [HostPort.parse(at.replace("{service}", service)) for name, at in self._places if name in {"", service}]

    def instances(self, service: str) -> Sequence[tuple[str, grpc.Channel]]:
        """Address and a channel of its own for each place where a service answers."""
        return [(str(place), connect(place, identity=self._identity)) for place in self._found(service)]

    def serve(self, guard: Guard, register: Callable[[grpc.Server], None]) -> None:
        """Answers other processes' calls of one more service of this one."""
        made = server(guard)
        register(made)
        port = self._first.port and self._first.port + len(self._servers)
        listen(made, HostPort(self._first.host, port), self._identity)
        self._servers.append(made)

    def close(self) -> None:
        """Ends the answers; calls under way have 2 s."""
        for ended in [one.stop(2.0) for one in self._servers]:
            ended.wait()


def _place(entry: str) -> tuple[str, str]:
    """Service, empty for all, and address of `service=host:port` or `host:port`."""
    name, separator, where = entry.strip().rpartition("=")
    try:
        HostPort.parse(where.replace("{service}", "a"))
    except ValueError as error:
        raise Invalid(f"ASCOLTO_RPC has {entry!r}: {error}.", field="ASCOLTO_RPC") from error
    return (name if separator else ""), where
