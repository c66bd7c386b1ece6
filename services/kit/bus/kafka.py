"""The distributed log: Kafka, fed by one relay for each producer's database (`kit.relay`).

Positions live in the consumers' databases; what is committed to Kafka is for its monitoring alone and never read.
Dead letters are rows too: `<topic>.dlq` holds copies, which go the way of all events, by outbox and relay.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from kafka import KafkaConsumer, TopicPartition

from services.kit.bus import Bounds, Duties, Part, Positions, Record
from services.kit.bus.kafka_cluster import Cluster
from services.kit.bus.kafka_publish import KafkaPublisher
from services.kit.bus.kafka_read import FETCH, KafkaReading, record_of
from services.kit.bus.kafka_topics import create_topics, faults
from services.kit.db.events import INSERT_OUTBOX
from services.kit.errors import Unavailable
from services.kit.ids import made_at
from services.kit.relay import Relay, RelayMetrics
from services.kit.topics import CONTACTS, dead_letter_topic

if TYPE_CHECKING:
    from services.kit.app import Worker
    from services.kit.uow import Database, Uow
    from services.kit.wakes import Wakes

_ANSWER_MS = 5000
_LOOK_MS = 100
_LOOK_BYTES = 64 * 1024  # of each partition; a larger record comes all the same
_AWAY_S = 2.0


class KafkaLog:
    """All topics of one cluster. Making one connects to nothing."""

    relayed = True

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._asking: Any = None  # a consumer without a group, for questions
        self._away_until = 0.0

    @classmethod
    def open(cls, url: str, *, databases: Mapping[str, Database], wakes: Wakes) -> Self:  # noqa: ARG003 (it needs no one's tables)
        """The log of `kafka://host:port,host:port`. Raises `Invalid` for another URL."""
        return cls(Cluster.of(url))

    # --- questions ---

    def reach(self) -> None:
        """Raises `Unavailable` when no broker answers; topics may be missing yet."""
        with self._question() as asker:
            asker.topics()

    def bounds(self, topic: str) -> dict[Part, Bounds]:
        """Those of all partitions."""
        return self.bounds_of(self.parts([topic]))

    def bounds_of(self, parts: Collection[Part]) -> dict[Part, Bounds]:
        """Those of some parts, in two questions."""
        names = {TopicPartition(self._cluster.name(part.topic), part.partition): part for part in parts}
        with self._question() as asker:
            begins = asker.beginning_offsets(list(names), timeout_ms=_ANSWER_MS)
            ends = asker.end_offsets(list(names), timeout_ms=_ANSWER_MS)
        return {part: Bounds(begins[name], ends[name]) for name, part in names.items()}

    def _partitions(self, asker: Any, topic: str) -> list[TopicPartition]:
        name = self._cluster.name(topic)
        if found := asker.partitions_for_topic(name):
            return [TopicPartition(name, number) for number in sorted(found)]
        raise self._cluster.lacks(name)

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on, for looking; a question for each call."""
        part, there = Part(topic, partition), TopicPartition(self._cluster.name(topic), partition)
        bounds = self.bounds_of([part])[part]
        bounds.check(part, offset)
        if offset == bounds.end:
            return []
        with self._question() as asker:
            asker.assign([there])
            asker.seek(there, offset)
            for _ in range(_ANSWER_MS // _LOOK_MS):
                if polled := asker.poll(_LOOK_MS, max_records=limit):
                    return [record_of(part, message) for message in polled[there]]
        raise Unavailable(f"Kafka at {self._cluster} did not answer within {_ANSWER_MS} ms.")

    def first(self, places: Mapping[Part, int]) -> dict[Part, Record]:
        """The first record of each part at or behind a place, where there is one; one question for all."""
        bounds = self.bounds_of(places) if places else {}
        for part, offset in places.items():
            bounds[part].check(part, offset)
        there = {
            TopicPartition(self._cluster.name(part.topic), part.partition): part
            for part, offset in places.items()
            if offset < bounds[part].end
        }
        found: dict[Part, Record] = {}
        with self._question() as asker:
            asker.assign(list(there))
            for name, part in there.items():
                asker.seek(name, places[part])
            until = time.monotonic() + _ANSWER_MS / 1000
            while there and time.monotonic() < until:
                for name, messages in asker.poll(_LOOK_MS).items():
                    part = there.pop(name)
                    found[part] = record_of(part, messages[0])
                asker.assign(list(there))  # the rest of what the others hold would come first
        if there:
            raise Unavailable(f"Kafka at {self._cluster} did not answer within {_ANSWER_MS} ms.")
        return found

    @contextlib.contextmanager
    def _question(self) -> Iterator[Any]:
        """One at a time. After one without an answer the next are told so at once: a page asks many in a row."""
        with self._lock:
            if time.monotonic() < self._away_until:
                raise Unavailable(f"Kafka at {self._cluster} is away: it did not answer a moment ago.")
            try:
                with self._cluster.translated():
                    yield self._asker()
            except Unavailable:
                self._away_until = time.monotonic() + _AWAY_S
                raise

    def _asker(self) -> Any:
        if self._asking is None:
            self._cluster.reach()
            self._asking = KafkaConsumer(
                **self._cluster.client,
                **FETCH,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                max_partition_fetch_bytes=_LOOK_BYTES,
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
        with self._question() as asker:
            return [Part(topic, one.partition) for topic in topics for one in self._partitions(asker, topic)]

    def _since(self, parts: Collection[Part], moment: datetime) -> dict[Part, int]:
        moment_ms = int(moment.timestamp() * 1000)
        names = {part: TopicPartition(self._cluster.name(part.topic), part.partition) for part in parts}
        with self._question() as asker:
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
                tracer=duties.tracer,
            )
            for service, database in duties.databases.items()
        ]

    def migrate(self, retention: timedelta) -> list[str]:
        """Makes the topics that are missing; says what a person should know."""
        return create_topics(self._cluster, retention=retention)

    def faults(self) -> list[str]:
        """What is wrong with the topics, and how to mend it."""
        return faults(self._cluster)

    def ping(self) -> None:
        """Raises `Unavailable` when no broker answers or a topic is missing."""
        self.bounds(CONTACTS)

    def close(self) -> None:
        """Closes the connection for questions; readers are closed by those who read."""
        with self._lock:
            if self._asking is not None:
                self._asking.close(autocommit=False, timeout_ms=1000)
                self._asking = None
