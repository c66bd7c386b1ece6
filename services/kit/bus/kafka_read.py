"""One reader of Kafka: a member of a group, or one that follows all partitions.

A partition that comes into its hands is paused until its position was asked from the consumer's database. Whoever
loses one may still be applying a batch of it: the position in the database fences that.

The assignor is `range`, chosen by how long partitions stood still in a group of two over 24 partitions (Kafka 4.1,
two busy cores, three times each): 0.2 to 0.8 s when a member came, 0.3 to 0.6 s when one left. `CooperativeStickyAssignor`:
0.8 to 1.2 s and 0.2 to 0.5 s, as it takes two rounds; with heartbeats each 3 s, 3.9 to 4.0 s against 0.4 to 0.5. That was
with looks each 100 ms; an idle reader then costs twice what it costs with 250 (five processes on two busy cores: 0.40
and 0.22 of a core). We seek to our own position and keep nothing in memory for a partition, so that a sticky assignment
would save nothing. See `docs/decisions/0008-positions-are-ours.md`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition, errors
from kafka.coordinator.assignors.range import RangePartitionAssignor

from services.kit.bus import Part, Positions, Record
from services.kit.bus.kafka_cluster import Cluster

if TYPE_CHECKING:
    from services.kit.bus.kafka import KafkaLog

FETCH: Mapping[str, Any] = {
    "fetch_max_wait_ms": 250,  # an answer with records comes at once; a partition just taken over waits for this one
    "fetch_max_bytes": 8 * 1024 * 1024,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,  # ours are counted where they mean something
}
_LOOK_MS = 250  # how long a partition just taken over may wait for its position
_KEEP_MS = 20
_MONITOR_S = 5.0
_SESSION_MS = 10_000  # who is killed is missed for so long; who leaves, not at all
_HEARTBEAT_MS = 500  # how soon a member hears that another came or went: most of the stop
_POLL_MS = 60_000  # who is stuck longer loses its partitions; ten times the longest batch and pause


def record_of(part: Part, message: Any) -> Record:
    """Our record of Kafka's; one of foreign make has no kind, is known to nobody and is parked."""
    headers = dict(message.headers)
    event_id = headers.get("event_id", b"").decode() or f"{part}/{message.offset}"
    key = (message.key or b"").decode("utf-8", "replace")
    return Record(*part, message.offset, key, headers.get("kind", b"").decode(), event_id, message.value or b"")


