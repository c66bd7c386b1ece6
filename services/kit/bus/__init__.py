"""The event log as its readers see it. Backends: `local` (the producers' outbox tables, read in place) and `kafka`.

A group's positions live in its consumer's own database (`kit.positions`), never in the log: the log asks for them
whenever a part comes into this reader's hands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ascolto.common.v1.envelope_pb2 import Envelope
from services.kit.errors import Internal

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from services.kit.app import Worker
    from services.kit.clock import Clock
    from services.kit.trace import Tracer
    from services.kit.uow import Database, Uow
    from services.kit.wakes import Wakes


class Record(NamedTuple):
    """One event at its place in the log. `kind` and `key` are readable without parsing the envelope."""

    topic: str
    partition: int
    offset: int
    key: str
    kind: str
    event_id: str
    data: bytes  # Envelope

    @property
    def envelope(self) -> Envelope:
        """Parsed anew on each call: keep it."""
        return Envelope.FromString(self.data)


class Part(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Bounds(NamedTuple):
    """What a part holds: nothing below `begin`, where a new group starts; the next record gets `end`, at least."""

    begin: int
    end: int

    def check(self, part: Part, offset: int) -> None:
        """Raises `Internal` for a position outside the part: what lies between was never read, or it is another log."""
        if offset < self.begin:
            raise Internal(
                f"Records {offset} to {self.begin - 1} of {part} are pruned and were never read by this group."
            )
        if offset > self.end:
            raise Internal(f"Position {offset} of {part} lies beyond the log's end {self.end}: is this another log?")


Positions = Callable[[Collection[Part]], Mapping[Part, int]]
"""The next offset to read of each part. May raise `Unavailable`, and is then asked again."""


class Reading(Protocol):
    """One reader of some topics; used by one thread. It holds parts, which another reader of its group may be given."""

    def poll(self, limit: int, timeout_s: float) -> dict[Part, list[Record]]:
        """What follows in the parts held now, in order in each; waits up to `timeout_s` when there is nothing.

        At most `limit` records, of each part on the local log, together on Kafka. Raises `Internal` for a position
        outside the log and `Unavailable` when the log or the positions cannot be asked.
        """
        ...

    def rewind(self, parts: Collection[Part]) -> None:
        """What was polled of these is not applied: their positions are asked for again before the next poll."""
        ...

    def close(self) -> None:
        """Lets others have the parts at once."""
        ...


@dataclass(frozen=True, slots=True)
class Duties:
    """What the workers of a log need to know of the services whose databases they look after."""

    databases: Mapping[str, Database]
    wakes: Wakes
    clock: Clock
    holder: str  # of leases: this process
    retention: timedelta
    metrics: CollectorRegistry | None = None
    tracer: Tracer | None = None
    groups: Collection[tuple[str, str]] = ()  # (group, topic) declared by the services of this process


class Log(Protocol):
    """Reads topics in order. Writing happens in `Uow.emit` alone."""

    relayed: bool  # whether events wait in outboxes until a relay has moved them here

    def bounds(self, topic: str) -> dict[Part, Bounds]:
        """The parts of a topic and what each holds. The local log has one, 0. Raises `Unavailable`."""
        ...

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on. An offset beyond the end raises `Internal`; below the begin too.

        For looking; who follows a topic uses `join` or `follow`.
        """
        ...

    def first(self, places: Mapping[Part, int]) -> dict[Part, Record]:
        """The first record of each part at or behind a place, where there is one; for looking. Raises as `read`."""
        ...

    def join(self, group: str, topics: Sequence[str], positions: Positions) -> Reading:
        """Reads as a member of `group`: each part is held by one member, which begins where `positions` says."""
        ...

    def follow(self, topics: Sequence[str], moment: datetime) -> Reading:
        """Reads as broadcast: all parts, from the first record written at `moment` or later; no group, no position."""
        ...

    def copy_parked(self, uow: Uow, records: Sequence[Record]) -> None:
        """Writes into the consumer's transaction what the log wants to show of records that are parked there."""
        ...

    def migrate(self, retention: timedelta) -> list[str]:
        """Makes what the log needs and is not there yet; says what a person should know. Safe to run twice."""
        ...

    def faults(self) -> list[str]:
        """What is wrong with the log's own settings, a sentence each with how to mend it."""
        ...

    def workers(self, duties: Duties) -> list[Worker]:
        """What must run beside the services for the log's sake: pruning, or a relay for each database."""
        ...

    def reach(self) -> None:
        """Raises `Unavailable` when its server does not answer; works before `prepare`."""
        ...

    def ping(self) -> None:
        """Raises `Unavailable` when the log cannot be read."""
        ...

    def close(self) -> None:
        """Closes what is open."""
        ...
