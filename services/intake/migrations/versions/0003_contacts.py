"""Which event told of a contact: the sweep of files asks for it, and read all events for each lot of files."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("inbound_event_by_contact", "inbound_event", ["contact_id"])
