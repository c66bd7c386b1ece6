"""Statements written once at module level, in the SQL that SQLite and PostgreSQL share.

Parameters are `:name`. A list parameter is written `IN (:name...)`; it becomes one bound value in every dialect,
so the text never changes with the length of the list. A `SELECT … ORDER BY id FOR UPDATE` (or `FOR SHARE`, or with
`SKIP LOCKED`) locks its rows, in that order, until the transaction ends; SQLite, where one writes at a time, needs no
lock.
"""

from __future__ import annotations

import re
from functools import cached_property

_LIST = re.compile(r":(\w+)\.\.\.")  # :ids...
_LOCK = re.compile(r" FOR (?:UPDATE(?: SKIP LOCKED)?|SHARE)$")
# A literal and a cast are passed over; then `[NOT] IN (:ids...)`, then `:name`.
_PARAMETER = re.compile(r"'(?:[^']|'')*'|::\w+|(NOT )?IN \(:(\w+)\.\.\.\)|:(\w+)")


class Sql:
    """One statement. Make it at module level; backends read the text of their dialect."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())

    @cached_property
    def sqlite(self) -> str:
        """Text for sqlite3; list parameters are bound as JSON arrays."""
        return _LOCK.sub("", _LIST.sub(r"SELECT value FROM json_each(:\1)", self.text))

    @cached_property
    def postgres(self) -> tuple[str, tuple[str, ...]]:
        """Text for PostgreSQL with `$1`, `$2` …, and whose values they are; list parameters are bound as arrays."""
        names: dict[str, int] = {}

        def number(match: re.Match[str]) -> str:
            listed, name = match[2], match[3]
            if not listed and not name:
                return match[0]
            place = names.setdefault(listed or name, len(names) + 1)
            return (f"<> ALL (${place})" if match[1] else f"= ANY (${place})") if listed else f"${place}"

        text = _PARAMETER.sub(number, self.text)
        return text, tuple(names)

    @cached_property
    def lists(self) -> frozenset[str]:
        """Names of the list parameters."""
        return frozenset(_LIST.findall(self.text))

    def __repr__(self) -> str:
        return f"Sql({self.text!r})"
