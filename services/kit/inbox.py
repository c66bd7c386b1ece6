"""What every consumer keeps in its own database: its position, the events it applied, whose data is erased.

All of it is written in the transaction of the effect, so that a redelivery changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.kit.bus import Record
from services.kit.db.sql import Sql
from services.kit.errors import Internal
from services.kit.uow import Reader, Uow

_POSITION = Sql("SELECT next_offset FROM positions WHERE group_name = :group AND topic = :topic AND part = :part")
_REGISTER = Sql(
    "INSERT INTO positions (group_name, topic, part, next_offset, moved_us)"
    " VALUES (:group, :topic, :part, :next, :now_us) ON CONFLICT (group_name, topic, part) DO NOTHING"
)
_MOVE = Sql(
    "UPDATE positions SET next_offset = :next, moved_us = :now_us"
    " WHERE group_name = :group AND topic = :topic AND part = :part AND next_offset = :expected"
)
_APPLIED = Sql("SELECT event_id FROM applied WHERE group_name = :group AND event_id IN (:ids...)")
_APPLY = Sql("INSERT INTO applied (group_name, event_id, applied_us) VALUES (:group, :event_id, :now_us)")
_ANY_ERASED = Sql("SELECT 1 FROM erasures LIMIT 1")
_ERASED = Sql("SELECT subject, erased_us FROM erasures")
_ERASE = Sql(
    "INSERT INTO erasures (subject, erased_us) VALUES (:subject, :erased_us) ON CONFLICT (subject)"
    " DO UPDATE SET erased_us = excluded.erased_us WHERE excluded.erased_us > erasures.erased_us"
)


class Fenced(Internal):
    """Another instance of the group moved the position: what this one holds is out of date and was not applied."""


@dataclass(frozen=True, slots=True)
class Place:
    """One group's place in one partition of one topic."""

    group: str
    topic: str
    partition: int

    def find(self, reader: Reader) -> int | None:
        """The next offset, or None for a group that has never been here."""
        row = reader.row(_POSITION, {"group": self.group, "topic": self.topic, "part": self.partition})
        return None if row is None else int(row[0] or 0)

    def register(self, uow: Uow, start: int, now_us: int) -> None:
        """Makes the group known, so that pruning waits for it; keeps a position that is there."""
        uow.execute(_REGISTER, self.values(start, now_us))

    def move(self, uow: Uow, expected: int, following: int, now_us: int) -> None:
        """Advances from `expected` alone. Raises `Fenced` when the position is another."""
        move_all(uow, [(self, expected, following)], now_us)

    def values(self, following: int, now_us: int) -> dict[str, str | int]:
        """What its row is written with."""
        return {
            "group": self.group,
            "topic": self.topic,
            "part": self.partition,
            "next": following,
            "now_us": now_us,
        }


Move = tuple[Place, int, int]  # where, from which offset, to which


def move_all(uow: Uow, moves: Sequence[Move], now_us: int) -> None:
    """Advances places in one statement, each from the offset expected. Raises `Fenced` when one is at another."""
    rows = [place.values(following, now_us) | {"expected": expected} for place, expected, following in moves]
    if uow.execute_many(_MOVE, rows) != len(rows):
        where = ", ".join(f"{expected} of {place.topic}/{place.partition}" for place, expected, _ in moves)
        raise Fenced(f"Group {moves[0][0].group} is no longer at {where}.")


def keep_unapplied(uow: Uow, group: str, records: Sequence[Record], now_us: int) -> list[Record]:
    """Those of `records` the group has not applied yet, now marked as applied; one select and one insert."""
    if not records:
        return []
    ids = {record.event_id: record for record in reversed(records)}  # of one event twice in a batch, the first
    known = {row[0] for row in uow.rows(_APPLIED, {"group": group, "ids": list(ids)})}
    fresh = [record for record in records if record.event_id not in known and ids[record.event_id] is record]
    uow.execute_many(_APPLY, [(group, record.event_id, now_us) for record in fresh])
    return fresh


def without_erased(reader: Reader, records: Sequence[Record]) -> list[Record]:
    """Drops events about people whose data was erased at or after the event came in: replays must not bring it back."""
    if reader.row(_ANY_ERASED) is None:
        return list(records)
    erased = {row[0]: int(row[1] or 0) for row in reader.rows(_ERASED)}
    kept = []
    for record in records:
        envelope = record.envelope
        until_us = erased.get(envelope.subject, -1) if envelope.subject else -1
        if envelope.received_at.ToMicroseconds() > until_us:
            kept.append(record)
    return kept


def note_erasure(uow: Uow, subject: bytes, erased_us: int) -> None:
    """Writes into the journal that everything about `subject` received until `erased_us` is gone, and must stay so."""
    uow.execute(_ERASE, {"subject": subject, "erased_us": erased_us})
