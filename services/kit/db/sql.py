"""Statements written once at module level, in the SQL that SQLite and PostgreSQL share.

Parameters are `:name`. A list parameter is written `IN (:name...)`; it becomes one bound value in every dialect,
so the text never changes with the length of the list.
"""

from __future__ import annotations

import re
from functools import cached_property

_LIST = re.compile(r":(\w+)\.\.\.")  # :ids...


class Sql:
    """One statement. Make it at module level; backends read the text of their dialect."""

    def __init__(self, text: str) -> None:
        self._text = " ".join(text.split())

    @cached_property
    def sqlite(self) -> str:
        """Text for sqlite3; list parameters are bound as JSON arrays."""
        return _LIST.sub(r"SELECT value FROM json_each(:\1)", self._text)

    @cached_property
    def lists(self) -> frozenset[str]:
        """Names of the list parameters."""
        return frozenset(_LIST.findall(self._text))

    def __repr__(self) -> str:
        return f"Sql({self._text!r})"
