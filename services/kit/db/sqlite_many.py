"""Many rows in few steps: `INSERT … VALUES (…)` for a list becomes statements of 64, 16, 4 and 1 rows.

The driver lets other threads run at each step. With one busy thread beside it `executemany` wrote 4,500 rows/s, rows
by the sixty-four 25,000 (two cores, CPython 3.11): each step waits for the interpreter's lock again.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from services.kit.db.sql import Sql

_SIZES = (64, 16, 4, 1)  # few enough for the statement cache
_INSERT = re.compile(
    r"(INSERT (?:OR \w+ )?INTO .+? VALUES )\(([^()']*)\)([^:]*)", re.IGNORECASE
)  # one plain row, no values after it
_NAME = re.compile(r":(\w+)")


class ManyRows:
    """One INSERT, ready for lists."""

    def __init__(self, head: str, row: str, tail: str) -> None:
        names = _NAME.findall(row)
        self._values = itemgetter(*names) if len(names) > 1 else lambda item, name=names[0]: (item[name],)
        mark = f"({_NAME.sub('?', row)})"
        self._texts = [(size, head + ", ".join([mark] * size) + tail) for size in _SIZES]

    @classmethod
    def of(cls, statement: Sql) -> ManyRows | None:
        """The statement for lists, or None when it is not one plain row of an INSERT."""
        match = _INSERT.fullmatch(statement.sqlite)
        return cls(*match.groups()) if match and ":" in match[2] and not statement.lists else None

    def run(self, connection: sqlite3.Connection, rows: Sequence[Any]) -> None:
        """Writes all rows, in their order."""
        values = self._values
        start = 0
        for size, text in self._texts:
            while len(rows) - start >= size:
                flat = [value for row in rows[start : start + size] for value in values(row)]
                connection.execute(text, flat)
                start += size
