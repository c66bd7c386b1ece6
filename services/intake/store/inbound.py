"""Rows of what arrived: raw bytes, the events found in them, parked amendments, quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from services.intake.store.columns import Columns
from services.kit.db.sql import Sql
from services.kit.uow import Reader, Row, Uow

_KNOWN_RAW = Sql("SELECT raw_key, id FROM inbound_raw WHERE raw_key IN (:keys...)")
_KNOWN_EVENTS = Sql("SELECT event_key, contact_id FROM inbound_event WHERE event_key IN (:keys...)")
_ADD_RAW = Sql(
    "INSERT INTO inbound_raw (id, raw_key, account_id, body, blob_key, media_type, meta, size_bytes, state, mode, attempts,"
    " due_us, received_us) VALUES (:id, :raw_key, :account_id, :body, :blob_key, :media_type, :meta, :size_bytes, :state,"
    " :mode, 0, :due_us, :received_us)"
)
_ADD_EVENT = Sql(
    "INSERT INTO inbound_event (event_key, contact_id, raw_id, account_id, external_id, conversation, received_us)"
    " VALUES (:event_key, :contact_id, :raw_id, :account_id, :external_id, :conversation, :received_us)"
)
_RAWS = Columns(
    "id, raw_key, account_id, body, blob_key, media_type, meta, size_bytes, state, mode, attempts, received_us"
)
_RAW = _RAWS.sql("SELECT $COLUMNS FROM inbound_raw WHERE id = :id")
_PENDING = _RAWS.sql(
    "SELECT $COLUMNS FROM inbound_raw WHERE state = 'pending' AND due_us <= :now_us ORDER BY due_us LIMIT :limit"
)
_NEXT_PENDING = Sql("SELECT MIN(due_us) FROM inbound_raw WHERE state = 'pending'")
_HASTEN = Sql("UPDATE inbound_raw SET due_us = :latest_us WHERE state = 'pending' AND due_us > :latest_us")
_SETTLE = Sql("UPDATE inbound_raw SET state = :state, attempts = attempts + 1 WHERE id = :id AND state = :before")
_POSTPONE = Sql("UPDATE inbound_raw SET due_us = :due_us, attempts = attempts + 1 WHERE id = :id AND state = 'pending'")
_PARK = Sql(
    "INSERT INTO parked_amendments (event_key, parent_key, act, data, log_key, parked_us, released_us)"
    " VALUES (:event_key, :parent_key, :act, :data, :log_key, :parked_us, 0) ON CONFLICT (event_key) DO NOTHING"
)
_PARKED = Sql(
    "SELECT event_key, parent_key, data, log_key FROM parked_amendments"
    " WHERE released_us = 0 AND parent_key IN (:keys...) ORDER BY parked_us, event_key"
)
_RELEASE = Sql("UPDATE parked_amendments SET released_us = :now_us WHERE event_key = :event_key")
_HAS_PARKED = Sql("SELECT 1 FROM parked_amendments WHERE released_us = 0 LIMIT 1")
_QUARANTINE = Sql(
    "INSERT INTO quarantine (id, raw_id, contact_id, account_id, channel, reason, last_reason, attempts, state, received_us)"
    " VALUES (:id, :raw_id, :contact_id, :account_id, :channel, :reason, :reason, 1, 'waiting', :received_us)"
    " ON CONFLICT (raw_id) DO UPDATE SET last_reason = excluded.reason, attempts = quarantine.attempts + 1"
)
_QUARANTINED = Columns("id, raw_id, contact_id, account_id, channel, reason, last_reason, attempts, state, received_us")
_LIST_QUARANTINE = _QUARANTINED.sql(
    "SELECT $COLUMNS FROM quarantine WHERE state = 'waiting' AND (:after = '' OR id < :after) ORDER BY id DESC LIMIT :limit"
)
_GET_QUARANTINE = _QUARANTINED.sql("SELECT $COLUMNS FROM quarantine WHERE id IN (:ids...) ORDER BY id")
_COUNT_QUARANTINE = Sql("SELECT COUNT(*) FROM quarantine WHERE state = 'waiting'")
_DONE_QUARANTINE = Sql(
    "UPDATE quarantine SET state = 'replayed', attempts = attempts + 1 WHERE id = :id AND state = 'waiting'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRow:
    """One raw contact as stored. `body` is empty when the bytes are in `blob_key`."""

    id: str
    raw_key: str
    account_id: str
    body: bytes
    blob_key: str
    media_type: str
    meta: str
    size_bytes: int
    state: str
    mode: int
    received_us: int
    due_us: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One raw contact nobody could read yet."""

    id: str
    raw_id: str
    contact_id: str
    account_id: str
    channel: str
    reason: str
    last_reason: str
    attempts: int
    state: str
    received_us: int


def known_raw(reader: Reader, keys: Sequence[str]) -> dict[str, str]:
    """Ids of raw contacts already stored, by key."""
    return {str(key): str(raw_id) for key, raw_id in reader.rows(_KNOWN_RAW, {"keys": keys})}


