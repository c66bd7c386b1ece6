"""A server that is down when a service starts: named, waited for, readiness red, liveness green, and ready by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from services.kit.application import Application
from services.kit.config import Settings
from tests.kitlib import wait_until
from tests.real import kafka_world
from tests.real.cluster import Balancer, backends, free

_START_S = 120.0  # two cores may be shared by many


class Started:
    """One `ascolto run`."""

    def __init__(self, service: str, environment: dict[str, str], folder: Path) -> None:
        self.http, self._log = free(), folder / "log.txt"
        own = {
            "ASCOLTO_HTTP": self.http,
            "ASCOLTO_SMTP": free(),
            "ASCOLTO_RPC": f"grpc://{free()}",
            "ASCOLTO_RPC_LISTEN": free(),
            "ASCOLTO_LOG": "json",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services", "run", service],
                env=os.environ | environment | own,
                stdout=log,
                stderr=log,
            )

    def get(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"http://{self.http}{path}", timeout=30)
        except httpx.HTTPError:
            return None

    def answers(self, path: str, status: int) -> httpx.Response | None:
        answer = self.get(path)
        return answer if answer is not None and answer.status_code == status else None

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    def text(self) -> str:
        return self._log.read_text()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def environment(
    postgres_url: str, kafka_url: str, elasticsearch_url: str, s3_url: str, own_name: str, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Of a migrated installation."""
    given = backends(postgres_url, kafka_url, elasticsearch_url, s3_url, own_name) | {
        "ASCOLTO_DATA": str(tmp_path / "data"),
        "ASCOLTO_KEY_FILE": str(tmp_path / "key"),
    }
    with Application(Settings.from_env(given)) as app:
        app.migrate()
    yield given
    kafka_world.drop(given["ASCOLTO_BUS"])


@pytest.mark.parametrize(("setting", "named"), [("ASCOLTO_DATABASE", "database tickets"), ("ASCOLTO_BUS", "Kafka at")])
def test_a_service_whose_server_is_down_waits_and_becomes_ready_alone(
    setting: str, named: str, environment: dict[str, str], tmp_path: Path
) -> None:
    closed, real = free(), urlsplit(environment[setting]).netloc.rpartition("@")[2]
    one = Started("tickets", environment | {setting: environment[setting].replace(real, closed)}, tmp_path)
    door = Balancer(closed, [real])
    try:
        wait_until(lambda: one.answers("/healthz", 200), _START_S)
        wait_until(lambda: len(one.said("server.away")) >= 2, _START_S)

        readiness = one.get("/readyz")

        assert readiness is not None
        assert readiness.status_code == 503
        assert named in readiness.text
        first, second = one.said("server.away")[:2]
        assert named in first["reason"]
        assert second["again_in_s"] > first["again_in_s"]
        assert "Traceback" not in one.text()

        door.start()
        wait_until(lambda: one.answers("/readyz", 200), _START_S)
        assert one.end() == 0
    finally:
        one.process.kill()
        one.process.wait()
        door.close()


def test_a_service_that_waits_for_its_server_ends_when_asked(environment: dict[str, str], tmp_path: Path) -> None:
    real = urlsplit(environment["ASCOLTO_DATABASE"]).netloc.rpartition("@")[2]
    down = environment["ASCOLTO_DATABASE"].replace(real, free())
    one = Started("tickets", environment | {"ASCOLTO_DATABASE": down}, tmp_path)
    try:
        wait_until(lambda: one.said("server.away"), _START_S)

        assert one.end() == 0
    finally:
        one.process.kill()
        one.process.wait()


def test_search_whose_index_is_down_runs_says_so_and_comes_back_alone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    closed, real = free(), urlsplit(environment["ASCOLTO_INDEX"]).netloc.rpartition("@")[2]
    one = Started(
        "search", environment | {"ASCOLTO_INDEX": environment["ASCOLTO_INDEX"].replace(real, closed)}, tmp_path
    )
    door = Balancer(closed, [real])
    try:
        wait_until(lambda: closed in _index_fault(one), _START_S)

        door.start()
        wait_until(lambda: "being built" in _index_fault(one), _START_S)  # it waits for its owners, who are not here
        assert one.end() == 0
    finally:
        one.process.kill()
        one.process.wait()
        door.close()


def _index_fault(one: Started) -> str:
    ready = one.answers("/readyz", 200)
    return str(ready.json()["faults"].get("search: index", "")) if ready is not None else ""
