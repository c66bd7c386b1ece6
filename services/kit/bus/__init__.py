"""The event log as its readers see it. Backends: `local` (the producers' outbox tables, read in place); Kafka later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from ascolto.common.v1.envelope_pb2 import Envelope


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


class Log(Protocol):
    """Reads topics in order. Writing happens in `Uow.emit` alone."""

    def partitions(self, topic: str) -> Sequence[int]:
        """The topic's partitions; the local log has one, 0."""
        ...

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        """Up to `limit` records from `offset` on. An offset beyond the end raises `Internal`; below the floor too."""
        ...

    def end(self, topic: str, partition: int) -> int:
        """The offset the next record will have, at least."""
        ...

    def begin(self, topic: str, partition: int) -> int:
        """The offset below which everything is pruned: where a new group starts."""
        ...

    def since(self, topic: str, partition: int, moment: datetime) -> int:
        """The offset of the first record written at `moment` or later; the end when there is none."""
        ...

    def wait(self, topics: Sequence[str], seen: int, timeout_s: float) -> int:
        """Blocks until something was committed to one of `topics` after the ticket `seen`; returns the new ticket."""
        ...

    def ping(self) -> None:
        """Raises `Unavailable` when the log cannot be read."""
        ...
