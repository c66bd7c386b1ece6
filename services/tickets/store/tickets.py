"""Tickets: locking, saving, and the keys by which a contact finds one. Hot statements, compiled once."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from services.kit.db.sql import Sql
from services.kit.uow import Params, Reader, Row, Uow
from services.tickets.domain.contact import Capabilities
from services.tickets.domain.threads import Known
from services.tickets.domain.ticket import State, Ticket

NAMES = (
    "id", "number", "brand_id", "account_id", "channel", "conversation", "subject", "state", "customer_id", "opened_us",
    "capabilities", "assignee", "team", "tags", "priority", "version", "rev", "changed_us", "solved_us", "close_us",
    "promise_us", "due_us", "first_response_us", "first_response_id", "waiting_us", "last_interaction_id", "last_us",
    "interactions", "language", "follows", "alert_id", "mention_id", "tone", "has_attachments", "delivery_trouble",
    "excerpt", "not_rendered", "topic", "order_number", "fields", "person",
)  # fmt: skip
COLUMNS = ", ".join(NAMES)
_FIXED = {"id", "number", "brand_id", "opened_us", "capabilities", "channel", "person"}
_MOVING = [name for name in NAMES if name not in _FIXED]
_REFORMED = ("state", "tags", "fields", "has_attachments", "delivery_trouble")  # rows hold them in another form
_PLAIN = tuple(name for name in NAMES if name not in {*_REFORMED, "capabilities"})
_PLAIN_OF = attrgetter(*_PLAIN)
_NEW = (*_PLAIN, *_REFORMED, "capabilities", "live", "open_key")

_LOCK = Sql(f"SELECT {COLUMNS} FROM tickets WHERE id IN (:ids...) ORDER BY id FOR UPDATE")  # noqa: S608 - fixed names
_GET = Sql(f"SELECT {COLUMNS} FROM tickets WHERE id IN (:ids...)")  # noqa: S608 - fixed names
_BY_NUMBER = Sql("SELECT number, id FROM tickets WHERE number IN (:numbers...)")
_BY_OPEN_KEY = Sql("SELECT id FROM tickets WHERE open_key = :open_key AND open_key <> ''")
_INSERT = Sql(f"INSERT INTO tickets ({', '.join(_NEW)}) VALUES ({', '.join(':' + name for name in _NEW)})")  # noqa: S608 - fixed names
_UPDATE = Sql(f"UPDATE tickets SET {', '.join(f'{name} = :{name}' for name in _MOVING)} WHERE id = :id")  # noqa: S608 - fixed names
_NUMBERS = Sql(
    "INSERT INTO ticket_numbers (name, value) VALUES ('ticket', 10000 + :count) "
    "ON CONFLICT (name) DO UPDATE SET value = ticket_numbers.value + :count RETURNING value"
)
_THREADS = Sql("SELECT thread_key, ticket_id FROM threads WHERE thread_key IN (:keys...)")
_ADD_THREAD = Sql("INSERT INTO threads (thread_key, ticket_id) VALUES (:thread_key, :ticket_id)")
_MOVE_THREAD = Sql("UPDATE threads SET ticket_id = :ticket_id WHERE thread_key = :thread_key")
_MESSAGE_IDS = Sql(
    "SELECT message_id, ticket_id, how FROM message_ids WHERE message_id IN (:ids...) ORDER BY message_id, ticket_id DESC"
)
_PUT_MESSAGE_ID = Sql(
    "INSERT INTO message_ids (message_id, ticket_id, brand_id, how) VALUES (:message_id, :ticket_id, :brand_id, :how) "
    "ON CONFLICT (message_id, ticket_id) DO UPDATE SET how = excluded.how WHERE excluded.how < message_ids.how"
)
_DROP_TAGS = Sql("DELETE FROM ticket_tags WHERE ticket_id = :ticket_id")
_ADD_TAG = Sql("INSERT INTO ticket_tags (tag, ticket_id) VALUES (:tag, :ticket_id) ON CONFLICT DO NOTHING")
_TAGS = Sql("SELECT DISTINCT tag FROM ticket_tags ORDER BY tag LIMIT 2000")
_TAGS_OF = Sql(
    "SELECT DISTINCT tag FROM ticket_tags JOIN tickets ON id = ticket_id WHERE brand_id IN (:brands...)"
    " ORDER BY tag LIMIT 2000"
)
_DUE = Sql("SELECT id FROM tickets WHERE close_us > 0 AND close_us <= :now ORDER BY close_us LIMIT :limit")

_TAG_BREAK = "\n"
Unpack = Callable[[bytes], Capabilities]


def of_row(row: Row, unpack: Unpack) -> Ticket:
    """A ticket from the columns of `COLUMNS`."""
    values: list[Any] = list(row)
    values[7] = State(values[7])
    values[10] = unpack(values[10])
    values[13] = tuple(values[13].split(_TAG_BREAK)) if values[13] else ()
    values[33], values[34] = bool(values[33]), bool(values[34])
    values[39] = json.loads(values[39]) if values[39] else {}
    return Ticket(*values)


def _reformed(ticket: Ticket) -> tuple[int, str, str, int, int]:
    return (
        int(ticket.state),
        _TAG_BREAK.join(ticket.tags),
        _fields(tuple(ticket.fields.items())),
        int(ticket.has_attachments),
        int(ticket.delivery_trouble),
    )


@lru_cache(maxsize=1024)  # most tickets of a batch are as young as each other
def _fields(changed: tuple[tuple[str, int], ...]) -> str:
    return json.dumps(dict(changed)) if changed else ""


def lock(uow: Uow, ids: Collection[str], unpack: Unpack) -> dict[str, Ticket]:
    """Locks tickets for the rest of the transaction and returns them; unknown ids are left out."""
    if not ids:
        return {}
    return {str(row[0]): of_row(row, unpack) for row in uow.rows(_LOCK, {"ids": sorted(ids)})}


def get(reader: Reader, ids: Collection[str], unpack: Unpack) -> dict[str, Ticket]:
    """Tickets without a lock."""
    if not ids:
        return {}
    return {str(row[0]): of_row(row, unpack) for row in reader.rows(_GET, {"ids": sorted(ids)})}


def add(uow: Uow, tickets: Sequence[Ticket], *, open_key: str = "") -> None:
    """Inserts new tickets."""
    rows: list[Row] = [
        (*_PLAIN_OF(one), *_reformed(one), one.capabilities.packed, int(one.capabilities.live), open_key)
        for one in tickets
    ]
    if rows:
        uow.execute_many(_INSERT, rows)


def save(uow: Uow, tickets: Iterable[Ticket]) -> None:
    """Writes locked tickets back."""
    rows: list[Params] = [
        dict(zip((*_PLAIN, *_REFORMED), (*_PLAIN_OF(ticket), *_reformed(ticket)), strict=True)) for ticket in tickets
    ]
    if rows:
        uow.execute_many(_UPDATE, rows)


def next_numbers(uow: Uow, count: int) -> range:
    """Consecutive short numbers; the first ever is 10001."""
    row = uow.row(_NUMBERS, {"count": count})
    assert row is not None
    last = _int(row[0])
    return range(last - count + 1, last + 1)


def by_number(reader: Reader, numbers: Collection[int]) -> dict[int, str]:
    """Ids of tickets by short number."""
    if not numbers:
        return {}
    return {_int(n): str(i) for n, i in reader.rows(_BY_NUMBER, {"numbers": sorted(numbers)})}


def by_open_key(reader: Reader, open_key: str) -> str:
    """The id of the ticket that a mention or form opened, or empty."""
    row = reader.row(_BY_OPEN_KEY, {"open_key": open_key}) if open_key else None
    return str(row[0]) if row else ""


def threads(reader: Reader, keys: Collection[str]) -> dict[str, str]:
    """The current ticket of each conversation."""
    return {str(k): str(t) for k, t in reader.rows(_THREADS, {"keys": sorted(keys)})} if keys else {}


def put_threads(uow: Uow, threads: Mapping[str, str], *, known: Collection[str]) -> None:
    """Makes these tickets the current ones of their conversations; `known` ones had a ticket.

    A conversation begun meanwhile ends the transaction, which is then run again.
    """
    rows: list[Params] = [{"thread_key": key, "ticket_id": threads[key]} for key in sorted(threads)]
    if fresh := [row for row in rows if row["thread_key"] not in known]:
        uow.execute_many(_ADD_THREAD, fresh)
    if moved := [row for row in rows if row["thread_key"] in known]:
        uow.execute_many(_MOVE_THREAD, moved)


def message_ids(reader: Reader, ids: Collection[str]) -> dict[str, list[Known]]:
    """What is known of Message-IDs, newest ticket first."""
    found: dict[str, list[Known]] = {}
    if ids:
        for message_id, ticket_id, how in reader.rows(_MESSAGE_IDS, {"ids": sorted(ids)}):
            found.setdefault(str(message_id), []).append(Known(str(ticket_id), _int(how)))
    return found


def put_message_ids(uow: Uow, rows: Sequence[Params]) -> None:
    """Remembers Message-IDs; what is known better stays."""
    if rows:
        uow.execute_many(_PUT_MESSAGE_ID, rows)


def put_tags(uow: Uow, ticket: Ticket) -> None:
    """Makes the tag index say what the ticket says."""
    uow.execute(_DROP_TAGS, {"ticket_id": ticket.id})
    if ticket.tags:
        uow.execute_many(_ADD_TAG, [{"tag": tag, "ticket_id": ticket.id} for tag in ticket.tags])


def tags(reader: Reader, brands: Collection[str] = ()) -> list[str]:
    """Tags in use, in order; of some brands alone when any is named."""
    found = reader.rows(_TAGS_OF, {"brands": sorted(brands)}) if brands else reader.rows(_TAGS)
    return [str(row[0]) for row in found]


def due_to_close(reader: Reader, now_us: int, limit: int) -> list[str]:
    """Solved tickets whose days are over."""
    return [str(row[0]) for row in reader.rows(_DUE, {"now": now_us, "limit": limit})]


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
