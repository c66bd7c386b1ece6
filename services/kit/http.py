"""One port for everything HTTP: which application answers a path, health, metrics, and a server that stops well."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from services.kit import log
from services.kit.app import Check, Mount
from services.kit.config import HostPort
from services.kit.errors import Unavailable
from services.kit.trace import Tracer

_GRACE_S = 5


class Dispatcher:
    """Sends each request to the mount with the longest prefix of its path; paths are handed on whole."""

    def __init__(
        self,
        mounts: Sequence[Mount],
        *,
        checks: Sequence[Check],
        metrics: CollectorRegistry,
        metrics_from: str = "127.0.0.0/8,::1/128",
        tracer: Tracer | None = None,
    ) -> None:
        self._tracer = tracer
        self.open(mounts, checks)
        self._metrics = metrics
        self._readers = [ip_network(part.strip()) for part in metrics_from.split(",") if part.strip()]
        self._log = log.logger("http").bind()  # bound once: a lazy logger binds anew for each request
        self._counted: dict[tuple[str, int], Any] = {}
        self._timed: dict[str, Any] = {}
        self._requests = Counter(
            "ascolto_http_requests_total", "Requests by area and status class.", ["area", "status"], registry=metrics
        )
        self._seconds = Histogram(
            "ascolto_http_request_seconds", "Seconds until the answer was complete.", ["area"], registry=metrics
        )

    def open(self, mounts: Sequence[Mount], checks: Sequence[Check]) -> None:
        """From now on these applications answer, and readiness rests on these checks."""
        self._mounts = sorted(mounts, key=lambda mount: len(mount.prefix), reverse=True)
        self._checks = checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        path: str = scope["path"]
        if own := {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._show_metrics}.get(path):
            await own(scope, receive, send)
            return
        for mount in self._mounts:
            if mount.prefix in {"/", path} or path.startswith(mount.prefix + "/"):
                await self._measured(mount, scope, receive, send)
                return
        found = 404 if self._mounts else 503  # without mounts the services are being started
        title = "Not found" if self._mounts else "Starting; try again in a moment."
        problem = {"type": "about:blank", "title": title, "status": found}
        await answer(send, found, problem, media_type="application/problem+json")

    async def _measured(self, mount: Mount, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 500
        log.new_trace()

        async def note(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            if self._tracer is None:
                await mount.app(scope, receive, note)
            else:
                method = scope.get("method", "WS")
                with self._tracer.root("http", f"{method} {mount.prefix}", method=method, area=mount.prefix) as span:
                    await mount.app(scope, receive, note)
                    span.set_attribute("status", status)
        finally:
            took = time.perf_counter() - started
            self._count(mount.prefix, status // 100, took)
            self._log.debug(
                "http.request",
                area=mount.prefix,
                method=scope.get("method", "WS"),
                status=status,
                duration_ms=round(took * 1000),
            )

    def _count(self, area: str, status_class: int, took_s: float) -> None:
        """Looks each series up once: `labels` takes a lock and builds a key."""
        counted = self._counted.get((area, status_class))
        if counted is None:
            counted = self._counted[area, status_class] = self._requests.labels(area, f"{status_class}xx")
        counted.inc()
        timed = self._timed.get(area)
        if timed is None:
            timed = self._timed[area] = self._seconds.labels(area)
        timed.observe(took_s)

    async def _healthz(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, {"status": "alive"})

    async def _readyz(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        faults = await asyncio.to_thread(failing, self._checks)
        bad = any(critical for _, _, critical in faults)
        await answer(
            send,
            503 if bad else 200,
            {"status": "not ready" if bad else "ready", "faults": {name: detail for name, detail, _ in faults}},
        )

    def _may_read(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False  # a socket without an address
        return any(address in network for network in self._readers)

    async def _show_metrics(self, scope: Scope, _receive: Receive, send: Send) -> None:
        peer = (scope.get("client") or ("",))[0]
        if not self._may_read(peer):
            await answer(
                send, 403, {"status": 403, "title": "Metrics are for the networks of ASCOLTO_METRICS_FROM alone."}
            )
            return
        text = await asyncio.to_thread(generate_latest, self._metrics)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")],
            }
        )
        await send({"type": "http.response.body", "body": text})


def failing(checks: Sequence[Check]) -> list[tuple[str, str, bool]]:
    """Name, reason and weight of each check that does not hold."""
    faults = []
    for check in checks:
        try:
            check.run()
        except Exception as error:  # noqa: BLE001 (a check says "broken" by raising whatever it meets; the reason is shown)
            faults.append((check.name, str(error), check.critical))
    return faults


async def answer(send: Send, status: int, body: dict[str, Any], *, media_type: str = "application/json") -> None:
    """Sends a small JSON answer."""
    data = json.dumps(body).encode()
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(data)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def _lifespan(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the application decides when to stop, and exits with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serves an ASGI application on its own thread."""

    def __init__(self, app: ASGIApp, address: HostPort, *, trust_proxy: bool) -> None:
        self._socket = bind(address, "ASCOLTO_HTTP")
        self.address = HostPort(address.host, self._socket.getsockname()[1])
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=trust_proxy,
            forwarded_allow_ips="*" if trust_proxy else None,
            timeout_graceful_shutdown=_GRACE_S,
            ws="websockets-sansio",
            ws_max_size=64 * 1024,
            backlog=2048,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http", daemon=True
        )

    def start(self) -> None:
        """Returns when requests are answered."""
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable(f"The HTTP server on {self.address} did not start; the log says why.")
            time.sleep(0.01)

    def stop(self) -> None:
        """Takes no new connections, lets answers under way finish for 5 s, closes."""
        self._server.should_exit = True
        if self._thread.ident is not None:  # the start failed before it
            self._thread.join(timeout=_GRACE_S + 5)
        self._socket.close()


def bind(address: HostPort, setting: str) -> socket.socket:
    """A listening TCP socket. Raises `Unavailable` naming the setting when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"{setting}={address} cannot be listened on: {error.strerror}. Stop what uses it, or set {setting} to another address."
        ) from error
    return listener


def free_port(preferred: HostPort, tries: int = 50) -> HostPort:
    """`preferred`, or the next port that is free; for port 0 any free one."""
    for port in range(preferred.port, preferred.port + tries) if preferred.port else (0,):
        try:
            with bind(HostPort(preferred.host, port), "") as listener:
                return HostPort(preferred.host, listener.getsockname()[1])
        except Unavailable:
            continue
    raise Unavailable(f"No free port from {preferred} on in {tries} tries.")
