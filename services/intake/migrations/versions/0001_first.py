"""Intake's first tables."""

import sqlalchemy as sa
from alembic import op

from services.kit.db.tables import create_kit_tables

revision = "0001"
down_revision = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=False)


def _big(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


def upgrade() -> None:
    create_kit_tables(op)
    op.create_table(
        "brands",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("slug", sa.Text, nullable=False, unique=True),
        _text("name"),
        _text("data"),
        _big("version"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text, primary_key=True),
        _text("brand_id"),
        _text("channel"),
        _text("address"),
        _text("address_key"),
        _text("state"),
        _text("settings"),
        _text("off_message"),
        _big("version"),
        _big("last_success_us"),
        _text("last_error"),
        _big("last_error_us"),
        _big("last_in_us"),
        _big("last_out_us"),
    )
    op.create_index("accounts_by_address", "accounts", ["address_key"])
    op.create_index("accounts_by_brand", "accounts", ["brand_id", "channel"])
    op.create_table(
        "account_secrets",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "access_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        _text("scopes"),
    )
    op.create_table(
        "inbound_raw",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("raw_key", sa.Text, nullable=False, unique=True),
        _text("account_id"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _text("blob_key"),
        _text("media_type"),
        _text("meta"),
        _big("size_bytes"),
        _text("state"),
        sa.Column("mode", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        _big("due_us"),
        _big("received_us"),
    )
    op.create_index("inbound_raw_pending", "inbound_raw", ["due_us"], sqlite_where=sa.text("state = 'pending'"))
    op.create_table(
        "inbound_event",
        sa.Column("event_key", sa.Text, primary_key=True),
        _text("contact_id"),
        _text("raw_id"),
        _text("account_id"),
        _text("external_id"),
        _text("conversation"),
        _big("received_us"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parked_amendments",
        sa.Column("event_key", sa.Text, primary_key=True),
        _text("parent_key"),
        _text("act"),
        sa.Column("data", sa.LargeBinary, nullable=False),
        _text("log_key"),
        _big("parked_us"),
        _big("released_us"),
    )
    op.create_index("parked_by_parent", "parked_amendments", ["parent_key"])
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("raw_id", sa.Text, nullable=False, unique=True),
        _text("contact_id"),
        _text("account_id"),
        _text("channel"),
        _text("reason"),
        _text("last_reason"),
        sa.Column("attempts", sa.Integer, nullable=False),
        _text("state"),
        _big("received_us"),
    )
    op.create_table(
        "cursors",
        sa.Column("account_id", sa.Text, primary_key=True),
        _text("cursor"),
        _big("moved_us"),
    )
    op.create_table(
        "deliveries",
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("reply_id", sa.Text, nullable=False, unique=True),
        _text("ticket_id"),
        _text("brand_id"),
        _text("account_id"),
        _text("channel"),
        _text("conversation"),
        _text("lane"),
        _text("state"),
        _text("external_id"),
        _text("error"),
        sa.Column("attempts", sa.Integer, nullable=False),
        _big("due_us"),
        _big("requested_us"),
        _big("changed_us"),
        _text("failed_recipients"),
        _text("recipient"),
        sa.Column("automatic", sa.Integer, nullable=False),
        _big("rev"),
        _big("epoch"),
        _big("claim_ends_us"),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("deliveries_due", "deliveries", ["due_us"], sqlite_where=sa.text("state = 'queued'"))
    op.create_index(
        "deliveries_lane",
        "deliveries",
        ["lane", "seq"],
        sqlite_where=sa.text("state IN ('queued', 'claimed', 'transmitting', 'unknown')"),
    )
    op.create_index("deliveries_external", "deliveries", ["external_id"])
    op.create_table(
        "cancelled_replies",
        sa.Column("reply_id", sa.Text, primary_key=True),
        _big("cancelled_us"),
    )
    op.create_table(
        "suppressed_addresses",
        sa.Column("brand_id", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
        _text("reason"),
        _big("until_us"),
    )
    op.create_table(
        "automatic_mails",
        sa.Column("brand_id", sa.Text, primary_key=True),
        sa.Column("recipient", sa.Text, primary_key=True),
        sa.Column("day", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sent", sa.Integer, nullable=False),
    )
    op.create_table(
        "chat_visitors",
        sa.Column("id", sa.Text, primary_key=True),
        _text("account_id"),
        _text("name"),
        _text("email"),
        _text("customer"),
        sa.Column("verified", sa.Integer, nullable=False),
        _text("language"),
        _text("conversation"),
        _big("last_seq"),
        _big("created_us"),
        _big("seen_us"),
    )
    op.create_index("chat_visitors_by_conversation", "chat_visitors", ["conversation"], unique=True)
    op.create_index("chat_visitors_by_customer", "chat_visitors", ["account_id", "customer"])
    op.create_table(
        "chat_messages",
        sa.Column("conversation", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        _text("author_kind"),
        _text("author_name"),
        _text("text"),
        _text("files"),
        _big("created_us"),
        sqlite_with_rowid=False,
    )
    op.create_index("chat_messages_by_client", "chat_messages", ["conversation", "client_id"], unique=True)
