"""A table's columns written once: `$COLUMNS` and `$VALUES` in a statement stand for them."""

from __future__ import annotations

from services.kit.db.sql import Sql
from services.kit.uow import Row, Value


class Columns:
    """The names of a table's columns, in the order rows have them."""

    def __init__(self, listed: str) -> None:
        self.names = tuple(name.strip() for name in listed.split(","))

    def sql(self, text: str) -> Sql:
        """A statement with the columns filled in."""
        values = ", ".join(f":{name}" for name in self.names)
        return Sql(text.replace("$COLUMNS", ", ".join(self.names)).replace("$VALUES", values))

    def values(self, row: Row) -> dict[str, Value]:
        """A row by name."""
        return dict(zip(self.names, row, strict=True))
