"""Where the real servers of this run are: `url("postgres")`, `url("kafka")`, `url("elasticsearch")`, `url("s3")`.

In this order: the variable `TEST_POSTGRES_URL` (and so on); a container, where a Docker engine answers; a local server
(`deploy/local`), which stays for the next run; else the test is skipped, or fails where `TEST_REAL_REQUIRED` is set.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NoReturn

import pytest

from deploy.local import servers as local

REQUIRED = "TEST_REAL_REQUIRED"
_KEY, _SECRET = "ascolto-tests", "ascolto-tests-secret"


def url(name: str) -> str:
    """The server's URL. Skips the test that asks, or fails it, where there can be none."""
    found, reason = _find(name)
    return found or lacking(name, reason)


def lacking(name: str, reason: str) -> NoReturn:
    """Skips the test with a warning, or fails it where nothing may be skipped."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, and there is no {name}: {reason}", pytrace=False)
    warnings.warn(pytest.PytestWarning(f"NOT TESTED on a real {name}: {reason}"), stacklevel=2)
    pytest.skip(f"no {name}: {reason}")


@cache
def _find(name: str) -> tuple[str, str]:
    variable = local.SERVERS[name].VARIABLE
    if given := os.environ.get(variable):
        return given, ""
    if _docker_answers():
        return _contained(name), ""
    command = [sys.executable, "-m", "deploy.local.servers", "up", name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=local.ROOT)
    return local.running().get(variable, ""), done.stderr.strip()


@cache
def _docker_answers() -> bool:
    """Asked by a process of its own: the library leaves a socket open where no engine listens."""
    ask = "import docker; docker.from_env(timeout=2).ping()"
    return subprocess.run([sys.executable, "-c", ask], check=False, capture_output=True).returncode == 0


def _postgres() -> tuple[Any, Callable[[Any], str]]:
    from testcontainers.postgres import PostgresContainer

    server = PostgresContainer("postgres:18", driver=None).with_command("postgres -c max_connections=300")
    return server, lambda one: one.get_connection_url()


def _kafka() -> tuple[Any, Callable[[Any], str]]:
    from testcontainers.kafka import KafkaContainer

    server = KafkaContainer("confluentinc/cp-kafka:8.1.0").with_kraft()
    server.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false").with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
    return server, lambda one: f"kafka://{one.get_bootstrap_server()}"


def _elasticsearch() -> tuple[Any, Callable[[Any], str]]:
    from testcontainers.elasticsearch import ElasticSearchContainer

    server = ElasticSearchContainer("elasticsearch:9.1.5", mem_limit="2G").with_env("ES_JAVA_OPTS", "-Xms512m -Xmx512m")
    return server, lambda one: one.get_url().replace("http://", "elasticsearch://")


def _s3() -> tuple[Any, Callable[[Any], str]]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import PortWaitStrategy

    server = DockerContainer("versity/versitygw:v1.8.0").with_exposed_ports(7070).with_command("posix /tmp")
    server.with_env("ROOT_ACCESS_KEY", _KEY).with_env("ROOT_SECRET_KEY", _SECRET).waiting_for(PortWaitStrategy(7070))
    return (
        server,
        lambda one: f"s3://{_KEY}:{_SECRET}@{one.get_container_host_ip()}:{one.get_exposed_port(7070)}/?tls=0",
    )


_CONTAINERS: Mapping[str, Callable[[], tuple[Any, Callable[[Any], str]]]] = {
    "postgres": _postgres,
    "kafka": _kafka,
    "elasticsearch": _elasticsearch,
    "s3": _s3,
}


def _contained(name: str) -> str:
    """Starts a container, which testcontainers' own reaper removes when this process has ended."""
    server, address = _CONTAINERS[name]()
    return address(server.start())
