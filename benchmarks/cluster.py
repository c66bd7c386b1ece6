"""The product as processes of each service over PostgreSQL, Kafka, Elasticsearch and S3, and what their processors did."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from kafka import KafkaAdminClient
from psycopg import sql

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

    def figure(self, service: str, line: str, label: str = "") -> float:
        """A figure whose lines begin with `line` and have `label` in them, added up over all instances of a service."""
        found = 0.0
        for one in self.cluster.of(service):
            lines = get(f"http://{one.http}/metrics")[1].decode().splitlines()
            found += sum(float(each.rpartition(" ")[2]) for each in lines if each.startswith(line) and label in each)
        return found

    def searchable(self) -> int:
        """Messages that a search finds, as the server itself says: to ask our processes would cost what is measured."""
        server = self.servers["TEST_ELASTICSEARCH_URL"].replace("elasticsearch:", "http:", 1)
        status, body = get(f"{server}/{self.name}/_count?q=kind:message")
        return int(json.loads(body)["count"]) if status == 200 else 0

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
    postgres, kafka, elastic, s3 = (found[f"TEST_{role}_URL"] for role in ("POSTGRES", "KAFKA", "ELASTICSEARCH", "S3"))
    given = backends(postgres, kafka, elastic, s3, name)
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
        forget(found, name)
        shutil.rmtree(folder, ignore_errors=True)


def forget(found: Mapping[str, str], name: str) -> None:
    """Removes the databases, topics and indices whose names begin with `name`."""
    with psycopg.connect(found["TEST_POSTGRES_URL"], autocommit=True) as server:
        made = server.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{name}%",)).fetchall()
        for (database,) in made:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
    admin = KafkaAdminClient(bootstrap_servers=found["TEST_KAFKA_URL"].removeprefix("kafka://"))
    if topics := [topic for topic in admin.list_topics() if topic.startswith(f"{name}.")]:
        admin.delete_topics(topics)
    admin.close()
    elastic = found["TEST_ELASTICSEARCH_URL"].replace("elasticsearch:", "http:", 1)
    listed = json.loads(get(f"{elastic}/_cat/indices/{name}*?format=json")[1] or b"[]")
    for index in listed:
        request = urllib.request.Request(f"{elastic}/{index['index']}", method="DELETE")
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
