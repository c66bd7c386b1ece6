"""The servers of this run are what the other tests take them for."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg
import pytest

from tests.real import servers


def test_postgres_is_durable_and_takes_many_connections(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as server:
        assert server.info.server_version >= 180_000
        assert server.execute("SHOW fsync").fetchone() == ("on",)
        assert server.execute("SELECT current_setting('max_connections')::int").fetchone() >= (300,)


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
