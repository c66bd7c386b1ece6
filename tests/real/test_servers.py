"""The servers of this run are what the other tests take them for."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.real import servers


def test_each_database_of_a_test_is_its_own(fresh_postgres: Callable[[], str]) -> None:
    first, second = (psycopg.connect(fresh_postgres()) for _ in range(2))
    with first, second:
        first.execute("CREATE TABLE things (id text)")
        first.commit()

        assert second.execute("SELECT to_regclass('things')").fetchone() == (None,)
        assert first.execute("SHOW fsync").fetchone() == ("on",)
        assert int(first.info.server_version / 10_000) >= 18


def test_a_topic_is_made_by_nobody_but_ourselves(kafka_url: str, own_name: str) -> None:
    from kafka import KafkaAdminClient, KafkaProducer
    from kafka.errors import KafkaError

    address = urlsplit(kafka_url).netloc
    producer = KafkaProducer(bootstrap_servers=address, max_block_ms=500)
    admin = KafkaAdminClient(bootstrap_servers=address)
    with pytest.raises(KafkaError):
        producer.send(own_name, b"x").get(timeout=5)

    assert own_name not in admin.list_topics()
    producer.close()
    admin.close()


def test_elasticsearch_has_the_analyzers_of_our_languages(elasticsearch_url: str) -> None:
    from elasticsearch import Elasticsearch

    with Elasticsearch(f"http://{urlsplit(elasticsearch_url).netloc}") as client:
        filters = ["lowercase", {"type": "snowball", "language": "Italian"}]
        found = client.indices.analyze(tokenizer="standard", filter=filters, text="Pacchi arrivati")

    assert [token["token"] for token in found["tokens"]] == ["pacc", "arriv"]


def test_where_there_must_be_a_server_its_lack_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_find", lambda name: ("", "no Go"))
    monkeypatch.setenv(servers.REQUIRED, "1")

    with pytest.raises(pytest.fail.Exception, match="no s3: no Go"):
        servers.url("s3")


def test_where_there_need_be_none_its_lack_skips_the_test_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_find", lambda name: ("", "no Go"))
    monkeypatch.delenv(servers.REQUIRED, raising=False)

    with (
        pytest.warns(pytest.PytestWarning, match="NOT TESTED on a real s3: no Go"),
        pytest.raises(pytest.skip.Exception),
    ):
        servers.url("s3")
