"""The first tables of the tickets service."""

from alembic import op

from services.tickets.store.tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind(), checkfirst=True)
