"""Blobs: raw contacts and attachments too large for a row. Written and made durable before the row that names them.

Keys are `<service>/<contact id>/<n>`: per contact, never by content, so that an erasure removes them all.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from services.kit.errors import Internal, NotFound, Unavailable
from services.kit.spool import Content, Spooled, pieces

if TYPE_CHECKING:
    from services.kit.config import Settings

_KEY = re.compile(r"[a-z]+(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}){1,4}")  # intake/con_01k…/0: no dot first, no empty part


class Blobs(Protocol):
    """A store of bytes by key. All raise `Unavailable` when the store is away, `Internal` for a key of wrong form."""

    def put(self, key: str, data: Content) -> None:
        """Stores `data`, durable when it returns. The same key again replaces it."""
        ...

    def get(self, key: str) -> bytes:
        """The bytes. Raises `NotFound`."""
        ...

    def fetch(self, key: str) -> Content:
        """The bytes, read when they are looked at: for what may be large. Raises `NotFound`."""
        ...

    def open(self, key: str) -> BinaryIO:
        """A file to read and close. Raises `NotFound`."""
        ...

    def delete(self, key: str) -> None:
        """Removes it, if it is there."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, in no order."""
        ...

    def written_at(self, key: str) -> datetime:
        """When it was stored, UTC. Raises `NotFound`."""
        ...

    def prepare(self) -> None:
        """Makes what holds the blobs, if it is missing."""
        ...

    def reach(self) -> None:
        """Raises `Unavailable` when the store's server does not answer; works before `prepare`."""
        ...

    def faults(self) -> list[str]:
        """What is wrong with how the store is set up, a sentence each with how to mend it. Raises `Unavailable`."""
        ...

    def ping(self) -> None:
        """Raises `Unavailable` when nothing can be stored."""
        ...

    def clear(self) -> None:
        """Removes what a killed process left half written; for the owner of the data folder, before anything is stored."""
        ...


def checked(key: str) -> str:
    """The key, if it has the one form allowed. Raises `Internal`: keys are ours, never a sender's."""
    if not _KEY.fullmatch(key):
        raise Internal(f"{key!r} is no blob key: it is service/id/part of letters, digits, '_', '-' and '.'.")
    return key


class FolderBlobs:
    """Blobs as files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = folder / ".parts"

    @classmethod
    def for_settings(cls, settings: Settings) -> FolderBlobs:
        """Those of the data folder."""
        return cls(settings.data / "blobs")

    def prepare(self) -> None:
        """Folders are made as they are needed."""

    def reach(self) -> None:
        """There is no server: always reached."""

    def faults(self) -> list[str]:
        """A folder has no set-up."""
        return []

    def put(self, key: str, data: Content) -> None:
        """Stores `data`: a file of its own, synced, renamed into place, the folders synced."""
        path = self._folder / checked(key)
        part = self._parts / secrets.token_hex(16)
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
            made = self._make(path.parent)
            with part.open("wb") as file:
                file.writelines(pieces(data))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            for folder in (path.parent, *made):
                _sync(folder)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise Unavailable(f"Blob {key} cannot be stored: {error.strerror}.", retry_after_s=1.0) from error

    def get(self, key: str) -> bytes:
        """The bytes."""
        with self.open(key) as file:
            return file.read()

    def fetch(self, key: str) -> Content:
        """The file, where it is."""
        with self.open(key) as file:
            return Spooled(file.name, 0, os.fstat(file.fileno()).st_size)

    def open(self, key: str) -> BinaryIO:
        """A file to read and close."""
        try:
            return (self._folder / checked(key)).open("rb")
        except FileNotFoundError as error:
            raise NotFound(f"There is no blob {key}.") from error
        except OSError as error:
            raise Unavailable(f"Blob {key} cannot be read: {error.strerror}.") from error

    def delete(self, key: str) -> None:
        """Removes it, and its folder when that is empty then."""
        path = self._folder / checked(key)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        except OSError as error:
            raise Unavailable(f"Blob {key} cannot be removed: {error.strerror}.") from error

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`."""
        start = self._folder / prefix.rpartition("/")[0] if "/" in prefix else self._folder
        for path in start.rglob("*") if start.is_dir() else ():
            key = path.relative_to(self._folder).as_posix()
            if key.startswith(prefix) and not key.startswith(".") and path.is_file():
                yield key

    def written_at(self, key: str) -> datetime:
        """When it was stored."""
        from datetime import UTC

        try:
            return datetime.fromtimestamp((self._folder / checked(key)).stat().st_mtime, UTC)
        except FileNotFoundError as error:
            raise NotFound(f"There is no blob {key}.") from error

    def ping(self) -> None:
        """Raises `Unavailable` when nothing can be stored."""
        self.put("kit/ping/0", b"")

    def clear(self) -> None:
        """Removes the files that were not renamed into place."""
        shutil.rmtree(self._parts, ignore_errors=True)

    def _make(self, folder: Path) -> list[Path]:
        """Makes the folders that are missing; returns the parents that must be synced for them to last."""
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        return [parent.parent for parent in missing]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(blobs: Blobs, prefix: str, *, before: datetime, used: Callable[[Collection[str]], Collection[str]]) -> int:
    """Removes blobs stored before `before` that no row names; returns how many.

    `used(keys)` returns which of up to 500 keys a row still names. A row is written after its blob, so `before` must
    lie well in the past: 24 h.
    """
    removed = 0
    batch: list[str] = []

    def clear() -> int:
        gone = set(batch) - set(used(batch))
        for key in gone:
            blobs.delete(key)
        batch.clear()
        return len(gone)

    for key in list(blobs.keys(prefix)):
        if blobs.written_at(key) < before:
            batch.append(key)
        if len(batch) == 500:
            removed += clear()
    return removed + clear()