def known_events(reader: Reader, keys: Sequence[str]) -> dict[str, str]:
    """Contact ids of events already stored, by key."""
    return {str(key): str(contact) for key, contact in reader.rows(_KNOWN_EVENTS, {"keys": keys})}


def add_raw(uow: Uow, rows: Sequence[dict[str, str | int | bytes]]) -> None:
    """Stores raw contacts; a key stored meanwhile fails the transaction."""
    uow.execute_many(_ADD_RAW, rows)


def add_events(uow: Uow, rows: Sequence[dict[str, str | int]]) -> None:
    """Stores events; a key stored meanwhile fails the transaction."""
    uow.execute_many(_ADD_EVENT, rows)


def get_raw(reader: Reader, raw_id: str) -> RawRow | None:
    """One raw contact."""
    row = reader.row(_RAW, {"id": raw_id})
    return _raw(row) if row else None


def pending(reader: Reader, now_us: int, limit: int) -> list[RawRow]:
    """Raw contacts to be parsed now, the longest due first."""
    return [_raw(row) for row in reader.rows(_PENDING, {"now_us": now_us, "limit": limit})]


def next_pending_us(reader: Reader) -> int:
    """When the next pending one is due; 0 when none is."""
    row = reader.row(_NEXT_PENDING)
    return int(row[0] or 0) if row else 0


def hasten(uow: Uow, latest_us: int) -> int:
    """Lets no pending one wait longer than until `latest_us`; returns how many would have."""
    return uow.execute(_HASTEN, {"latest_us": latest_us})


def settle(uow: Uow, raw_id: str, *, before: str, state: str) -> bool:
    """Moves a raw contact on; False when another did."""
    return uow.execute(_SETTLE, {"id": raw_id, "before": before, "state": state}) == 1


def postpone(uow: Uow, raw_id: str, due_us: int) -> None:
    """Tries a pending one again later."""
    uow.execute(_POSTPONE, {"id": raw_id, "due_us": due_us})


def park(uow: Uow, *, event_key: str, parent_key: str, act: str, data: bytes, log_key: str, now_us: int) -> None:
    """Keeps an amendment whose contact has not come."""
    uow.execute(
        _PARK,
        {
            "event_key": event_key,
            "parent_key": parent_key,
            "act": act,
            "data": data,
            "log_key": log_key,
            "parked_us": now_us,
        },
    )


def release_parked(uow: Uow, parents: Sequence[str], now_us: int) -> list[tuple[bytes, str]]:
    """Amendments that waited for these contacts, oldest first: event bytes and key on the log."""
    if uow.row(_HAS_PARKED) is None:
        return []
    rows = uow.rows(_PARKED, {"keys": parents})
    for event_key, _, _, _ in rows:
        uow.execute(_RELEASE, {"event_key": event_key, "now_us": now_us})
    return [(data if isinstance(data, bytes) else b"", str(key)) for _, _, data, key in rows]


def put_quarantine(uow: Uow, item: Quarantined) -> None:
    """Notes that a raw contact could not be read (again)."""
    values = asdict(item)
    for name in ("last_reason", "attempts", "state"):
        del values[name]
    uow.execute(_QUARANTINE, values)


def list_quarantine(reader: Reader, *, after: str, limit: int) -> list[Quarantined]:
    """Newest first."""
    return [_quarantined(row) for row in reader.rows(_LIST_QUARANTINE, {"after": after, "limit": limit})]


def get_quarantine(reader: Reader, ids: Sequence[str]) -> list[Quarantined]:
    """Some of them, by id."""
    return [_quarantined(row) for row in reader.rows(_GET_QUARANTINE, {"ids": ids})]


def count_quarantine(reader: Reader) -> int:
    """How many wait."""
    row = reader.row(_COUNT_QUARANTINE)
    return int(row[0] or 0) if row else 0


def done_quarantine(uow: Uow, item_id: str) -> None:
    """It could be read after all."""
    uow.execute(_DONE_QUARANTINE, {"id": item_id})


def _raw(row: Row) -> RawRow:
    values = _RAWS.values(row)
    return RawRow(**values)  # type: ignore[arg-type]  # the columns have the fields' types


def _quarantined(row: Row) -> Quarantined:
    values = _QUARANTINED.values(row)
    return Quarantined(**values)  # type: ignore[arg-type]  # the columns have the fields' types


_KNOWN_CONTACTS = Sql(
    "SELECT id FROM inbound_raw WHERE id IN (:ids...) UNION SELECT contact_id FROM inbound_event WHERE contact_id IN (:ids...)"
)


def known_contacts(reader: Reader, ids: Sequence[str]) -> set[str]:
    """Which of these contacts there are."""
    return {str(row[0]) for row in reader.rows(_KNOWN_CONTACTS, {"ids": list(ids)})}
