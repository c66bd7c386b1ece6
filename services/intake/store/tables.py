"""Intake's tables. Times are microseconds since 1970 UTC, 0 for never; flags are 0 or 1; maps and lists are JSON texts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from services.kit.db.tables import add_kit_tables

METADATA = MetaData()
add_kit_tables(METADATA)

_SERIAL = BigInteger().with_variant(Integer, "sqlite")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _big(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


BRANDS = Table(
    "brands",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    _text("name"),
    _text("data"),  # the rest of the brand, see `domain.brand`
    _big("version"),
)
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", Text, primary_key=True),
    _text("brand_id"),
    _text("channel"),
    _text("address"),
    _text("address_key"),  # lower case, without +suffix
    _text("state"),  # on, off
    _text("settings"),
    _text("off_message"),
    _big("version"),
    _big("last_success_us"),
    _text("last_error"),
    _big("last_error_us"),
    _big("last_in_us"),
    _big("last_out_us"),
)
Index("accounts_by_address", ACCOUNTS.c.address_key)
Index("accounts_by_brand", ACCOUNTS.c.brand_id, ACCOUNTS.c.channel)
SECRETS = Table(
    "account_secrets",
    METADATA,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),  # `kit.secrets`, bound to account and name
)
KEYS = Table(
    "access_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("hash", LargeBinary, nullable=False),  # SHA-256 of the token
    _text("scopes"),
)
RAW = Table(
    "inbound_raw",
    METADATA,
    Column("id", Text, primary_key=True),  # id of the first contact in it
    Column("raw_key", Text, nullable=False, unique=True),  # scope (account or brand) + transport key
    _text("account_id"),
    Column("body", LargeBinary, nullable=False),  # empty when in a blob
    _text("blob_key"),
    _text("media_type"),
    _text("meta"),
    _big("size_bytes"),
    _text("state"),  # parsed, pending, unparsed
    Column("mode", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    _big("due_us"),  # of a pending one
    _big("received_us"),
)
Index("inbound_raw_pending", RAW.c.due_us, sqlite_where=RAW.c.state == "pending")
EVENTS = Table(
    "inbound_event",
    METADATA,
    Column("event_key", Text, primary_key=True),  # scope + event key; never pruned
    _text("contact_id"),
    _text("raw_id"),
    _text("account_id"),
    _text("external_id"),
    _text("conversation"),
    _big("received_us"),
    sqlite_with_rowid=False,
)
Index("inbound_event_by_contact", EVENTS.c.contact_id)
PARKED = Table(
    "parked_amendments",
    METADATA,
    Column("event_key", Text, primary_key=True),
    _text("parent_key"),  # event key of the contact it amends
    _text("act"),
    Column("data", LargeBinary, nullable=False),  # ContactAmended
    _text("log_key"),
    _big("parked_us"),
    _big("released_us"),
)
Index("parked_by_parent", PARKED.c.parent_key)
QUARANTINE = Table(
    "quarantine",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("raw_id", Text, nullable=False, unique=True),
    _text("contact_id"),
    _text("account_id"),
    _text("channel"),
    _text("reason"),
    _text("last_reason"),
    Column("attempts", Integer, nullable=False),
    _text("state"),  # waiting, replayed
    _big("received_us"),
)
CURSORS = Table(
    "cursors",
    METADATA,
    Column("account_id", Text, primary_key=True),
    _text("cursor"),
    _big("moved_us"),
)
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),  # order within a lane
    Column("id", Text, nullable=False, unique=True),
    Column("reply_id", Text, nullable=False, unique=True),
    _text("ticket_id"),
    _text("brand_id"),
    _text("account_id"),
    _text("channel"),
    _text("conversation"),
    _text("lane"),
    _text("state"),
    _text("external_id"),
    _text("error"),
    Column("attempts", Integer, nullable=False),
    _big("due_us"),  # not before
    _big("requested_us"),
    _big("changed_us"),
    _text("failed_recipients"),
    _text("recipient"),  # first recipient's address, lower case: for suppression
    Column("automatic", Integer, nullable=False),
    _big("rev"),
    _big("epoch"),  # of the senders' lease that claimed it
    _big("claim_ends_us"),
    Column("request", LargeBinary, nullable=False),  # ReplyRequested
    sqlite_autoincrement=True,
)
Index("deliveries_due", DELIVERIES.c.due_us, sqlite_where=DELIVERIES.c.state == "queued")
Index(
    "deliveries_lane",
    DELIVERIES.c.lane,
    DELIVERIES.c.seq,
    sqlite_where=DELIVERIES.c.state.in_(("queued", "claimed", "transmitting", "unknown")),
)
Index("deliveries_external", DELIVERIES.c.external_id)
CANCELLED = Table(
    "cancelled_replies",  # tombstones of replies stopped before they were read from the log
    METADATA,
    Column("reply_id", Text, primary_key=True),
    _big("cancelled_us"),
)
SUPPRESSED = Table(
    "suppressed_addresses",
    METADATA,
    Column("brand_id", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    _text("reason"),
    _big("until_us"),
)
AUTOMATIC = Table(
    "automatic_mails",  # the loop breaker's count
    METADATA,
    Column("brand_id", Text, primary_key=True),
    Column("recipient", Text, primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("sent", Integer, nullable=False),
)
VISITORS = Table(
    "chat_visitors",
    METADATA,
    Column("id", Text, primary_key=True),
    _text("account_id"),
    _text("name"),
    _text("email"),
    _text("customer"),  # the shop's id, when the shop vouched
    Column("verified", Integer, nullable=False),
    _text("language"),
    _text("conversation"),
    _big("last_seq"),
    _big("created_us"),
    _big("seen_us"),
)
Index("chat_visitors_by_conversation", VISITORS.c.conversation, unique=True)
Index("chat_visitors_by_customer", VISITORS.c.account_id, VISITORS.c.customer)
CHAT = Table(
    "chat_messages",
    METADATA,
    Column("conversation", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("client_id", Text, nullable=False),  # the visitor's or the delivery's: makes a repeat a repeat
    _text("author_kind"),
    _text("author_name"),
    _text("text"),
    _text("files"),
    _big("created_us"),
    sqlite_with_rowid=False,
)
Table(
    "chat_sockets",
    METADATA,
    Column("conversation", Text, primary_key=True),
    Column("instance", Text, primary_key=True),  # the process that holds sockets of it
    Column("until_us", BigInteger, nullable=False),
)
Index("chat_messages_by_client", CHAT.c.conversation, CHAT.c.client_id, unique=True)
