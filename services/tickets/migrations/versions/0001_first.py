"""The first tables of the tickets service, as they were when it was first released; `store/tables.py` is what they are now."""

import sqlalchemy as sa
from alembic import op

from services.kit.db.tables import create_kit_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_kit_tables(op)
    op.create_table(
        "ack_quota",
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sent", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "acknowledgements",
        sa.Column("sender_key", sa.Text(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("sender_key"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("user_id", sa.Text(), server_default="", nullable=False),
        sa.Column("act", sa.Text(), server_default="", nullable=False),
        sa.Column("object_id", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_by_object", "audit", ["object_id", "id"], unique=False)
    op.create_index("audit_by_user", "audit", ["user_id", "id"], unique=False)
    op.create_table(
        "canned_answers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("brand_id", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("shortcut", sa.Text(), server_default="", nullable=False),
        sa.Column("texts", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "customer_redirects",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("into_id", sa.Text(), server_default="", nullable=False),
        sa.Column("at_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("first_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rev", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("brands", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("customers_by_rev", "customers", ["rev"], unique=False)
    op.create_table(
        "identities",
        sa.Column("identity_key", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("verified", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("identity_key"),
    )
    op.create_index("identities_by_customer", "identities", ["customer_id"], unique=False)
    op.create_table(
        "interactions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), server_default="", nullable=False),
        sa.Column("brand_id", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("direction", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("account_id", sa.Text(), server_default="", nullable=False),
        sa.Column("external_id", sa.Text(), server_default="", nullable=False),
        sa.Column("reply_key", sa.Text(), server_default="", nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rev", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("delivery_rev", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("delivery_state", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "interactions_by_external",
        "interactions",
        ["account_id", "external_id"],
        unique=False,
        sqlite_where=sa.text("external_id != ''"),
        postgresql_where=sa.text("external_id != ''"),
    )
    op.create_index(
        "interactions_by_reply_key",
        "interactions",
        ["ticket_id", "reply_key"],
        unique=True,
        sqlite_where=sa.text("reply_key != ''"),
        postgresql_where=sa.text("reply_key != ''"),
    )
    op.create_index("interactions_by_rev", "interactions", ["rev"], unique=False)
    op.create_index("interactions_by_ticket", "interactions", ["ticket_id", "seq"], unique=True)
    op.create_table(
        "message_ids",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("brand_id", sa.Text(), server_default="", nullable=False),
        sa.Column("how", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("message_id", "ticket_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parked_amendments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("parent_key", sa.Text(), server_default="", nullable=False),
        sa.Column("act", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("occurred_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("parked_by_parent", "parked_amendments", ["parent_key"], unique=False)
    op.create_table(
        "threads",
        sa.Column("thread_key", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("thread_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ticket_numbers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "ticket_tags",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "ticket_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ticket_tags_by_ticket", "ticket_tags", ["ticket_id"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("brand_id", sa.Text(), server_default="", nullable=False),
        sa.Column("account_id", sa.Text(), server_default="", nullable=False),
        sa.Column("channel", sa.Text(), server_default="", nullable=False),
        sa.Column("conversation", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("customer_id", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("capabilities", sa.LargeBinary(), nullable=False),
        sa.Column("assignee", sa.Text(), server_default="", nullable=False),
        sa.Column("team", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", sa.Text(), server_default="", nullable=False),
        sa.Column("priority", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rev", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("solved_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("close_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("promise_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("due_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_response_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_response_id", sa.Text(), server_default="", nullable=False),
        sa.Column("waiting_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_interaction_id", sa.Text(), server_default="", nullable=False),
        sa.Column("last_us", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("interactions", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("follows", sa.Text(), server_default="", nullable=False),
        sa.Column("alert_id", sa.Text(), server_default="", nullable=False),
        sa.Column("mention_id", sa.Text(), server_default="", nullable=False),
        sa.Column("tone", sa.Text(), server_default="", nullable=False),
        sa.Column("has_attachments", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("delivery_trouble", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("excerpt", sa.Text(), server_default="", nullable=False),
        sa.Column("not_rendered", sa.Text(), server_default="", nullable=False),
        sa.Column("topic", sa.Text(), server_default="", nullable=False),
        sa.Column("order_number", sa.Text(), server_default="", nullable=False),
        sa.Column("fields", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("live", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("open_key", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "tickets_by_assignee",
        "tickets",
        ["assignee", "state"],
        unique=False,
        sqlite_where=sa.text("assignee != ''"),
        postgresql_where=sa.text("assignee != ''"),
    )
    op.create_index("tickets_by_customer", "tickets", ["customer_id"], unique=False)
    op.create_index(
        "tickets_by_due", "tickets", ["state", "due_us", "brand_id", "live", "assignee", "team"], unique=False
    )
    op.create_index("tickets_by_last", "tickets", ["last_us"], unique=False)
    op.create_index("tickets_by_number", "tickets", ["number"], unique=True)
    op.create_index(
        "tickets_by_open_key",
        "tickets",
        ["open_key"],
        unique=True,
        sqlite_where=sa.text("open_key != ''"),
        postgresql_where=sa.text("open_key != ''"),
    )
    op.create_index("tickets_by_rev", "tickets", ["rev"], unique=False)
    op.create_index(
        "tickets_to_close",
        "tickets",
        ["close_us"],
        unique=False,
        sqlite_where=sa.text("close_us > 0"),
        postgresql_where=sa.text("close_us > 0"),
    )
