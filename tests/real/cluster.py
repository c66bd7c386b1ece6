"""The distributed system on one machine: so many processes of each service, behind balancers, over the servers given."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import httpx

from services.demo.process import Product
from services.kit.backends import SERVICES
from services.kit.config import HostPort
from services.kit.http import free_port

_READY_S = 240.0  # ten interpreters start at once on two cores
_STOP_S = 30.0


def free() -> str:
    """A free address."""
    return str(free_port(HostPort("127.0.0.1", 0)))


class Balancer:
    """Gives each connection to the next backend that takes it."""

    def __init__(self, address: str, backends: Sequence[str]) -> None:
        self._address, self._backends, self._turn = HostPort.parse(address), list(backends), count()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="balancer", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._started.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, self._address.host, self._address.port)
        )
        self._started.set()
        self._loop.run_forever()
        server.close()
        if under_way := asyncio.all_tasks(self._loop):
            for task in under_way:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(under_way))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await self._connect()
        if there is None:
            writer.close()
            return
        back, out = there
        await asyncio.gather(_pipe(reader, out), _pipe(back, writer))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turn)
        for number in range(len(self._backends)):
            address = HostPort.parse(self._backends[(first + number) % len(self._backends)])
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(address.host, address.port)
        return None


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side is gone: the other is told by the end
    finally:
        writer.close()


@dataclass(slots=True)
class Instance:
    """One process of one service."""

    service: str
    number: int
    http: str
    smtp: str
    rpc: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        try:
            return httpx.get(f"http://{self.http}/readyz", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False


@dataclass(slots=True)
class Cluster(Product):
    """As the product of the check: `http` and `smtp` are the balancers' addresses."""

    backends: Mapping[str, str] = field(default_factory=dict)
    each: int = 2
    fewer: Mapping[str, int] = field(default_factory=dict)  # of these services, so many
    edge: str = field(default_factory=free)
    instances: list[Instance] = field(default_factory=list)
    balancers: list[Balancer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.instances = [
            Instance(service, number, free(), free(), free())
            for service in SERVICES
            for number in range(self.fewer.get(service, self.each))
        ]
        where = ",".join(f"{one.service}={one.rpc}" for one in self.instances)
        self.extra = {
            **self.backends,
            "ASCOLTO_RPC": f"grpc://{where}",
            "ASCOLTO_KEY_FILE": str(self.folder / "key"),
            "ASCOLTO_PUBLIC_URL": self.url,
        }
        for address, service, what in (
            (self.http, "desk", "http"),
            (self.edge, "intake", "http"),
            (self.smtp, "intake", "smtp"),
        ):
            self.balancers.append(Balancer(address, [getattr(one, what) for one in self.of(service)]))

    @property
    def edge_url(self) -> str:
        return f"http://{self.edge}"

    def of(self, service: str) -> list[Instance]:
        """The instances of a service."""
        return [one for one in self.instances if one.service == service]

    def start(self) -> float:
        """Starts what does not run; returns the seconds until all were ready."""
        began = time.monotonic()
        if self.process is None:
            for balancer in self.balancers:
                balancer.start()
        for one in self.instances:
            if not one.running:
                self.start_one(one)
        self.process = self.instances[0].process
        while waiting := [one for one in self.instances if not one.ready()]:
            if dead := [one.name for one in waiting if not one.running]:
                raise RuntimeError(f"{dead} ended: {self.log()}")
            if time.monotonic() - began > _READY_S:
                raise RuntimeError(f"{[one.name for one in waiting]} did not become ready: {self.log()}")
            time.sleep(0.1)  # sleep: the pause of a wait on a condition
        return time.monotonic() - began

    def start_one(self, one: Instance) -> None:
        """Starts one process."""
        with (self.folder / "log.txt").open("ab") as log:
            one.process = subprocess.Popen(
                [sys.executable, "-m", "services", "run", one.service],
                env=self.environment_of(one),
                stdout=log,
                stderr=log,
            )

    def environment_of(self, one: Instance) -> dict[str, str]:
        """The settings of one process."""
        return self.environment | {
            "ASCOLTO_DATA": str(self.folder / one.name),
            "ASCOLTO_HTTP": one.http,
            "ASCOLTO_SMTP": one.smtp,
            "ASCOLTO_RPC_LISTEN": one.rpc,
        }

    def log(self) -> str:
        """What the processes said last."""
        path = self.folder / "log.txt"
        return path.read_text()[-4000:] if path.exists() else ""

    def kill(self) -> None:
        """SIGKILL for the first process of each service; the others go on."""
        for service in SERVICES:
            first = self.of(service)[0]
            assert first.process is not None
            first.process.kill()
            first.process.wait()

    def stop(self) -> int:
        """SIGTERM for all; the worst exit code, which must be 0."""
        running = [one for one in self.instances if one.running]
        for one in running:
            assert one.process is not None
            one.process.send_signal(signal.SIGTERM)
        worst, until = 0, time.monotonic() + _STOP_S
        for one in running:
            assert one.process is not None
            try:
                code = one.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
                code = -9
            worst = code or worst
        if self.process is not None:
            for balancer in self.balancers:
                balancer.close()
            self.process = None
        return worst


def backends(postgres_url: str, kafka_url: str, elasticsearch_url: str, s3_url: str, name: str) -> dict[str, str]:
    """Settings of an installation of its own on shared servers; `name` begins all that it makes there."""
    server, _, _ = postgres_url.rpartition("/")
    bucket = s3_url.replace("/?", f"/{name}?")
    return {
        "ASCOLTO_DATABASE": f"{server}/{name}_{{service}}",
        "ASCOLTO_BUS": f"{kafka_url}/{name}",
        "ASCOLTO_INDEX": f"{elasticsearch_url}/{name}",
        "ASCOLTO_BLOBS": bucket,
    }
