"""Rows of deliveries: what is queued, claimed under which lease, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence

from services.intake.domain.delivery import Delivery, State
from services.intake.store.columns import Columns
from services.kit.db.sql import Sql
from services.kit.uow import Reader, Row, Uow

_TABLE = Columns(
    "id, reply_id, ticket_id, brand_id, account_id, channel, conversation, lane, state, external_id, error, attempts, due_us,"
    " requested_us, changed_us, failed_recipients, recipient, automatic, rev, epoch, claim_ends_us, request"
)
_ADD = _TABLE.sql("INSERT INTO deliveries ($COLUMNS) VALUES ($VALUES)")
_KNOWN = Sql("SELECT reply_id FROM deliveries WHERE reply_id IN (:ids...)")
_CANCELLED = Sql("SELECT reply_id FROM cancelled_replies WHERE reply_id IN (:ids...)")
_TOMBSTONE = Sql(
    "INSERT INTO cancelled_replies (reply_id, cancelled_us) VALUES (:reply_id, :now_us) ON CONFLICT (reply_id) DO NOTHING"
)
_BY_ID = _TABLE.sql("SELECT $COLUMNS FROM deliveries WHERE id = :id")
_BY_REPLY = _TABLE.sql("SELECT $COLUMNS FROM deliveries WHERE reply_id = :id")
_BY_EXTERNAL = _TABLE.sql("SELECT $COLUMNS FROM deliveries WHERE external_id = :id AND brand_id = :brand_id LIMIT 1")
_SAVE = Sql(
    "UPDATE deliveries SET state = :state, external_id = :external_id, error = :error, attempts = :attempts,"
    " due_us = :due_us, changed_us = :changed_us, failed_recipients = :failed_recipients, rev = :rev, epoch = :epoch,"
    " claim_ends_us = :claim_ends_us, account_id = :account_id, channel = :channel, recipient = :recipient,"
    " request = :request, requested_us = :requested_us WHERE id = :id AND rev = :before_rev"
)
# An automatic answer nobody is sure of holds nobody up: a person's words behind it matter more than its outcome.
_FIRST_OF_LANES = (
    "SELECT $COLUMNS FROM deliveries d WHERE d.state = 'queued' AND d.due_us <= :now_us AND NOT EXISTS ("
    "SELECT 1 FROM deliveries e WHERE e.lane = d.lane AND e.seq < d.seq"
    " AND e.state IN ('queued', 'claimed', 'transmitting', 'unknown')"
    " AND NOT (e.state = 'unknown' AND e.automatic = 1)) ORDER BY d.due_us, d.seq LIMIT :limit"
)
_CLAIMABLE = _TABLE.sql(_FIRST_OF_LANES)
_CLAIM = _TABLE.sql(f"{_FIRST_OF_LANES} FOR UPDATE SKIP LOCKED")
_HASTEN = Sql("UPDATE deliveries SET due_us = :latest_us WHERE state = 'queued' AND due_us > :latest_us")
_NEXT_DUE = Sql("SELECT MIN(due_us) FROM deliveries WHERE state = 'queued' AND due_us > :now_us")
# The condition of the index on what is on its way must stand in a query as it stands there, to be used.
_ORPHANS = _TABLE.sql(
    "SELECT $COLUMNS FROM deliveries WHERE state IN ('queued', 'claimed', 'transmitting', 'unknown')"
    " AND state IN ('claimed', 'transmitting')"
    " AND (epoch <> :epoch OR claim_ends_us < :now_us) LIMIT 500"
)
_UNSENT = _TABLE.sql(
    "SELECT $COLUMNS FROM deliveries WHERE state IN ('queued', 'claimed', 'transmitting', 'unknown')"
    " AND state <> 'unknown' ORDER BY + seq LIMIT :limit"  # the sign: to read all by seq is no way
)
_COUNTS = Sql(
    "SELECT state, COUNT(*), MIN(due_us) FROM deliveries WHERE state IN ('queued', 'claimed', 'transmitting', 'unknown') GROUP BY state"
)
_SUPPRESS = Sql(
    "INSERT INTO suppressed_addresses (brand_id, address, reason, until_us) VALUES (:brand_id, :address, :reason, :until_us)"
    " ON CONFLICT (brand_id, address) DO UPDATE SET reason = excluded.reason, until_us = excluded.until_us"
)
_SUPPRESSED = Sql(
    "SELECT reason FROM suppressed_addresses WHERE brand_id = :brand_id AND address = :address AND until_us > :now_us"
)
_COUNT_AUTOMATIC = Sql(
    "INSERT INTO automatic_mails (brand_id, recipient, day, sent) VALUES (:brand_id, :recipient, :day, 1)"
    " ON CONFLICT (brand_id, recipient, day) DO UPDATE SET sent = automatic_mails.sent + 1 RETURNING sent"
)


def add(uow: Uow, deliveries: Sequence[Delivery]) -> None:
    """Stores new deliveries, in the order in which their lanes send them."""
    uow.execute_many(_ADD, [_values(one) for one in deliveries])


def known_replies(reader: Reader, ids: Sequence[str]) -> set[str]:
    """Replies that have a delivery."""
    return {str(row[0]) for row in reader.rows(_KNOWN, {"ids": ids})}


def cancelled_replies(reader: Reader, ids: Sequence[str]) -> set[str]:
    """Replies stopped before they were read from the log."""
    return {str(row[0]) for row in reader.rows(_CANCELLED, {"ids": ids})}


def add_tombstone(uow: Uow, reply_id: str, now_us: int) -> None:
    """Stops a reply that is still to come."""
    uow.execute(_TOMBSTONE, {"reply_id": reply_id, "now_us": now_us})


def find(reader: Reader, delivery_id: str) -> Delivery | None:
    """One delivery."""
    row = reader.row(_BY_ID, {"id": delivery_id})
    return _delivery(row) if row else None


def find_by_reply(reader: Reader, reply_id: str) -> Delivery | None:
    """The delivery of a reply."""
    row = reader.row(_BY_REPLY, {"id": reply_id})
    return _delivery(row) if row else None


def find_by_external(reader: Reader, external_id: str, brand_id: str) -> Delivery | None:
    """The delivery known to the outside under this id."""
    row = reader.row(_BY_EXTERNAL, {"id": external_id, "brand_id": brand_id}) if external_id else None
    return _delivery(row) if row else None


def save(uow: Uow, delivery: Delivery, *, before_rev: int) -> bool:
    """Writes a delivery; False when it changed meanwhile."""
    return uow.execute(_SAVE, _values(delivery) | {"before_rev": before_rev}) == 1


def claimable(reader: Reader, now_us: int, limit: int) -> list[Delivery]:
    """Queued deliveries that are due and first of their lane."""
    return [_delivery(row) for row in reader.rows(_CLAIMABLE, {"now_us": now_us, "limit": limit})]


def lock_claimable(uow: Uow, now_us: int) -> Delivery | None:
    """The first of them that no other sender is taking, locked."""
    row = uow.row(_CLAIM, {"now_us": now_us, "limit": 1})
    return _delivery(row) if row else None


def hasten(uow: Uow, latest_us: int) -> int:
    """Lets none that is queued wait longer than until `latest_us`; returns how many would have."""
    return uow.execute(_HASTEN, {"latest_us": latest_us})


def next_due_us(reader: Reader, now_us: int) -> int:
    """When the next queued one is due; 0 when none waits for its time."""
    row = reader.row(_NEXT_DUE, {"now_us": now_us})
    return int(row[0] or 0) if row else 0


def orphans(reader: Reader, epoch: int, now_us: int) -> list[Delivery]:
    """Deliveries in the hands of a sender that is gone or hangs."""
    return [_delivery(row) for row in reader.rows(_ORPHANS, {"epoch": epoch, "now_us": now_us})]


def unsent(reader: Reader, limit: int) -> list[Delivery]:
    """Deliveries not known to have left, in the order of sending."""
    return [_delivery(row) for row in reader.rows(_UNSENT, {"limit": limit})]


def counts(reader: Reader) -> dict[str, tuple[int, int]]:
    """How many are on their way, by state, with the oldest's time."""
    return {str(state): (int(count or 0), int(oldest or 0)) for state, count, oldest in reader.rows(_COUNTS)}


