"""Values between Python and PostgreSQL, so that the services see what SQLite would give them.

Sent: whole numbers are always bigint and texts always text, so that a statement is prepared once and no parameter is
without a type. Received: sums (numeric) are whole numbers again, truth is 1 or 0, bytes are bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psycopg import postgres
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import Format
from psycopg.types.bool import BoolBinaryLoader
from psycopg.types.numeric import FloatBinaryDumper, Int8BinaryDumper, NumericBinaryLoader

if TYPE_CHECKING:
    from psycopg import Connection

_OIDS = {name: postgres.types[name].oid for name in ("int8", "text", "bytea", "float8")}
_NUL = "\x00"
_INSTEAD = "\ufffd"  # PostgreSQL refuses NUL in texts; what holds one is kept all the same, with this in its place


class Texts(bytes):
    """An array of texts, ready for the wire."""


class Numbers(bytes):
    """An array of whole numbers, ready for the wire."""


class Floats(bytes):
    """An array of fractions, ready for the wire."""


class Blobs(bytes):
    """An array of byte strings, ready for the wire."""


class _Nothing:
    """An empty array of whatever type the statement wants."""


NOTHING = _Nothing()


def encoded(text: str) -> bytes:
    """A text as PostgreSQL takes it."""
    return (text.replace(_NUL, _INSTEAD) if _NUL in text else text).encode()


def texts(values: Sequence[Any]) -> Texts:
    """As an array of texts."""
    return Texts(_variable(_OIDS["text"], [None if value is None else encoded(value) for value in values]))


def blobs(values: Sequence[Any]) -> Blobs:
    """As an array of byte strings."""
    return Blobs(_variable(_OIDS["bytea"], values))


def numbers(values: Sequence[Any]) -> Numbers:
    """As an array of whole numbers."""
    return Numbers(_fixed(_OIDS["int8"], "q", values))


def floats(values: Sequence[Any]) -> Floats:
    """As an array of fractions."""
    return Floats(_fixed(_OIDS["float8"], "d", values))


def array(values: Sequence[str] | Sequence[int]) -> Texts | Numbers | _Nothing:
    """A list parameter."""
    if not values:
        return NOTHING
    return texts(values) if isinstance(values[0], str) else numbers(values)


# The wire's form of an array: dimensions, whether any is null, element type, length, first index; then each element as
# its length (-1 for null) and bytes. By hand because psycopg's own dumper takes ten times as long for each element.
# Source: array_recv of PostgreSQL, src/backend/utils/adt/arrayfuncs.c


def _head(oid: int, length: int, *, nulls: bool) -> bytes:
    return struct.pack("!iiIii", 1, nulls, oid, length, 1) if length else struct.pack("!iiI", 0, 0, oid)


def _variable(oid: int, values: Sequence[bytes | None]) -> bytes:
    parts = [_head(oid, len(values), nulls=None in values)]
    for value in values:
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            parts.append(len(value).to_bytes(4, "big"))
            parts.append(value)
    return b"".join(parts)


def _fixed(oid: int, code: str, values: Sequence[Any]) -> bytes:
    if None in values:
        return _variable(oid, [None if value is None else struct.pack(f"!{code}", value) for value in values])
    flat: list[Any] = [8] * (2 * len(values))
    flat[1::2] = values
    return _head(oid, len(values), nulls=False) + struct.pack(f"!{f'i{code}' * len(values)}", *flat)


class _TextDumper(Dumper):
    oid = _OIDS["text"]
    format = Format.BINARY

    def dump(self, obj: str) -> Buffer:
        return encoded(obj)


class _NothingDumper(Dumper):
    oid = 0

    def dump(self, obj: _Nothing) -> Buffer:  # noqa: ARG002 (all are alike)
        return b"{}"


class _ReadyDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> Buffer:
        return obj


def _ready(name: str) -> type[Dumper]:
    return type(f"_{name}Array", (_ReadyDumper,), {"oid": postgres.types[name].array_oid})


class _TruthDumper(Dumper):
    oid = _OIDS["int8"]
    format = Format.BINARY

    def dump(self, obj: bool) -> Buffer:
        return struct.pack("!q", obj)


class _WholeLoader(NumericBinaryLoader):
    def load(self, data: Buffer) -> Any:
        value = super().load(data)
        return int(value) if value == value.to_integral_value() else float(value)


class _TruthLoader(BoolBinaryLoader):
    def load(self, data: Buffer) -> Any:
        return int(super().load(data))


_DUMPERS: tuple[tuple[type, type[Dumper]], ...] = (
    (str, _TextDumper),
    (int, Int8BinaryDumper),
    (bool, _TruthDumper),
    (float, FloatBinaryDumper),
    (Texts, _ready("text")),
    (Numbers, _ready("int8")),
    (Floats, _ready("float8")),
    (Blobs, _ready("bytea")),
    (_Nothing, _NothingDumper),
)
_LOADERS: tuple[tuple[str, type[Loader]], ...] = (("numeric", _WholeLoader), ("bool", _TruthLoader))


def adapt(connection: Connection[Any]) -> None:
    """Makes a connection speak so."""
    for kind, dumper in _DUMPERS:
        connection.adapters.register_dumper(kind, dumper)
    for name, loader in _LOADERS:
        connection.adapters.register_loader(name, loader)
