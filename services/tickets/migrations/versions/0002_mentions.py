"""Who is named in a note and has not answered it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "ticket_mentions",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "ticket_id"),
        sqlite_with_rowid=False,
    )