def suppress(uow: Uow, *, brand_id: str, address: str, reason: str, until_us: int) -> None:
    """Stops automatic mail to an address."""
    uow.execute(_SUPPRESS, {"brand_id": brand_id, "address": address, "reason": reason, "until_us": until_us})


def suppressed(reader: Reader, *, brand_id: str, address: str, now_us: int) -> str:
    """Why automatic mail to the address is stopped; empty when it is not."""
    row = reader.row(_SUPPRESSED, {"brand_id": brand_id, "address": address, "now_us": now_us})
    return str(row[0]) if row else ""


def count_automatic(uow: Uow, *, brand_id: str, recipient: str, day: int) -> int:
    """Counts one more automatic mail to the address on this day; returns how many there are now."""
    row = uow.row(_COUNT_AUTOMATIC, {"brand_id": brand_id, "recipient": recipient, "day": day})
    return int(row[0] or 0) if row else 0


def _values(of: Delivery) -> dict[str, str | int | float | bytes | None]:
    values = {name: getattr(of, name) for name in _TABLE.names}
    values["state"] = of.state.value
    values["automatic"] = int(of.automatic)
    values["failed_recipients"] = json.dumps(of.failed_recipients)
    return values


def _delivery(row: Row) -> Delivery:
    values: dict[str, object] = dict(_TABLE.values(row))
    values["state"] = State(values["state"])
    values["automatic"] = bool(values["automatic"])
    values["failed_recipients"] = tuple(json.loads(str(values["failed_recipients"])))
    return Delivery(**values)  # type: ignore[arg-type]  # the columns have the fields' types
