"""Many rows in few steps: `INSERT … VALUES (…)` for a list becomes statements of 64, 16, 4 and 1 rows.

The driver lets other threads run at each step. With one busy thread beside it `executemany` wrote 4,500 rows/s, rows
by the sixty-four 25,000 (two cores, CPython 3.11): each step waits for the interpreter's lock again.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from services.kit.db.sql import Sql
from services.kit.errors import Internal

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
        self._width = len(names)
        mark = f"({_NAME.sub('?', row)})"
        self._texts = [(size, head + ", ".join([mark] * size) + tail) for size in _SIZES]

    @classmethod
    def of(cls, statement: Sql) -> ManyRows | None:
        """The statement for lists, or None when it is not one plain row of an INSERT."""
        match = _INSERT.fullmatch(statement.sqlite)
        return cls(*match.groups()) if match and ":" in match[2] and not statement.lists else None

    def run(self, connection: sqlite3.Connection, rows: Sequence[Any]) -> int:
        """Writes all rows, in their order, and returns how many it touched: either mappings, or tuples with the values in the statement's order."""
        values: Iterable[Any] = rows if rows and isinstance(rows[0], tuple) else map(self._values, rows)
        flat = list(chain.from_iterable(values))
        if len(flat) != len(rows) * self._width:
            raise Internal(f"Rows of {self._texts[-1][1]} need {self._width} values each.")
        start, left, touched = 0, len(rows), 0
        for size, text in self._texts:
            while left >= size:
                end = start + size * self._width
                touched += connection.execute(text, flat[start:end]).rowcount
                start, left = end, left - size
        return touched
