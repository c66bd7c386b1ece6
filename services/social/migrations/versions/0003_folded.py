"""The crisis an alert is folded under."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    if "parent_id" in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("alerts")}:
        return  # a kill between the change and its mark, where the database does not hold both in one transaction
    op.add_column("alerts", sa.Column("parent_id", sa.Text(), nullable=False, server_default=""))
    op.create_index("alerts_by_parent", "alerts", ["parent_id"], unique=False)