class KafkaReading:
    """See `kit.bus.Reading`. Its consumer's own thread polls; kafka-python's thread keeps the membership alive."""

    def __init__(
        self, log: KafkaLog, cluster: Cluster, topics: Sequence[str], positions: Positions, *, group: str | None = None
    ) -> None:
        self._log, self._cluster, self._positions = log, cluster, positions
        self._lock = threading.Lock()
        self._unsettled: set[Part] = set()  # held, with a position that is not known yet
        self._handed: dict[Part, int] = {}
        self._monitor_at = time.monotonic() + _MONITOR_S
        cluster.reach()
        parts = [] if group else log.parts(topics)
        with cluster.translated():
            self._consumer: Any = KafkaConsumer(
                **cluster.client,
                **FETCH,
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="none",
                partition_assignment_strategy=[RangePartitionAssignor],
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=_HEARTBEAT_MS,
                max_poll_interval_ms=_POLL_MS,
            )
            if group:
                self._subscribe([cluster.name(topic) for topic in topics])
            else:
                self._consumer.assign([self._there(part) for part in parts])
                self._hold(parts)

    def _subscribe(self, names: Sequence[str]) -> None:
        self._consumer.subscribe(names, listener=_Listener(self._assigned, self._revoked))
        # The leader of a group that joins before it knows the partitions gives out none, and kafka-python 3.0.12 leaves
        # it at that: so each member knows them before it joins.
        for name in names:
            if not self._consumer.partitions_for_topic(name):
                self.close()
                raise self._cluster.lacks(name)

    # --- what is held ---

    def _there(self, part: Part) -> TopicPartition:
        return TopicPartition(self._cluster.name(part.topic), part.partition)

    def _part(self, there: TopicPartition) -> Part:
        return Part(self._cluster.topic(there.topic), there.partition)

    def _assigned(self, found: Collection[TopicPartition]) -> None:
        self._hold([self._part(there) for there in found])

    def _revoked(self, lost: Collection[TopicPartition]) -> None:
        with self._lock:
            for there in lost:
                self._unsettled.discard(self._part(there))
                self._handed.pop(self._part(there), None)

    def _hold(self, parts: Collection[Part]) -> None:
        for part in parts:
            self._consumer.seek(self._there(part), 0)  # any: without one Kafka's own would be asked for
            self._consumer.pause(self._there(part))
        with self._lock:
            self._unsettled.update(parts)
            for part in parts:
                self._handed.pop(part, None)

    def _settle(self) -> None:
        """Puts what was taken over or rewound to its position, and lets it flow."""
        with self._lock:
            parts = set(self._unsettled)
        if not parts:
            return
        try:
            positions = self._positions(parts)
        except Exception:
            self._keep()
            raise
        bounds = self._log.bounds_of(parts)
        for part, position in positions.items():
            bounds[part].check(part, position)
        with self._lock:
            for part in parts & self._unsettled & self._held():
                with contextlib.suppress(ValueError, KeyError):  # lost this very moment
                    self._consumer.seek(self._there(part), positions[part])
                    self._consumer.resume(self._there(part))
            self._unsettled -= parts

    def _held(self) -> set[Part]:
        return {self._part(there) for there in self._consumer.assignment()}

    def _keep(self) -> None:
        """Stays a member while positions cannot be asked: nothing flows, but who does not poll is taken for dead."""
        held = self._consumer.assignment()
        self._consumer.pause(*held)
        with self._lock:
            self._unsettled.update(self._part(there) for there in held)
        self._consumer.poll(_KEEP_MS)

    # --- reading ---

    def poll(self, limit: int, timeout_s: float) -> dict[Part, list[Record]]:
        """Up to `limit` records, of all parts held together."""
        until = time.monotonic() + timeout_s
        with self._cluster.translated():
            while True:
                self._settle()
                self._monitor()
                left_ms = max(0, int((until - time.monotonic()) * 1000))
                try:
                    polled = self._consumer.poll(min(_LOOK_MS, left_ms), max_records=limit)
                except errors.OffsetOutOfRangeError:  # what it was about to read has expired meanwhile
                    self.rewind(self._held())
                    continue
                if found := self._taken(polled):
                    return found
                if time.monotonic() >= until:
                    return {}

    def _taken(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> dict[Part, list[Record]]:
        found = {}
        with self._lock:
            for there, messages in polled.items():
                part = self._part(there)
                if part in self._unsettled:  # taken over anew while these were on their way
                    continue
                found[part] = [record_of(part, message) for message in messages]
                self._handed[part] = messages[-1].offset + 1
        return found

    def rewind(self, parts: Collection[Part]) -> None:
        """Asks for these positions before the next poll."""
        with self._lock:
            self._unsettled.update(parts)
            for part in parts:
                self._handed.pop(part, None)

    def _monitor(self) -> None:
        """Tells Kafka where the group is, for those who watch it there. What was handed out before this poll is applied."""
        if time.monotonic() < self._monitor_at or self._consumer.config["group_id"] is None:
            return
        self._monitor_at = time.monotonic() + _MONITOR_S
        with self._lock:
            offsets = {self._there(part): OffsetAndMetadata(offset, "", -1) for part, offset in self._handed.items()}
        if offsets:
            self._consumer.commit_async(offsets)

    def close(self) -> None:
        """Leaves the group."""
        with contextlib.suppress(errors.KafkaError):  # Kafka is away: the membership ends by itself
            self._consumer.close(autocommit=False, timeout_ms=2000)


class _Listener(ConsumerRebalanceListener):
    """Runs on kafka-python's thread, while that of the consumer may be applying a batch."""

    def __init__(
        self,
        assigned: Callable[[Collection[TopicPartition]], None],
        revoked: Callable[[Collection[TopicPartition]], None],
    ) -> None:
        self._assigned, self._revoked = assigned, revoked

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Takes them over."""
        self._assigned(assigned)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Lets them go."""
        self._revoked(revoked)
