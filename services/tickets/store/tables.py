"""Tables of the tickets service. Times are microseconds since 1970 UTC; flags 0 or 1; `2305843009213693952` is never.

What an interaction says is kept as the contract's message (`data`), written once and never changed silently; the
columns beside it are what is looked up.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

from services.kit.db.tables import add_kit_tables

METADATA = MetaData()
add_kit_tables(METADATA)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


TICKETS = Table(
    "tickets",
    METADATA,
    _key("id"),
    _number("number"),
    *(_text(name) for name in ("brand_id", "account_id", "channel", "conversation", "subject")),
    _number("state"),
    _text("customer_id"),
    _number("opened_us"),
    Column("capabilities", LargeBinary, nullable=False),
    *(_text(name) for name in ("assignee", "team", "tags")),
    *(_number(name) for name in ("priority", "version", "rev", "changed_us", "solved_us", "close_us", "promise_us")),
    *(_number(name) for name in ("due_us", "first_response_us")),
    _text("first_response_id"),
    _number("waiting_us"),
    _text("last_interaction_id"),
    *(_number(name) for name in ("last_us", "interactions")),
    *(_text(name) for name in ("language", "follows", "alert_id", "mention_id", "tone")),
    *(_number(name) for name in ("has_attachments", "delivery_trouble")),
    *(_text(name) for name in ("excerpt", "not_rendered", "topic", "order_number", "fields")),
    Column("person", LargeBinary, nullable=False),  # keyed hash of who it is about, for erasure
    _number("live"),
    _text("open_key"),  # what opened it, when that must happen once: a mention, an outgoing form
)
Index("tickets_by_number", TICKETS.c.number, unique=True)
Index("tickets_by_rev", TICKETS.c.rev)
# Holds all that views count by, so that counting reads the index alone.
Index(
    "tickets_by_due", TICKETS.c.state, TICKETS.c.due_us, TICKETS.c.brand_id,
    TICKETS.c.live, TICKETS.c.assignee, TICKETS.c.team,
)  # fmt: skip
Index("tickets_by_last", TICKETS.c.last_us)
Index("tickets_by_customer", TICKETS.c.customer_id)
Index(
    "tickets_by_assignee", TICKETS.c.assignee, TICKETS.c.state,
    sqlite_where=TICKETS.c.assignee != "", postgresql_where=TICKETS.c.assignee != "",
)  # fmt: skip
Index(
    "tickets_to_close", TICKETS.c.close_us, sqlite_where=TICKETS.c.close_us > 0, postgresql_where=TICKETS.c.close_us > 0
)
Index(
    "tickets_by_open_key", TICKETS.c.open_key, unique=True,
    sqlite_where=TICKETS.c.open_key != "", postgresql_where=TICKETS.c.open_key != "",
)  # fmt: skip

INTERACTIONS = Table(
    "interactions",
    METADATA,
    _key("id"),  # of a contact: derived from its id, which makes it unique by contact
    *(_text(name) for name in ("ticket_id", "brand_id", "kind")),
    _number("direction"),
    *(_text(name) for name in ("account_id", "external_id", "reply_key")),
    *(_number(name) for name in ("seq", "recorded_us", "rev", "delivery_rev", "delivery_state")),
    Column("data", LargeBinary, nullable=False),
)
Index("interactions_by_ticket", INTERACTIONS.c.ticket_id, INTERACTIONS.c.seq, unique=True)
Index("interactions_by_rev", INTERACTIONS.c.rev)
Index(
    "interactions_by_external", INTERACTIONS.c.account_id, INTERACTIONS.c.external_id,
    sqlite_where=INTERACTIONS.c.external_id != "", postgresql_where=INTERACTIONS.c.external_id != "",
)  # fmt: skip
Index(
    "interactions_by_reply_key", INTERACTIONS.c.ticket_id, INTERACTIONS.c.reply_key, unique=True,
    sqlite_where=INTERACTIONS.c.reply_key != "", postgresql_where=INTERACTIONS.c.reply_key != "",
)  # fmt: skip

THREADS = Table("threads", METADATA, _key("thread_key"), _text("ticket_id"), sqlite_with_rowid=False)
MESSAGE_IDS = Table(
    "message_ids",
    METADATA,
    _key("message_id"),
    _key("ticket_id"),
    _text("brand_id"),
    _number("how"),  # 1 ours, 2 a contact's, 3 only named by a contact
    sqlite_with_rowid=False,
)
CUSTOMERS = Table(
    "customers",
    METADATA,
    _key("id"),
    *(_text(name) for name in ("name", "language", "notes")),
    *(_number(name) for name in ("first_us", "last_us", "version", "rev")),
    _text("brands"),
    Column("person", LargeBinary, nullable=False),  # as above
)
Index("customers_by_rev", CUSTOMERS.c.rev)
IDENTITIES = Table(
    "identities",
    METADATA,
    _key("identity_key"),  # kind, value and scope
    _text("customer_id"),
    *(_text(name) for name in ("kind", "value", "scope", "name")),
    _number("verified"),
    _text("source"),
    _number("seen_us"),
)
Index("identities_by_customer", IDENTITIES.c.customer_id)
Table("customer_redirects", METADATA, _key("id"), _text("into_id"), _number("at_us"))
Table("ticket_numbers", METADATA, _key("name"), _number("value"))
TAGS = Table("ticket_tags", METADATA, _key("tag"), _key("ticket_id"), sqlite_with_rowid=False)
Index("ticket_tags_by_ticket", TAGS.c.ticket_id)
Table("ticket_mentions", METADATA, _key("user_id"), _key("ticket_id"), sqlite_with_rowid=False)
Table(
    "parked_amendments",
    METADATA,
    _key("id"),
    _text("parent_key"),
    _text("act"),
    _text("text"),
    _number("occurred_us"),
)
Index("parked_by_parent", METADATA.tables["parked_amendments"].c.parent_key)
CANNED = Table(
    "canned_answers",
    METADATA,
    _key("id"),
    *(_text(name) for name in ("brand_id", "title", "shortcut", "texts", "channel")),
    _number("version"),
    _number("changed_us"),
)
Table("acknowledgements", METADATA, _key("sender_key"), _number("last_us"))
Table("ack_quota", METADATA, Column("day", BigInteger, primary_key=True, autoincrement=False), _number("sent"))
AUDIT = Table(
    "audit",
    METADATA,
    _key("id"),
    _number("at_us"),
    *(_text(name) for name in ("user_id", "act", "object_id", "detail")),
)
Index("audit_by_object", AUDIT.c.object_id, AUDIT.c.id)
Index("audit_by_user", AUDIT.c.user_id, AUDIT.c.id)
