"""What a database holds, table by table: for carrying it into another, and for proving that all of it arrived.

Left out is what is bound to the place: the log and the positions in it, leases, and counters, which are set by value.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.kit.db.sqlite_errors import translated
from services.kit.errors import Conflict, Internal
from services.kit.uow import Row, Value

LOG_BOUND = frozenset({"outbox", "outbox_floor", "positions"})
BOUND = LOG_BOUND | {"leases", "sequence", "alembic_version"}
MOVED = "moved.json"  # in a data folder that was moved away from
NUL, INSTEAD = "\x00", "\ufffd"  # what PostgreSQL refuses in texts, and what is kept in its place (`postgres_types`)

_TABLES = r"SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name"


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its columns, and those of its primary key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def key_of(self, row: Row) -> list[Value]:
        """A row's primary key."""
        return [row[self.columns.index(name)] for name in self.key]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows, and a sum over their hashes that no order changes."""

    rows: int
    hash: str


def not_moved(path: Path) -> Path:
    """The path of a database's file. Raises `Conflict` where its installation goes on elsewhere."""
    if (mark := path.with_name(MOVED)).exists():
        raise Conflict(
            f"{path.parent} was moved to other servers, and only they go on. To use it again all the same, remove {mark}."
        )
    return path


def tally(rows: Iterable[Row]) -> Tally:
    """Counts and hashes rows, whichever database they come from."""
    count, total = 0, 0
    for row in rows:
        count += 1
        total += int.from_bytes(hashlib.sha256(repr(plain(row)).encode()).digest()[:16], "big")
    return Tally(count, f"{total % (1 << 128):032x}")


def plain(row: Row) -> Row:
    """The row as every database can hold it."""
    if any(isinstance(value, str) and NUL in value for value in row):
        return tuple(value.replace(NUL, INSTEAD) if isinstance(value, str) else value for value in row)
    return tuple(row)


def key_text(key: Sequence[Value]) -> str:
    """A primary key as text."""
    return json.dumps([{"hex": one.hex()} if isinstance(one, bytes) else one for one in key])


def key_values(text: str) -> list[Value]:
    """What `key_text` wrote."""
    return [bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for one in json.loads(text)]


class SqliteTables:
    """Reads one file; changes nothing in it."""

    def __init__(self, path: Path) -> None:
        self._name = path.stem
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA query_only=1")
        except sqlite3.Error as error:
            raise translated(error, self._name) from error

    def shapes(self) -> list[Shape]:
        """All tables that are carried."""
        names = [str(row[0]) for row in self._ask(_TABLES)]
        return [self._shape(name) for name in names if name not in BOUND]

    def _shape(self, name: str) -> Shape:
        found = list(self._ask(f'PRAGMA table_info("{name}")'))
        key = [str(row[1]) for row in sorted((row for row in found if row[5]), key=lambda row: int(row[5]))]
        if not key:
            raise Internal(f"The table {name} of {self._name} has no primary key, so it cannot be carried in pages.")
        return Shape(name, tuple(str(row[1]) for row in found), tuple(key))

    def rows(self, shape: Shape, after: Sequence[Value] = ()) -> Iterator[Row]:
        """The rows whose key is greater than `after`, in the order of their keys."""
        key = ", ".join(f'"{name}"' for name in shape.key)
        columns = ", ".join(f'"{name}"' for name in shape.columns)
        beyond = f" WHERE ({key}) > ({', '.join('?' for _ in after)})" if after else ""
        return self._ask(f'SELECT {columns} FROM "{shape.name}"{beyond} ORDER BY {key}', after)  # noqa: S608 (names of our own schema)

    def count(self, shape: Shape) -> int:
        """How many rows it has."""
        return int(next(self._ask(f'SELECT count(*) FROM "{shape.name}"'))[0])  # noqa: S608 (as above)

    def counters(self) -> dict[str, int]:
        """Of each table whose ids are never used twice, the last one."""
        return {str(name): int(last) for name, last in self._ask("SELECT name, seq FROM sqlite_sequence")}

    def last_rev(self) -> int:
        """The last revision drawn; 0 before the first."""
        return sum(int(row[0]) for row in self._ask("SELECT value FROM sequence WHERE name = 'rev'"))

    def _ask(self, text: str, values: Sequence[Value] = ()) -> Iterator[tuple]:  # type: ignore[type-arg]  # as sqlite3 types its rows
        try:
            yield from self._connection.execute(text, tuple(values))
        except sqlite3.Error as error:
            raise translated(error, self._name) from error

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()
