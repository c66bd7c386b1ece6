"""The doctor at real servers: away, behind, apart, set up wrongly."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from services.kit import doctor, topics
from services.kit.application import Application
from services.kit.blobs_s3 import S3Blobs
from services.kit.bus.kafka_cluster import Cluster
from services.kit.clock import SystemClock
from services.kit.config import HostPort, Settings
from services.kit.http import free_port
from tests.kitlib import wait_until
from tests.real import kafka_world
from tests.real.cluster import backends

Found = dict[str, list[dict[str, Any]]]


def examined(environment: dict[str, str]) -> Found:
    found: Found = {}
    for one in doctor.examine(environment):
        found.setdefault(one["name"], []).append(one)
    return found


def told(found: Found, name: str) -> str:
    return " ".join(one["detail"] for one in found[name])


@pytest.fixture
def environment(
    postgres_url: str, kafka_url: str, elasticsearch_url: str, s3_url: str, own_name: str, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Of an installation on the servers that is not migrated yet."""
    given = backends(postgres_url, kafka_url, elasticsearch_url, s3_url, own_name)
    yield given | {"ASCOLTO_DATA": str(tmp_path / "data")}
    kafka_world.drop(given["ASCOLTO_BUS"])


def test_it_tells_what_is_missing_and_then_what_is_wrong(environment: dict[str, str]) -> None:
    before = examined(environment)

    assert "ascolto migrate" in told(before, "tickets: database")
    assert "ascolto migrate" in told(before, "log")
    assert "ascolto migrate" in told(before, "blobs")

    with Application(Settings.from_env(environment)) as app:
        app.migrate()
    after = examined(environment)

    assert all(one["ok"] for name, found in after.items() if name != "log" for one in found), after
    assert "replica(s): add brokers" in told(after, "log")  # one broker has no place for three

    cluster = Cluster.of(environment["ASCOLTO_BUS"])
    admin = KafkaAdminClient(**cluster.client)
    admin.create_partitions({cluster.name(topics.CONTACTS): NewPartitions(total_count=25)})
    admin.close()

    wait_until(
        lambda: "has 25 partitions, not 24" in told(examined(environment), "log"), 30.0
    )  # brokers learn of it in turn


def test_a_clock_apart_from_the_database_s_is_told(environment: dict[str, str]) -> None:
    with Application(Settings.from_env(environment), clock=_Ahead()) as app:
        app.databases["tickets"].migrate()

        found = {one["name"]: one for one in doctor.look(app)}

    assert found["tickets: clock"]["ok"]
    assert found["tickets: clock"]["warning"]
    assert "behind ours: set both machines by NTP" in found["tickets: clock"]["detail"]


class _Ahead(SystemClock):
    def now(self) -> datetime:
        return super().now() + timedelta(seconds=30)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_server_away_is_a_line_and_no_traceback(tmp_path: Path) -> None:
    nobody = str(free_port(HostPort("127.0.0.1", 0)))
    found = examined(
        {
            "ASCOLTO_DATA": str(tmp_path / "data"),
            "ASCOLTO_DATABASE": f"postgresql://u:p@{nobody}/ascolto_{{service}}",
            "ASCOLTO_BUS": f"kafka://{nobody}",
            "ASCOLTO_INDEX": f"elasticsearch://{nobody}/ascolto",
            "ASCOLTO_BLOBS": f"s3://key:secret@{nobody}/bucket?tls=0",
        }
    )

    for name, setting in {
        "intake: database": "ASCOLTO_DATABASE",
        "log": "ASCOLTO_BUS",
        "index": "ASCOLTO_INDEX",
        "blobs": "ASCOLTO_BLOBS",
    }.items():
        assert not found[name][0]["ok"]
        assert setting in told(found, name)
    gc.collect()  # kafka-python 3.0.12 leaves the sockets of a failed bootstrap to the collector


def test_a_bucket_that_keeps_versions_is_told(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = S3Blobs.for_settings(Settings.from_env(environment))
    blobs.prepare()
    monkeypatch.setattr(blobs._client, "get_bucket_versioning", lambda **_: {"Status": "Enabled"})  # ours cannot

    assert "suspend its versioning" in blobs.faults()[0]
