"""The product as processes of each service over PostgreSQL, Kafka, Elasticsearch and S3, and what their processors did."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.product import ROOT, get
from deploy.local import servers
from tests.real.cluster import Cluster, Instance, backends, free

_TICKS = os.sysconf("SC_CLK_TCK")
SCALED = ("intake", "tickets", "search")  # the services a contact passes through


def urls() -> dict[str, str]:
    """Where the servers are, by the names of their variables: as the environment says, else the local ones, started."""
    named = {server.VARIABLE: os.environ.get(server.VARIABLE, "") for server in servers.SERVERS.values()}
    if lacking := [name for name, server in servers.SERVERS.items() if not named[server.VARIABLE]]:
        named |= {name: url for name, url in servers.up(lacking).items() if not named[name]}
    return named


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process and its living and waited-for children have used."""
    try:
        used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it has just ended, and is now in its parent's figure
    return sum(map(int, used)) / _TICKS + sum(map(cpu_s, children))


@dataclass(frozen=True, slots=True)
class Installation:
    """A running one."""

    cluster: Cluster
    token: str
    account: str  # of the API's channel
    servers: Mapping[str, str]
    name: str  # begins everything of it on the servers

    @property
    def url(self) -> str:
        """A desk, without the balancer."""
        return f"http://{self.cluster.of('desk')[0].http}"

    @property
    def hooks(self) -> list[str]:
        """Where contacts are posted: every instance of intake."""
        return [f"http://{one.http}/hooks/api/{self.account}" for one in self.cluster.of("intake")]

    @property
    def hook(self) -> str:
        """The first of them."""
        return self.hooks[0]

    @property
    def database(self) -> str:
        """URL of the tickets' database."""
        return self.of_database("tickets")

    def of_database(self, service: str) -> str:
        """URL of a service's database."""
        return self.cluster.backends["ASCOLTO_DATABASE"].replace("{service}", service)

    def figure(self, service: str, line: str) -> float:
        """A figure that begins with `line`, added up over all instances of a service."""
        found = 0.0
        for one in self.cluster.of(service):
            page = get(f"http://{one.http}/metrics")[1].decode()
            found += sum(float(each.rpartition(" ")[2]) for each in page.splitlines() if each.startswith(line))
        return found

    def searchable(self) -> int:
        """Messages in the index, which all instances share."""
        one = self.cluster.of("search")[0]
        for line in get(f"http://{one.http}/metrics")[1].decode().splitlines():
            if line.startswith("ascolto_search_documents{") and 'kind="message"' in line:
                return int(float(line.rpartition(" ")[2]))
        return 0

    def wait_searchable(self, count: int, timeout_s: float = 300) -> None:
        """Blocks until `count` messages are in the index; raises `TimeoutError`."""
        until = time.perf_counter() + timeout_s
        while (found := self.searchable()) < count:
            if time.perf_counter() > until:
                raise TimeoutError(f"{found} of {count} messages are searchable after {timeout_s} s")
            time.sleep(0.25)

    def cpu(self) -> dict[str, float]:
        """Seconds of processor so far, by service."""
        used: dict[str, float] = {}
        for one in self.cluster.instances:
            used[one.service] = used.get(one.service, 0.0) + _cpu_of(one)
        return used


def _cpu_of(one: Instance) -> float:
    assert one.process is not None
    return cpu_s(one.process.pid)


@contextlib.contextmanager
def installation(instances: int) -> Iterator[Installation]:
    """An empty one with so many processes of each service a contact passes through and one of the others."""
    found, name = urls(), f"b{secrets.token_hex(5)}"
    folder = Path(tempfile.mkdtemp(prefix="ascolto-bench-cluster-"))
    given = backends(*(found[f"TEST_{role}_URL"] for role in ("POSTGRES", "KAFKA", "ELASTICSEARCH", "S3")), name)
    settings = given | {"PYTHONPATH": f"{ROOT}:{ROOT / 'proto' / 'python'}"}
    fewer = {"social": 1, "desk": 1}
    made = Cluster(folder, free(), free(), f"smtp://{free()}", backends=settings, each=instances, fewer=fewer)
    try:
        made.command("init", "--brand", "Prova", "--email", "care@prova.example")
        token = made.command("token", "create", "--name", "bench", "--scope", "admin", "--quiet")
        made.start()
        listed = json.loads(get(f"http://{made.of('desk')[0].http}/api/v1/operations/accounts", token)[1])["items"]
        account = next(one["id"] for one in listed if one["channel"] == "api")
        yield Installation(made, token, account, found, name)
    finally:
        made.stop()
        with psycopg.connect(found["TEST_POSTGRES_URL"], autocommit=True) as server:
            for (database,) in server.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{name}%",)):
                server.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
        shutil.rmtree(folder, ignore_errors=True)
