"""The one way to write, and what is handed to the functions that do.

`Database.write` runs a function in a transaction and returns after the commit. The function gets a `Uow`: statements
in, rows out, events out. It may be run again, so it has no side effect, takes the clock and ids as arguments, and
does no parsing, hashing, rpc or file work. Backends live in `kit/db/`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from services.kit.app import Worker
    from services.kit.db.sql import Sql

T = TypeVar("T")
Value = str | int | float | bytes | None
Row = tuple[Value, ...]
Params = Mapping[str, Value | Sequence[str] | Sequence[int]]


class Lane(enum.Enum):
    """Who waits for a write: people come before bulk work (imports, rebuilds, pruning)."""

    PEOPLE = 0
    BULK = 1


class Mode(enum.IntEnum):
    """Whether what an event causes may touch people; values are those of `ascolto.common.v1.Mode`."""

    LIVE = 1
    IMPORT = 2
    REPLAY = 3


class Packed(NamedTuple):
    """A payload that is bytes already: the name of its message, and the message."""

    kind: str
    data: bytes

    def ByteSize(self) -> int:  # noqa: N802 - as messages call it
        """Its length."""
        return len(self.data)


@dataclass(slots=True)
class Event:
    """One event on its way to a topic; carries the full state after the change, never a delta.

    `payload` is the proto message; its name is the kind. `subject` is `kit.privacy.subject(...)` of the person
    concerned, empty when nobody's. `rev` comes from `Uow.next_revs`, drawn after the aggregate was locked.
    A value; not frozen only because making a frozen one costs a microsecond for each event of the hot path.
    """

    topic: str
    key: str
    aggregate_id: str
    rev: int
    payload: Message | Packed
    brand_id: str = ""
    received_at: datetime | None = None
    mode: Mode = Mode.LIVE
    cause_id: str = ""
    subject: bytes = b""
    trace_id: str = ""


class Reader(Protocol):
    """A consistent view of one database, at most 2 s long."""

    def rows(self, statement: Sql, params: Params | None = None) -> list[Row]:
        """All rows of a query."""
        ...

    def row(self, statement: Sql, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        ...


class Uow(Reader, Protocol):
    """A transaction under way."""

    def execute(self, statement: Sql, params: Params | None = None) -> int:
        """Runs one statement; returns how many rows it touched."""
        ...

    def execute_many(self, statement: Sql, rows: Iterable[Params | Row]) -> int:
        """Runs one statement for many rows, in few calls of the driver; returns how many rows it touched.

        Rows of a plain INSERT may be tuples, their values in the order in which the statement names them.
        """
        ...

    def lock(self, name: str) -> None:
        """Holds back every other transaction that locks the same name, until this one ends. The first thing in a function.

        For what is read, worked out and written back as a whole; a single aggregate is locked by its version instead.
        """
        ...

    def next_revs(self, count: int = 1) -> Sequence[int]:
        """Draws `count` revisions, ascending, from the database's one sequence. Draw after the locks."""
        ...

    def now_us(self) -> int:
        """The hour of the database's clock, the only one all processes share, in microseconds since 1970 UTC."""
        ...

    def emit(self, *events: Event) -> None:
        """Queues events for the outbox; they are written last, in the order given. Over 256 KB raises `Invalid`."""
        ...


@dataclass(frozen=True, slots=True)
class PoolUse:
    """How one set of ways into a database is used: how many there are, free now, wanted now; waits since the start."""

    name: str
    size: int
    free: int
    waiting: int
    waits: int = 0
    waited_s: float = 0.0
    refused: int = 0  # none came free in time


class Spacing(NamedTuple):
    """When commits that others wait for are best kept apart: from `crowd` items in one on, by `seconds` from begin to begin."""

    crowd: int
    seconds: float


class Database(Protocol):
    """One service's database."""

    commits: int  # since the start, by this process
    spacing: Spacing

    def write(self, function: Callable[[Uow], T], *, lane: Lane = Lane.PEOPLE) -> T:
        """Runs `function` in a transaction, returns its result after the commit. A write inside a write raises."""
        ...

    def submit(self, function: Callable[[Uow], T], *, lane: Lane = Lane.PEOPLE) -> Future[T]:
        """As `write`, at once; the future resolves only after the commit."""
        ...

    def read(self) -> AbstractContextManager[Reader]:
        """A read transaction."""
        ...

    def migrate(self) -> None:
        """Brings the schema up to date; safe to run twice."""
        ...

    def reach(self) -> None:
        """Raises `Unavailable` when its server does not answer; works before the first migration."""
        ...

    def check_schema(self) -> None:
        """Raises `Unavailable` while the schema is older than this program."""
        ...

    def workers(self, notify: Callable[[frozenset[str]], None]) -> Sequence[Worker]:
        """What must run beside the service for its sake: who tells `notify` of other processes' commits."""
        ...

    def pools(self) -> Sequence[PoolUse]:
        """Its ways in, as this process uses them."""
        ...

    def ping(self) -> None:
        """Raises `Unavailable` when the database cannot be used."""
        ...

    def close(self) -> None:
        """Finishes what waits, then closes."""
        ...


def touch(uow: Uow) -> None:
    """The least that can be written: the sequence's row."""
    uow.next_revs()


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of at most `size`, in order."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
