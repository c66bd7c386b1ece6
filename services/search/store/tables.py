"""Tables of search. All of it is a copy of, or about, what others own."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

from services.kit.db.tables import add_kit_tables

METADATA = MetaData()
add_kit_tables(METADATA)

documents = Table(
    "documents",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("rev", BigInteger, nullable=False),
    Column("ticket_id", Text, nullable=False),  # of messages and notes; empty for others
    Column("deleted", Integer, nullable=False),
    Column("facts", Text, nullable=False),  # of tickets: what their messages share, as JSON
    sqlite_with_rowid=False,
)
Index("documents_by_ticket", documents.c.ticket_id, sqlite_where=documents.c.ticket_id != "")

Table(
    "generations",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("state", Text, nullable=False),  # building, live, retired
    Column("schema", Integer, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("built_us", BigInteger, nullable=False),
    Column("cursors", Text, nullable=False),  # JSON: what is scanned → last rev, or -1 when done
    Column("documents", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
