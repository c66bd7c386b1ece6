"""A table's rows as frozen dataclasses: the same names as the columns, lists kept as JSON text."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from services.kit.db.sql import Sql
from services.kit.uow import Row, Value

T = TypeVar("T")
LOCK = "social"  # taken first by whoever reads mentions, alerts or series and writes them back as a whole


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC, as stored."""
    return int(at.timestamp() * 1_000_000)


def moment(at_us: int) -> datetime | None:
    """The moment stored; None for 0."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC) if at_us else None


class Mapper(Generic[T]):
    """Statements and conversions of one table and its dataclass, made once at module level."""

    def __init__(self, table: str, row: type[T], *, key: Sequence[str] = ("id",)) -> None:
        self._row = row
        fields = dataclasses.fields(row)  # type: ignore[arg-type]  # T is a dataclass; the library's type says less
        self.names = [field.name for field in fields]
        self._lists = frozenset(field.name for field in fields if str(field.type).startswith("tuple"))
        self._table = table
        self.columns = ", ".join(f"{table}.{name}" for name in self.names)
        listed, values = ", ".join(self.names), ", ".join(f":{name}" for name in self.names)
        where = " AND ".join(f"{name} = :{name}" for name in key)
        changed = ", ".join(f"{name} = :{name}" for name in self.names if name not in key)
        self.insert = Sql(f"INSERT INTO {table} ({listed}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608 (names of our own tables)
        self.update = Sql(f"UPDATE {table} SET {changed} WHERE {where}")  # noqa: S608 (as above)
        self.by_key = self.query(f"WHERE {where}")

    def query(self, rest: str) -> Sql:
        """SELECT of all columns with what follows."""
        return Sql(f"SELECT {self.columns} FROM {self._table} {rest}")  # noqa: S608 (names of our own tables)

    def params(self, row: T) -> dict[str, Value]:
        """Bound values of a row."""
        return {
            name: json.dumps(list(getattr(row, name))) if name in self._lists else getattr(row, name)
            for name in self.names
        }

    def make(self, row: Row) -> T:
        """The dataclass of a row as selected by `columns`."""
        values: dict[str, Any] = dict(zip(self.names, row, strict=True))
        for name in self._lists:
            values[name] = tuple(json.loads(values[name]))
        return self._row(**values)
