"""Bytes too large to hold in memory: they lie in a file of the data folder and are read in pieces.

`Content` is for code that does not care where they lie: `len`, slices and `pieces` do the same on both. What is to last
goes on into `blobs`; a file here ends with the last reference to it, and what a killed process left with the next start.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from services.kit.errors import Unavailable

PIECE_BYTES = 256 * 1024
_FOLDER = "spool"


class Content(Protocol):
    """Bytes wherever they lie: `bytes`, or `Spooled`."""

    def __len__(self) -> int: ...
    def __getitem__(self, wanted: slice, /) -> bytes: ...
    def __bytes__(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Spooled:
    """A stretch of a file that nobody changes. `owner`, if any, removes the file when it is gone."""

    path: str
    start: int
    size: int
    owner: Any = None  # a `Scratch`; another process is told none

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, wanted: slice, /) -> bytes:
        start, stop, _ = wanted.indices(self.size)
        with Path(self.path).open("rb") as file:
            file.seek(self.start + start)
            return file.read(max(0, stop - start))

    def __bytes__(self) -> bytes:
        return self[:]


def pieces(content: Content) -> Iterator[bytes]:
    """The bytes in order: those in memory at once, others piece by piece."""
    if isinstance(content, bytes):
        yield content
        return
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]


def sha256(content: Content) -> str:
    """The hash, in hexadecimal digits."""
    digest = hashlib.sha256()
    for piece in pieces(content):
        digest.update(piece)
    return digest.hexdigest()


class Scratch:
    """One file of the spool: whoever has its path may write it. It goes with the last reference to this."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / secrets.token_hex(16)
        weakref.finalize(self, self.path.unlink, missing_ok=True)


class Spool:
    """The folder of what is on its way."""

    def __init__(self, data: Path) -> None:
        self._folder = data.absolute() / _FOLDER

    def clear(self, *, before: datetime | None = None) -> None:
        """Removes what a killed process left. Only for the owner of the data folder, before anything is on its way.

        `before`: only what was last written earlier, for a folder that several processes share.
        """
        if before is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        for path in self._folder.glob("*"):
            if path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)

    def scratch(self) -> Scratch:
        """A file to be written. Raises `Unavailable`."""
        try:
            return Scratch(self._folder)
        except OSError as error:
            raise Unavailable(f"Nothing can be written to {self._folder}: {error.strerror}.") from error

    def writer(self, *, in_memory: int) -> SpoolWriter:
        """Takes bytes as they come: up to `in_memory` of them are held, more go to a file."""
        return SpoolWriter(self, in_memory)


class SpoolWriter:
    """Bytes that grow at their end. One thread at a time."""

    def __init__(self, spool: Spool, in_memory: int) -> None:
        self._spool, self._in_memory = spool, in_memory
        self._held = bytearray()
        self._scratch: Scratch | None = None
        self._file: BinaryIO | None = None
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Adds a piece. Raises `Unavailable` when the disk does not take it."""
        self.size += len(piece)
        if self._file is None and self.size <= self._in_memory:
            self._held += piece
            return
        try:
            if self._file is None:
                self._scratch = self._spool.scratch()
                self._file = self._scratch.path.open("wb")
                self._file.write(self._held)
                self._held.clear()
            self._file.write(piece)
        except OSError as error:
            self.close()
            raise Unavailable(f"The disk does not take what comes in: {error.strerror}.") from error

    def content(self) -> Content:
        """All of it, whole and closed. Raises `Unavailable`."""
        if self._file is None:
            return bytes(self._held)
        assert self._scratch is not None
        try:
            self._file.close()
        except OSError as error:
            raise Unavailable(f"The disk does not take what comes in: {error.strerror}.") from error
        return Spooled(str(self._scratch.path), 0, self.size, self._scratch)

    def close(self) -> None:
        """Lets go of everything written."""
        self._held.clear()
        file, self._file, self._scratch = self._file, None, None
        if file is not None:
            file.close()
