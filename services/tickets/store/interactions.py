"""Interactions: what was said, kept as the contract's message beside the keys it is found by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.kit.db.sql import Sql
from services.kit.uow import Params, Reader, Row, Uow


@dataclass(frozen=True, slots=True)
class Kept:
    """One interaction as stored; `data` is the contract's message."""

    id: str
    ticket_id: str
    brand_id: str
    kind: str
    direction: int
    seq: int
    rev: int
    delivery_rev: int
    delivery_state: int
    data: bytes


class NewRow(NamedTuple):
    """One interaction as it is first stored."""

    id: str
    ticket_id: str
    brand_id: str
    kind: str
    direction: int
    account_id: str
    external_id: str
    reply_key: str
    seq: int
    recorded_us: int
    rev: int
    delivery_state: int
    data: bytes


IN, OUT, INTERNAL = 1, 2, 3
CANCELLED = 10  # delivery state of the contract
_COLUMNS = "id, ticket_id, brand_id, kind, direction, seq, rev, delivery_rev, delivery_state, data"

_KNOWN = Sql("SELECT id FROM interactions WHERE id IN (:ids...)")
_INSERT = Sql(
    f"INSERT INTO interactions ({', '.join(NewRow._fields)}, delivery_rev)"  # noqa: S608 - fixed names
    f" VALUES ({', '.join(':' + name for name in NewRow._fields)}, 0)"
)
_UPDATE = Sql(
    "UPDATE interactions SET data = :data, rev = :rev, delivery_rev = :delivery_rev, delivery_state = :delivery_state,"
    " external_id = :external_id WHERE id = :id"
)
_GET = Sql(f"SELECT {_COLUMNS} FROM interactions WHERE id IN (:ids...)")  # noqa: S608 - fixed names
_OF_TICKETS = Sql(f"SELECT {_COLUMNS} FROM interactions WHERE ticket_id IN (:ids...) ORDER BY ticket_id, seq")  # noqa: S608 - fixed names
_AFTER = Sql(f"SELECT {_COLUMNS} FROM interactions WHERE ticket_id = :ticket_id AND seq > :seq ORDER BY seq")  # noqa: S608 - fixed names
_BY_REPLY_KEY = Sql(
    f"SELECT {_COLUMNS} FROM interactions WHERE ticket_id = :ticket_id AND reply_key = :reply_key AND reply_key <> ''"  # noqa: S608 - fixed names
)
_BY_EXTERNAL = Sql(
    f"SELECT {_COLUMNS}, account_id, external_id FROM interactions"  # noqa: S608 - fixed names
    " WHERE account_id IN (:accounts...) AND external_id IN (:externals...) AND external_id <> ''"
)
_WAITING_SINCE = Sql(
    "SELECT MIN(recorded_us) FROM interactions WHERE ticket_id = :ticket_id AND direction = 1 AND kind = 'message'"
    " AND seq > (SELECT COALESCE(MAX(seq), 0) FROM interactions WHERE ticket_id = :ticket_id AND direction = 2"
    " AND kind = 'message' AND delivery_state <> 10)"
)
_SCAN = Sql(f"SELECT {_COLUMNS} FROM interactions WHERE rev > :after AND kind <> 'event' ORDER BY rev LIMIT :limit")  # noqa: S608 - fixed names
_COUNT = Sql("SELECT COUNT(*) FROM interactions")  # by an index alone: to ask for the kind is to read every body
_RECENT = Sql(f"SELECT {_COLUMNS} FROM interactions WHERE kind IN ('message', 'note') ORDER BY rev DESC LIMIT :limit")  # noqa: S608 - fixed names
_RECENT_BRANDS = Sql(
    f"SELECT {_COLUMNS} FROM interactions WHERE kind IN ('message', 'note') AND brand_id IN (:brands...)"  # noqa: S608 - fixed names
    " ORDER BY rev DESC LIMIT :limit"
)
_OF_CUSTOMER = Sql(
    "SELECT i.id, i.ticket_id, i.brand_id, i.kind, i.direction, i.seq, i.rev, i.delivery_rev, i.delivery_state, i.data"
    " FROM interactions i JOIN tickets t ON t.id = i.ticket_id WHERE t.customer_id = :customer_id"
    " AND i.kind IN ('message', 'note') AND i.brand_id IN (:brands...) ORDER BY i.recorded_us DESC, i.id DESC LIMIT :limit"
)
_PARK = Sql(
    "INSERT INTO parked_amendments (id, parent_key, act, text, occurred_us)"
    " VALUES (:id, :parent_key, :act, :text, :occurred_us) ON CONFLICT DO NOTHING"
)
_PARKED = Sql("SELECT parent_key, id, act, text, occurred_us FROM parked_amendments WHERE parent_key IN (:keys...)")
_UNPARK = Sql("DELETE FROM parked_amendments WHERE parent_key IN (:keys...)")


