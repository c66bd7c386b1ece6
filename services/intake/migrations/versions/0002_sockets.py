"""Which process holds a chat's open sockets: another may have to send what is said there."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "chat_sockets",
        sa.Column("conversation", sa.Text, primary_key=True),
        sa.Column("instance", sa.Text, primary_key=True),
        sa.Column("until_us", sa.BigInteger, nullable=False),
    )
