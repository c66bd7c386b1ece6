"""An installation over real servers, each behind a proxy: the whole product in one process, or in two behind balancers."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from services.demo.mailbox import SimulatedMailServer
from services.demo.process import Api, Product
from services.kit.backends import SERVICES
from services.kit.bus.kafka_cluster import Cluster
from services.kit.bus.kafka_topics import create_topics
from services.search.index.elastic import ElasticEngine
from tests.faults.installation import CRASHPOINT, Installation, Prepared, free_address, prepare
from tests.faults.proxy import Proxy
from tests.faults.stores import Servers
from tests.real import kafka_world, servers
from tests.real.cluster import Balancer, backends

START = int(os.environ.get("START", "1"))
SEEDS = range(START, START + int(os.environ.get("SEEDS", "3")))
PROGRAM = "tests.faults.real.program"
_PARTITIONS = 4


def urls_of(name: str) -> dict[str, str]:
    """Settings that lead straight to the servers."""
    given = (servers.url(one) for one in ("postgres", "kafka", "elasticsearch", "s3"))
    return backends(*given, name)


@dataclass(slots=True)
class Two(Product):
    """Two whole products behind balancers. The first is the one to be armed, stopped or killed; the other goes on."""

    both: list[Product] = field(default_factory=list)
    balancers: list[Balancer] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(2):
            folder = self.folder / str(number)
            folder.mkdir(exist_ok=True)
            self.both.append(
                Product(folder, free_address(), free_address(), self.smtp_out, self.extra, program=self.program)
            )
        for own, what in ((self.http, "http"), (self.smtp, "smtp")):
            self.balancers.append(Balancer(own, [getattr(one, what) for one in self.both]))

    def start(self) -> float:
        """Starts those that do not run; returns the seconds that the slower took.

        Leases are held by whoever came first: armed at a relay's point the first comes first, else the second does.
        """
        if self.process is None:
            for balancer in self.balancers:
                balancer.start()
        first, second = self.both
        first.extra, second.extra = self.extra, {name: self.extra[name] for name in self.extra if name != CRASHPOINT}
        order = [second, first]
        if self.extra.get(CRASHPOINT, "").startswith("relay."):
            second.stop()
            order.reverse()
        try:
            return max([one.start() for one in order if one.process is None or one.process.poll() is not None])
        finally:
            self.process = first.process

    def kill(self) -> None:
        """SIGKILL for the first."""
        self.both[0].kill()

    def stop(self) -> int:
        """SIGTERM for both; the worse of their exit codes."""
        return max((one.stop() for one in self.both), key=abs)

    def end(self) -> None:
        """Kills what still runs, asleep or awake."""
        for one in self.both:
            if one.process is not None and one.process.poll() is None:
                one.process.send_signal(signal.SIGCONT)
                one.kill()
        if self.process is not None:
            for balancer in self.balancers:
                balancer.close()


@dataclass(slots=True)
class Distributed(Installation):
    """With a proxy before each server."""

    postgres: Proxy
    kafka: Proxy
    elastic: Proxy


@dataclass(frozen=True, slots=True)
class Template:
    """A filled installation whose databases are copied for each test."""

    name: str
    prepared: Prepared


@contextlib.contextmanager
def template(folder: Path) -> Iterator[Template]:
    """Made once for a run."""
    name = f"f{secrets.token_hex(4)}"
    urls = urls_of(name)
    create_topics(Cluster.of(urls["ASCOLTO_BUS"]), retention=timedelta(days=7), partitions=1)
    try:
        yield Template(name, prepare(folder, **urls))
    finally:
        _drop(name)


@contextlib.contextmanager
def distributed(
    folder: Path, made: Template, *, two: bool = False, defect: str = "", **settings: str
) -> Iterator[Distributed]:
    """A copy of its own on the servers; all that was made there is removed at the end."""
    name = f"f{secrets.token_hex(5)}"
    urls = urls_of(name)
    folder.mkdir(parents=True, exist_ok=True)
    _copy(made.name, name)
    create_topics(Cluster.of(urls["ASCOLTO_BUS"]), retention=timedelta(days=7), partitions=_PARTITIONS)
    postgres = Proxy(urlsplit(servers.url("postgres")).netloc.rpartition("@")[2])
    kafka, elastic = Proxy(), Proxy(urlsplit(servers.url("elasticsearch")).netloc.rpartition("@")[2])
    extra = _settings(made, urls, postgres, kafka, elastic) | settings
    sink = SimulatedMailServer()
    sink.start()
    make = Two if two else Product
    program = (PROGRAM, defect) if defect else (PROGRAM,)
    product = make(folder, free_address(), free_address(), f"smtp://{sink.host}:{sink.port}", extra, program=program)
    api = Api(product.url, made.prepared.token)
    store = Servers(folder, urls)
    try:
        yield Distributed(product, sink, made.prepared.shops, api, store, postgres, kafka, elastic)
    finally:
        api.client.close()
        if isinstance(product, Two):
            product.end()
        elif product.process is not None and product.process.poll() is None:
            product.kill()
        sink.stop()
        for proxy in (postgres, kafka, elastic):
            proxy.close()
        _drop(name)


def _settings(made: Template, urls: Mapping[str, str], postgres: Proxy, kafka: Proxy, elastic: Proxy) -> dict[str, str]:
    """Those of a process that reaches the servers through the proxies."""
    bare = made.prepared.folder / "data" / "key"
    return {
        **urls,
        "ASCOLTO_DATABASE": _through(urls["ASCOLTO_DATABASE"], postgres),
        "ASCOLTO_INDEX": _through(urls["ASCOLTO_INDEX"], elastic),
        "ASCOLTO_KEY_FILE": str(bare),
        "ASCOLTO_MODELS": "0",
        "ASCOLTO_CHAT_PER_MINUTE": "1000000",
        "FAULTS_KAFKA": kafka.address,
    }


def _through(url: str, proxy: Proxy) -> str:
    place = urlsplit(url).netloc.rpartition("@")[2]
    return url.replace(place, proxy.address, 1)


def _admin() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(servers.url("postgres"), autocommit=True)


def _copy(source: str, target: str) -> None:
    with _admin() as admin:
        for service in SERVICES:
            made, given = sql.Identifier(f"{target}_{service}"), sql.Identifier(f"{source}_{service}")
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(made, given))


def _drop(name: str) -> None:
    urls = urls_of(name)
    with _admin() as admin:
        for service in SERVICES:
            own = sql.Identifier(f"{name}_{service}")
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(own))
    engine = ElasticEngine(urls["ASCOLTO_INDEX"], Path())
    for number in engine.existing():
        engine.discard(number)
    kafka_world.drop(urls["ASCOLTO_BUS"])
