"""Tables that the kit keeps in every service's database. Services add their own beside them in `store/tables.py`.

Times are microseconds since 1970 UTC; flags are 0 or 1.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import CreateSequence

if TYPE_CHECKING:
    from alembic.operations import Operations

_SERIAL = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY can be AUTOINCREMENT in SQLite


def add_kit_tables(metadata: MetaData) -> None:
    """Declares the kit's tables in a service's `METADATA`."""
    outbox = Table(
        "outbox",
        metadata,
        Column("id", _SERIAL, primary_key=True, autoincrement=True),  # the offset; never used twice
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("event_id", Text, nullable=False),
        Column("data", LargeBinary, nullable=False),  # Envelope
        Column("created_us", BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    Index("outbox_by_topic", outbox.c.topic, outbox.c.id)
    Table(
        "outbox_floor",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("floor", BigInteger, nullable=False),  # every record of the topic below it is pruned
    )
    Table(
        "sequence",
        metadata,
        Column("name", Text, primary_key=True),
        Column("value", BigInteger, nullable=False),  # the last one drawn
    )
    Table(
        "positions",
        metadata,
        Column("group_name", Text, primary_key=True),
        Column("topic", Text, primary_key=True),
        Column("part", Integer, primary_key=True, autoincrement=False),
        Column("next_offset", BigInteger, nullable=False),
        Column("moved_us", BigInteger, nullable=False),
    )
    Table(
        "applied",
        metadata,
        Column("group_name", Text, primary_key=True),
        Column("event_id", Text, primary_key=True),
        Column("applied_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    letters = Table(
        "dead_letters",
        metadata,
        Column("id", Text, primary_key=True),
        Column("group_name", Text, nullable=False),
        Column("topic", Text, nullable=False),
        Column("part", Integer, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("event_id", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("aggregate_id", Text, nullable=False),
        Column("data", LargeBinary, nullable=False),
        Column("reason_kind", Text, nullable=False),  # a kind of `kit.errors`, or newer_schema
        Column("reason", Text, nullable=False),
        Column("last_reason", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("first_us", BigInteger, nullable=False),
        Column("last_us", BigInteger, nullable=False),
        Column("handled_us", BigInteger, nullable=False),  # 0 while it waits
        UniqueConstraint("group_name", "event_id", name="dead_letters_by_event"),
    )
    Index("dead_letters_waiting", letters.c.handled_us, letters.c.id)
    Table(
        "leases",
        metadata,
        Column("name", Text, primary_key=True),
        Column("holder", Text, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
    )
    Table(
        "erasures",
        metadata,
        Column("subject", LargeBinary, primary_key=True),  # keyed hash, see `kit.privacy`
        Column("erased_us", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def create_kit_tables(op: Operations | ModuleType) -> None:
    """Creates the kit's tables; a service's first migration begins with it.

    Example of `services/<name>/migrations/versions/0001_first.py`:

        from alembic import op
        import sqlalchemy as sa
        from services.kit.db.tables import create_kit_tables

        revision = "0001"          # the file's name up to the first underscore
        down_revision = None

        def upgrade() -> None:
            create_kit_tables(op)
            op.create_table("tickets", sa.Column("id", sa.Text, primary_key=True), …)
    """
    metadata = MetaData()
    add_kit_tables(metadata)
    metadata.create_all(op.get_bind(), checkfirst=True)
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().execute(CreateSequence(Sequence("revisions"), if_not_exists=True))  # SQLite: `rev` in `sequence`
