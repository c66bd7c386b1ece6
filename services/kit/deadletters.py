"""Dead letters: records a group could not handle, kept in its own database until a person or an upgrade replays them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.kit import topics
from services.kit.app import Consumption
from services.kit.bus import Record
from services.kit.clock import Clock
from services.kit.db.sql import Sql
from services.kit.errors import AscoltoError
from services.kit.ids import new_id
from services.kit.inbox import keep_unapplied
from services.kit.uow import Database, Reader, Row, Uow

NEWER_SCHEMA = "newer_schema"

_COLUMNS = (
    "id, group_name, topic, part, position, event_id, kind, key, aggregate_id, data, reason_kind, reason,"
    " last_reason, attempts, first_us, last_us, handled_us"
)
_PARK = Sql(
    f"INSERT INTO dead_letters ({_COLUMNS})"  # noqa: S608 (columns are ours)
    " VALUES (:id, :group, :topic, :part, :position, :event_id, :kind, :key, :aggregate_id, :data, :reason_kind,"
    " :reason, :reason, 1, :now_us, :now_us, 0)"
    " ON CONFLICT (group_name, event_id) DO UPDATE SET attempts = dead_letters.attempts + 1,"
    " last_us = excluded.last_us, last_reason = excluded.last_reason"
)
_GET = Sql(f"SELECT {_COLUMNS} FROM dead_letters WHERE id = :id")  # noqa: S608 (as above)
_LIST = Sql(
    f"SELECT {_COLUMNS} FROM dead_letters WHERE handled_us = 0 AND id > :after ORDER BY id LIMIT :limit"  # noqa: S608 (as above)
)
_IDS = Sql(
    "SELECT id FROM dead_letters WHERE handled_us = 0 AND (:reason_kind = '' OR reason_kind = :reason_kind)"
    " ORDER BY id LIMIT 10000"
)
_NEWER = Sql(
    "SELECT id FROM dead_letters WHERE handled_us = 0 AND reason_kind = 'newer_schema' AND group_name = :group"
    " AND topic = :topic AND kind IN (:kinds...) ORDER BY position"
)
_COUNT = Sql("SELECT count(*) FROM dead_letters WHERE handled_us = 0")
_HANDLED_COUNT = Sql("SELECT count(*) FROM dead_letters WHERE handled_us > :since_us")
_HANDLED = Sql("UPDATE dead_letters SET handled_us = :now_us WHERE id = :id AND handled_us = 0")
_FAILED = Sql(
    "UPDATE dead_letters SET attempts = attempts + 1, last_us = :now_us, last_reason = :reason"
    " WHERE id = :id AND handled_us = 0"
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One parked record, with why. Times in microseconds UTC; `handled_us` is 0 while it waits."""

    id: str
    group: str
    topic: str
    partition: int
    position: int
    event_id: str
    kind: str
    key: str
    aggregate_id: str
    data: bytes
    reason_kind: str
    reason: str
    last_reason: str
    attempts: int
    first_us: int
    last_us: int
    handled_us: int

    @property
    def record(self) -> Record:
        """The record as the log gave it."""
        return Record(self.topic, self.partition, self.position, self.key, self.kind, self.event_id, self.data)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one replay."""

    id: str
    ok: bool
    detail: str = ""
    kind: str = ""  # of the error, as far as one is known


def reason_of(error: BaseException) -> tuple[str, str]:
    """Kind and sentence of an error; a foreign one shows its type, and of its text no more than 500 characters."""
    if isinstance(error, AscoltoError):
        return error.kind, error.message[:500]
    return "internal", f"{type(error).__name__}: {error}"[:500]


def park(uow: Uow, group: str, records: Sequence[Record], reason: tuple[str, str], now_us: int) -> None:
    """Parks records for a group with one reason; a record parked before counts one attempt more."""
    kind, sentence = reason
    uow.execute_many(
        _PARK,
        [
            {
                "id": new_id("dlt"),
                "group": group,
                "topic": record.topic,
                "part": record.partition,
                "position": record.offset,
                "event_id": record.event_id,
                "kind": record.kind,
                "key": record.key,
                "aggregate_id": _aggregate_of(record),
                "data": record.data,
                "reason_kind": kind,
                "reason": sentence,
                "now_us": now_us,
            }
            for record in records
        ],
    )


def _aggregate_of(record: Record) -> str:
    from google.protobuf.message import DecodeError

    try:
        return record.envelope.aggregate_id
    except DecodeError:
        return ""  # a damaged envelope is parked like any other; its key still says whose it is


class DeadLetters:
    """The parked records of one service's groups."""

    def __init__(self, database: Database, consumptions: Sequence[Consumption], *, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._consumptions = {(item.group, item.topic): item for item in consumptions}

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)

    def list(self, *, limit: int = 50, after: str = "") -> tuple[list[DeadLetter], str]:
        """A page of what waits, oldest first, and the cursor of the next page, empty at the end."""
        with self._database.read() as reader:
            rows = reader.rows(_LIST, {"after": after, "limit": limit + 1})
        letters = [_letter(row) for row in rows[:limit]]
        return letters, letters[-1].id if len(rows) > limit else ""

    def count(self) -> int:
        """How many wait."""
        with self._database.read() as reader:
            return _number(reader, _COUNT, {})

    def handled_since(self, since_us: int) -> int:
        """How many were replayed with success since then."""
        with self._database.read() as reader:
            return _number(reader, _HANDLED_COUNT, {"since_us": since_us})

    def waiting_ids(self, reason_kind: str = "") -> Sequence[str]:
        """Ids of up to 10,000 that wait, of one kind of reason or of all."""
        with self._database.read() as reader:
            return [str(row[0]) for row in reader.rows(_IDS, {"reason_kind": reason_kind})]

    def replay(self, ids: Sequence[str], *, confirmed: bool = False) -> Sequence[Outcome]:
        """Runs each through its own group's handler alone, each in its transaction; says what became of each.

        Replaying what a person asked to be sent needs `confirmed`: it may have been sent by other means since.
        """
        return [self._replay(letter_id, confirmed=confirmed) for letter_id in ids]

    def replay_newer(self, consumption: Consumption) -> int:
        """Replays what was parked as `newer_schema` and is known now; returns how many succeeded."""
        known = sorted(consumption.kinds | consumption.ignored)
        with self._database.read() as reader:
            rows = reader.rows(_NEWER, {"group": consumption.group, "topic": consumption.topic, "kinds": known})
        outcomes = self.replay([str(row[0]) for row in rows], confirmed=True)  # no person had it refused
        return sum(outcome.ok for outcome in outcomes)

    def _replay(self, letter_id: str, *, confirmed: bool) -> Outcome:
        with self._database.read() as reader:
            row = reader.row(_GET, {"id": letter_id})
        if row is None:
            return Outcome(letter_id, ok=False, detail="There is no such dead letter.", kind="not_found")
        letter = _letter(row)
        consumption = self._consumptions.get((letter.group, letter.topic))
        if letter.handled_us:
            return Outcome(letter_id, ok=True, detail="It was replayed before.")
        if consumption is None:
            return Outcome(letter_id, ok=False, detail=f"The group {letter.group} no longer reads {letter.topic}.")
        if letter.topic == topics.REPLIES and not confirmed:
            return Outcome(letter_id, ok=False, detail="It would write to a customer: a person must confirm.")
        if letter.kind not in consumption.kinds | consumption.ignored:
            return Outcome(letter_id, ok=False, detail=f"This version does not know {letter.kind}.")
        try:
            self._database.write(lambda uow: self._run(uow, letter, consumption))
        except Exception as error:  # noqa: BLE001 (whatever the handler raises is the answer and is written down)
            _, sentence = reason_of(error)
            now_us = self._now_us()
            self._database.write(
                lambda uow: uow.execute(_FAILED, {"id": letter_id, "now_us": now_us, "reason": sentence})
            )
            return Outcome(letter_id, ok=False, detail=sentence)
        return Outcome(letter_id, ok=True)

    def _run(self, uow: Uow, letter: DeadLetter, consumption: Consumption) -> None:
        now_us = self._now_us()
        if uow.execute(_HANDLED, {"id": letter.id, "now_us": now_us}) != 1:
            return  # another replay was first
        if letter.kind in consumption.kinds:
            fresh = keep_unapplied(uow, letter.group, [letter.record], now_us)
            if fresh:
                consumption.handle(fresh, uow)


def _letter(row: Row) -> DeadLetter:
    return DeadLetter(*row)  # type: ignore[arg-type]  # the columns are those of _COLUMNS, in its order


def _number(reader: Reader, statement: Sql, values: dict[str, int]) -> int:
    row = reader.row(statement, values)
    return int(row[0] or 0) if row else 0