def known(reader: Reader, ids: Collection[str]) -> set[str]:
    """Which of these interactions exist."""
    return {str(row[0]) for row in reader.rows(_KNOWN, {"ids": list(ids)})} if ids else set()


def add(uow: Uow, rows: Sequence[NewRow]) -> None:
    """Inserts interactions."""
    if rows:
        uow.execute_many(_INSERT, rows)


def save(uow: Uow, rows: Sequence[Params]) -> None:
    """Writes amended interactions back."""
    if rows:
        uow.execute_many(_UPDATE, rows)


def of_row(row: Row) -> Kept:
    """From the columns every query here begins with."""
    return Kept(*row[:10])  # type: ignore[arg-type]  # a row's values are untyped by nature


def get(reader: Reader, ids: Collection[str]) -> dict[str, Kept]:
    """By id."""
    return {str(row[0]): of_row(row) for row in reader.rows(_GET, {"ids": sorted(ids)})} if ids else {}


def of_tickets(reader: Reader, ids: Collection[str]) -> list[Kept]:
    """All interactions of tickets, oldest first within each."""
    return [of_row(row) for row in reader.rows(_OF_TICKETS, {"ids": sorted(ids)})] if ids else []


def after(reader: Reader, ticket_id: str, seq: int) -> list[Kept]:
    """What was recorded on a ticket after `seq`."""
    return [of_row(row) for row in reader.rows(_AFTER, {"ticket_id": ticket_id, "seq": seq})]


def by_reply_key(reader: Reader, ticket_id: str, reply_key: str) -> Kept | None:
    """The answer or note already written under that key."""
    row = reader.row(_BY_REPLY_KEY, {"ticket_id": ticket_id, "reply_key": reply_key}) if reply_key else None
    return of_row(row) if row else None


def parent_key(account_id: str, external_id: str) -> str:
    """How amendments name what they amend."""
    return f"{account_id}\x1f{external_id}"


def by_external(reader: Reader, keys: Collection[tuple[str, str]]) -> dict[str, list[Kept]]:
    """Interactions by account and the channel's own id, several when the channel used one twice."""
    found: dict[str, list[Kept]] = {}
    if keys:
        accounts, externals = sorted({a for a, _ in keys}), sorted({e for _, e in keys})
        for row in reader.rows(_BY_EXTERNAL, {"accounts": accounts, "externals": externals}):
            found.setdefault(parent_key(str(row[10]), str(row[11])), []).append(of_row(row))
    return found


def waiting_since(reader: Reader, ticket_id: str) -> int:
    """When the customer's oldest unanswered message was recorded; 0 when there is none."""
    row = reader.row(_WAITING_SINCE, {"ticket_id": ticket_id})
    return int(row[0]) if row and isinstance(row[0], int) else 0


def scan(reader: Reader, after_rev: int, limit: int) -> list[Kept]:
    """A page of everything but events, by rev."""
    return [of_row(row) for row in reader.rows(_SCAN, {"after": after_rev, "limit": limit})]


def count(reader: Reader) -> int:
    """How many there are, events included; for showing how far a page-wise read has come."""
    row = reader.row(_COUNT)
    return int(row[0]) if row and isinstance(row[0], int) else 0


def recent(reader: Reader, limit: int, brands: Collection[str]) -> list[Kept]:
    """The newest messages and notes, of some brands or (empty) of all."""
    if brands:
        rows = reader.rows(_RECENT_BRANDS, {"limit": limit, "brands": sorted(brands)})
    else:
        rows = reader.rows(_RECENT, {"limit": limit})
    return [of_row(row) for row in rows]


def of_customer(reader: Reader, customer_id: str, brands: Collection[str], limit: int) -> list[Kept]:
    """A customer's newest messages and notes anywhere."""
    rows = reader.rows(_OF_CUSTOMER, {"customer_id": customer_id, "brands": sorted(brands), "limit": limit})
    return [of_row(row) for row in rows]


def park(uow: Uow, rows: Sequence[Params]) -> None:
    """Keeps amendments whose parent has not come; the same one once."""
    if rows:
        uow.execute_many(_PARK, rows)


def parked(reader: Reader, keys: Collection[str]) -> list[Row]:
    """Amendments that waited for these parents: parent key, id, act, text, when."""
    return reader.rows(_PARKED, {"keys": list(keys)}) if keys else []


def unpark(uow: Uow, keys: Collection[str]) -> None:
    """Forgets amendments that were applied."""
    if keys:
        uow.execute(_UNPARK, {"keys": sorted(keys)})
