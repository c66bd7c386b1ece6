"""The barest program that does the same durable work over the same servers: Kafka in, PostgreSQL and Elasticsearch out.

`python -m benchmarks.cluster_probe NAME COUNT` consumes that many records and says what it took; with a port in place
of 0 it is also an edge: an ASGI route that answers once Kafka has the contact. No accounts, no events, no tickets' rules.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.cluster import urls
from benchmarks.edge import Edge

PARTITIONS = 4
_BATCH = 500
_REFRESH_S = 0.5
_TABLES = (
    "CREATE TABLE raw(id bigserial PRIMARY KEY, key text UNIQUE, body bytea)",
    "CREATE TABLE ticket(id bigserial PRIMARY KEY, key text UNIQUE, state text, subject text)",
    "CREATE TABLE interaction(id bigserial PRIMARY KEY, key text UNIQUE, ticket text, author text, text text)",
)
_RAW = "INSERT INTO raw(key, body) SELECT * FROM unnest(%s::text[], %s::bytea[]) AS a(key, body) ON CONFLICT DO NOTHING"
_TICKET = (
    "INSERT INTO ticket(key, state, subject) SELECT key, 'new', subject"
    " FROM unnest(%s::text[], %s::text[]) AS a(key, subject) ON CONFLICT DO NOTHING"
)
_INTERACTION = (
    "INSERT INTO interaction(key, ticket, author, text) SELECT key, key, author, text"
    " FROM unnest(%s::text[], %s::text[], %s::text[]) AS a(key, author, text) ON CONFLICT DO NOTHING"
)
_TEXT = {"type": "text", "analyzer": "standard"}
_FIELDS = {"id": {"type": "keyword"}, "subject": _TEXT, "text": _TEXT}


class Bulk:
    """Elasticsearch over one connection kept open."""

    def __init__(self, url: str, index: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self.index = index

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """One request."""
        self._connection.request(method, path, body, {"Content-Type": "application/x-ndjson"} if body else {})
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {data[:300]!r}")
        return msgspec.json.decode(data)

    def create(self, body: dict[str, Any]) -> None:
        """Makes the index."""
        self._connection.request("PUT", f"/{self.index}", json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        if answer.status >= 300:
            raise RuntimeError(answer.read().decode())
        answer.read()

    def put(self, lines: list[bytes]) -> None:
        """Writes documents."""
        if self.ask("POST", f"/{self.index}/_bulk", b"".join(lines))["errors"]:
            raise RuntimeError("Elasticsearch refused documents")


class Probe(Edge):
    """Takes contacts, keeps them, indexes them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        found = urls()
        self.name, self._servers = name, [found["TEST_KAFKA_URL"].removeprefix("kafka://")]
        self._database = found["TEST_POSTGRES_URL"].rpartition("/")[0] + f"/{name}_probe"
        self._bulk = Bulk(found["TEST_ELASTICSEARCH_URL"], f"{name}-probe")
        self._prepare(found["TEST_POSTGRES_URL"])

    def _prepare(self, postgres: str) -> None:
        with psycopg.connect(postgres, autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{self.name}_probe"')
        with psycopg.connect(self._database, autocommit=True) as database:
            for statement in _TABLES:
                database.execute(statement)
        properties = {"dynamic": "strict", "properties": _FIELDS}
        self._bulk.create({"settings": {"refresh_interval": "-1"}, "mappings": properties})
        admin = KafkaAdminClient(bootstrap_servers=self._servers)
        admin.create_topics({self.topic: {"num_partitions": PARTITIONS, "replication_factor": 1}})
        admin.close()

    @property
    def topic(self) -> str:
        return f"{self.name}.probe"

    def producer(self) -> Any:
        return KafkaProducer(
            bootstrap_servers=self._servers, acks="all", enable_idempotence=True, linger_ms=5, batch_size=65536
        )

    def fill(self, bodies: list[bytes]) -> None:
        """Puts contacts into Kafka."""
        producer = self.producer()
        for body in bodies:
            producer.send(self.topic, body)
        producer.flush()
        producer.close()

    # --- the loop ---

    def consume(self, count: int) -> None:
        """Consumes so many contacts: a poll, a transaction, a bulk."""
        consumer = KafkaConsumer(
            bootstrap_servers=self._servers, group_id=None, enable_auto_commit=False, fetch_max_wait_ms=50
        )
        places = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        added, refreshed_at = 0, time.monotonic()
        with psycopg.connect(self._database, autocommit=True) as database:
            while self.indexed < count:
                polled = consumer.poll(100, max_records=_BATCH)
                if bodies := [one.value for each in polled.values() for one in each]:
                    self._take(database, bodies)
                    added += len(bodies)
                if added > self.indexed and time.monotonic() - refreshed_at >= _REFRESH_S:
                    self._bulk.ask("POST", f"/{self._bulk.index}/_refresh")
                    self.indexed, refreshed_at = added, time.monotonic()
        consumer.close()

    def _take(self, database: psycopg.Connection[Any], bodies: list[bytes]) -> None:
        contacts = [self.decoder.decode(body) for body in bodies]
        keys = [one.external_id for one in contacts]
        with database.transaction():
            database.execute(_RAW, (keys, bodies))
            database.execute(_TICKET, (keys, [one.subject for one in contacts]))
            database.execute(
                _INTERACTION, (keys, [one.sender.email for one in contacts], [one.text for one in contacts])
            )
        encode = msgspec.json.Encoder().encode
        self._bulk.put(
            [
                b'{"index":{"_id":%s}}\n%s\n'
                % (encode(one.external_id), encode({"id": one.external_id, "subject": one.subject, "text": one.text}))
                for one in contacts
            ]
        )

    # --- the edge ---

    def publish(self) -> None:
        """Hands what waits to Kafka, a hundred at a time, and answers once it is safe."""
        producer = self.producer()
        while True:
            group = self.group()
            for sent in [producer.send(self.topic, one.body) for one in group]:
                sent.get(30)
            self.answer(group)


def main(name: str, port: int, count: int) -> None:
    """Serves until ended, or consumes `count` contacts that it has put into Kafka itself before."""
    probe = Probe(name)
    if port:
        threading.Thread(target=probe.consume, args=(sys.maxsize,), daemon=True).start()
        threading.Thread(target=probe.publish, daemon=True).start()
        probe.serve(port)
        return
    from benchmarks.texts import contact

    probe.fill([contact(number) for number in range(count)])
    began, used = time.perf_counter(), time.process_time()
    probe.consume(count)
    print(json.dumps({"cpu_s": time.process_time() - used, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
