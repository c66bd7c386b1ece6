"""Many rows in one step: lists of an INSERT or UPDATE go as one array for each column and are unfolded by `unnest`.

Measured with 100 outbox rows of 1 KB, CPU of the client and time a row: unnest 6 and 20 µs, one VALUES of 100 rows 8 and
28 µs, the driver's pipeline 32 and 67 µs (two busy cores).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.kit.db import postgres_types as types
from services.kit.db.sql import Sql

_INSERT = re.compile(r"INSERT INTO (\w+) \(([^()]*)\) VALUES \(([^()]*)\)([^:]*)")  # no values after the row
_UPDATE = re.compile(r"UPDATE (\w+) SET (.+) WHERE (.+)")
_PAIR = re.compile(r"\"?(\w+)\"? = :(\w+)")
_CONFLICT = re.compile(r"ON CONFLICT \(([^()]*)\) DO UPDATE")
_ARRAYS: Mapping[str, tuple[str, Callable[[Sequence[Any]], object]]] = {
    "text": ("text[]", types.texts),
    "bigint": ("bigint[]", types.numbers),
    "integer": ("bigint[]", types.numbers),
    "smallint": ("bigint[]", types.numbers),
    "double precision": ("float8[]", types.floats),
    "bytea": ("bytea[]", types.blobs),
}

Columns = Mapping[str, str]  # of a table: name and type


class ManyRows:
    """One statement, ready for lists."""

    def __init__(self, text: str, columns: Sequence[tuple[str, str]], key: Sequence[str]) -> None:
        """`columns` are the names of parameters and the types of their columns; rows equal in `key` go one by one."""
        self._names = [name for name, _ in columns]
        self._pack = [_ARRAYS[kind][1] for _, kind in columns]
        self._key = [self._names.index(name) for name in key]
        self.text = text

    def steps(self, rows: Sequence[Any]) -> list[list[object]]:
        """The values of each step: one, or more where rows meet in the same key, which one statement may touch once."""
        if not isinstance(rows[0], tuple):
            rows = [[row[name] for name in self._names] for row in rows]
        return [
            [pack(column) for pack, column in zip(self._pack, zip(*wave, strict=True), strict=True)]
            for wave in self._waves(rows)
        ]

    def _waves(self, rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Sequence[Any]]]:
        if not self._key or len(rows) == 1:
            return (rows,)
        waves: list[list[Sequence[Any]]] = []
        times: dict[tuple[Any, ...], int] = {}
        for row in rows:
            key = tuple([row[place] for place in self._key])
            at = times.get(key, 0)
            times[key] = at + 1
            if at == len(waves):
                waves.append([])
            waves[at].append(row)
        return waves


def of(statement: Sql, columns_of: Callable[[str], Columns]) -> ManyRows | None:
    """The statement for lists, or None when it is neither a plain row of an INSERT nor an UPDATE by key."""
    if statement.lists:
        return None
    if match := _INSERT.fullmatch(statement.text):
        return _insert(columns_of(match[1]), *match.groups())
    if match := _UPDATE.fullmatch(statement.text):
        return _update(columns_of(match[1]), *match.groups())
    return None


def _insert(types_of: Columns, table: str, listed: str, row: str, tail: str) -> ManyRows | None:
    names, values = [name.strip() for name in listed.split(",")], [value.strip() for value in row.split(",")]
    given = {value[1:]: name.strip('"') for name, value in zip(names, values, strict=True) if value.startswith(":")}
    if any(":" in value[1:] for value in values) or not _known(given.values(), types_of):
        return None
    out = ", ".join(f'a."{value[1:]}"' if value.startswith(":") else value for value in values)
    conflict = _CONFLICT.search(tail)
    by_column = {column: name for name, column in given.items()}
    key = [by_column[one] for one in map(str.strip, conflict[1].split(",")) if one in by_column] if conflict else []
    columns = [(name, types_of[column]) for name, column in given.items()]
    text = f"INSERT INTO {table} ({listed}) SELECT {out} FROM {_unnest(columns)}{tail}"  # noqa: S608 (our own statement)
    return ManyRows(text, columns, key)


def _update(types_of: Columns, table: str, changes: str, where: str) -> ManyRows | None:
    given: dict[str, str] = {}
    written: list[list[str]] = []
    for terms, qualified in ((changes.split(", "), ""), (where.split(" AND "), f"{table}.")):
        written.append([])
        for term in terms:
            match = _PAIR.fullmatch(term)
            if match is None and ":" in term:
                return None
            if match is None:
                written[-1].append(term)
                continue
            given[match[2]] = match[1]
            written[-1].append(f'{qualified}"{match[1]}" = a."{match[2]}"')
    if not _known(given.values(), types_of):
        return None
    key = [match[2] for term in where.split(" AND ") if (match := _PAIR.fullmatch(term))]
    columns = [(name, types_of[column]) for name, column in given.items()]
    changed, found = ", ".join(written[0]), " AND ".join(written[1])
    text = f"UPDATE {table} SET {changed} FROM {_unnest(columns)} WHERE {found}"  # noqa: S608 (our own statement)
    return ManyRows(text, columns, key)


def _known(columns: Any, types_of: Columns) -> bool:
    return bool(columns) and all(types_of.get(column) in _ARRAYS for column in columns)


def _unnest(columns: Sequence[tuple[str, str]]) -> str:
    arrays = ", ".join(f"${place}::{_ARRAYS[kind][0]}" for place, (_, kind) in enumerate(columns, 1))
    names = ", ".join(f'"{name}"' for name, _ in columns)
    return f"unnest({arrays}) AS a({names})"
