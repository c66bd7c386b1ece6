"""Everything the first version keeps."""

from __future__ import annotations

from alembic import op

from services.search.store.tables import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    METADATA.create_all(op.get_bind(), checkfirst=True)
