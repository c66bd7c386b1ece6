"""The distributed log: Kafka, fed by one relay for each producer's database (`kit.relay`).

Positions live in the consumers' databases; what is committed to Kafka is for its monitoring alone and never read.
Dead letters are rows too: `<topic>.dlq` holds copies, which go the way of all events, by outbox and relay.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from kafka import KafkaConsumer, TopicPartition

from services.kit import log
from services.kit.bus import Bounds, Duties, Part, Positions, Record, kafka_topics
from services.kit.bus.kafka_cluster import Cluster
from services.kit.bus.kafka_publish import KafkaPublisher
from services.kit.bus.kafka_read import FETCH, KafkaReading, record_of
from services.kit.db.events import INSERT_OUTBOX
from services.kit.errors import Unavailable
from services.kit.ids import made_at
from services.kit.relay import Relay, RelayMetrics
from services.kit.topics import dead_letter_topic

if TYPE_CHECKING:
    from services.kit.app import Worker
    from services.kit.uow import Database, Uow
    from services.kit.wakes import Wakes

_ANSWER_MS = 10_000
_LOOK_MS = 100


class KafkaLog:
    """All topics of one cluster. Making one connects to nothing."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._events = log.logger("kafka")
        self._lock = threading.Lock()
        self._asking: Any = None  # a consumer without a group, for questions

    @classmethod
    def open(cls, url: str, *, databases: Mapping[str, Database], wakes: Wakes) -> Self:  # noqa: ARG003 (it needs no one's tables)
        """The log of `kafka://host:port,host:port`. Raises `Invalid` for another URL."""
        return cls(Cluster.of(url))

    # --- set-up ---

    def prepare(self, retention: timedelta) -> None:
        """Makes the topics that are missing, and says in the log what a person should know."""
        for sentence in kafka_topics.create_topics(self._cluster, retention=retention):
            self._events.info("topics.prepared", said=sentence)

    def faults(self) -> list[str]:
        """Topics that are missing, have another number of partitions, too few replicas, or settings that lose events."""
        return kafka_topics.faults(self._cluster)

    def reach(self) -> None:
        """Raises `Unavailable` when no broker answers."""
        self.ping()

    # --- questions ---

    def bounds(self, topic: str) -> dict[Part, Bounds]:
        """Those of all partitions."""
        return self.bounds_of(self.parts([topic]))

    def bounds_of(self, parts: Collection[Part]) -> dict[Part, Bounds]:
        """Those of some parts, in two questions."""
        names = {TopicPartition(self._cluster.name(part.topic), part.partition): part for part in parts}
        with self._lock, self._cluster.translated():
            asker = self._asker()
            begins = asker.beginning_offsets(list(names), timeout_ms=_ANSWER_MS)
            ends = asker.end_offsets(list(names), timeout_ms=_ANSWER_MS)
        return {part: Bounds(begins[name], ends[name]) for name, part in names.items()}

    def _partitions(self, asker: Any, topic: str) -> list[TopicPartition]:
        name = self._cluster.name(topic)
        if found := asker.partitions_for_topic(name):
            return [TopicPartition(name, number) for number in sorted(found)]
        raise Unavailable(f"Kafka at {self._cluster} has no topic {name}: run `ascolto migrate`.")

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on, for looking; a question for each call."""
        part, there = Part(topic, partition), TopicPartition(self._cluster.name(topic), partition)
        bounds = self.bounds_of([part])[part]
        bounds.check(part, offset)
        if offset == bounds.end:
            return []
        with self._lock, self._cluster.translated():
            asker = self._asker()
            asker.assign([there])
            asker.seek(there, offset)
            for _ in range(_ANSWER_MS // _LOOK_MS):
                if polled := asker.poll(_LOOK_MS, max_records=limit):
                    return [record_of(part, message) for message in polled[there]]
        raise Unavailable(f"Kafka at {self._cluster} did not answer within {_ANSWER_MS} ms.")

    def _asker(self) -> Any:
        if self._asking is None:
            self._asking = KafkaConsumer(
                **self._cluster.client, group_id=None, enable_auto_commit=False, auto_offset_reset="none", **FETCH
            )
        return self._asking

    # --- readers ---

    def join(self, group: str, topics: Sequence[str], positions: Positions) -> KafkaReading:
        """A member of `group`; what it holds is known after some polls. Raises `Unavailable`."""
        name = group if len(topics) > 1 else f"{group}.{topics[0]}"  # its own: no other topic's rebalance is felt here
        return KafkaReading(self, self._cluster, topics, positions, group=self._cluster.name(name))

    def follow(self, topics: Sequence[str], moment: datetime) -> KafkaReading:
        """All parts, from `moment` on; who slept past the retention goes on with what there is."""
        return KafkaReading(self, self._cluster, topics, lambda parts: self._since(parts, moment))

    def parts(self, topics: Sequence[str]) -> list[Part]:
        """All partitions of some topics. Raises `Unavailable`."""
        with self._lock, self._cluster.translated():
            asker = self._asker()
            return [Part(topic, one.partition) for topic in topics for one in self._partitions(asker, topic)]

    def _since(self, parts: Collection[Part], moment: datetime) -> dict[Part, int]:
        moment_ms = int(moment.timestamp() * 1000)
        names = {part: TopicPartition(self._cluster.name(part.topic), part.partition) for part in parts}
        with self._lock, self._cluster.translated():
            asker = self._asker()
            ends = asker.end_offsets(list(names.values()), timeout_ms=_ANSWER_MS)
            found = asker.offsets_for_times(dict.fromkeys(names.values(), moment_ms), timeout_ms=_ANSWER_MS)
        return {part: found[name].offset if found.get(name) else ends[name] for part, name in names.items()}

    # --- writers ---

    def copy_parked(self, uow: Uow, records: Sequence[Record]) -> None:
        """A copy for `<topic>.dlq`, by the outbox of the consumer's own database."""
        uow.execute_many(
            INSERT_OUTBOX,
            [
                (
                    dead_letter_topic(record.topic),
                    record.key,
                    record.kind,
                    record.event_id,
                    record.data,
                    int(made_at(record.event_id).timestamp() * 1_000_000),
                )
                for record in records
            ],
        )

    def workers(self, duties: Duties) -> list[Worker]:
        """A relay for each database."""
        metrics = RelayMetrics(duties.metrics) if duties.metrics is not None else None
        return [
            Relay(
                service,
                database,
                KafkaPublisher(self._cluster),
                wakes=duties.wakes,
                clock=duties.clock,
                metrics=metrics,
            )
            for service, database in duties.databases.items()
        ]

    def ping(self) -> None:
        """Raises `Unavailable` when no broker answers."""
        with self._lock, self._cluster.translated():
            asker = self._asker()
            asker.topics()

    def close(self) -> None:
        """Closes the connection for questions; readers are closed by those who read."""
        with self._lock:
            if self._asking is not None:
                self._asking.close(autocommit=False, timeout_ms=1000)
                self._asking = None
