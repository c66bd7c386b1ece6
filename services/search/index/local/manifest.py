"""Our own hashes of the index's files: tantivy opens damaged ones without complaint.

Files of a segment never change once written, so each is hashed once after the commit that made it, and compared
again bit by bit in the background and after any error of the engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

from services.search.ports import IndexDamaged

_NAME = "manifest.json"
_BLOCK = 1 << 20
_PARTS = (".fast", ".fieldnorm", ".idx", ".pos", ".store", ".term")


class Manifest:
    """Hashes of one index folder. Safe from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._turn = 0
        try:
            stored = json.loads((folder / _NAME).read_bytes())
            self._known: dict[str, tuple[int, str]] = {
                str(name): (int(size), str(digest)) for name, (size, digest) in stored.items()
            }
        except FileNotFoundError:
            self._known = {}
        except (ValueError, AttributeError, TypeError) as error:
            raise IndexDamaged(f"The manifest of {folder.name} cannot be read.") from error

    def files(self) -> list[str]:
        """The files the index says it is made of. Raises `IndexDamaged` when it cannot say."""
        try:
            meta = json.loads((self._folder / "meta.json").read_bytes())
            segments = [(str(part["segment_id"]).replace("-", ""), part["deletes"]) for part in meta["segments"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexDamaged(f"The list of files of {self._folder.name} cannot be read.") from error
        names = [f"{segment}{part}" for segment, _ in segments for part in _PARTS]
        names.extend(f"{segment}.{deletes['opstamp']}.del" for segment, deletes in segments if deletes)
        return names

    def check_sizes(self) -> None:
        """Every file is there and as long as it was: cheap, done at each start."""
        for name in self.files():
            self._check_size(name)

    def update(self) -> int:
        """Hashes files not known yet, forgets those that are gone, writes the manifest; returns how many were new."""
        names = self.files()
        fresh: dict[str, tuple[int, str]] = {}
        for name in names:
            if name not in self._known:
                try:
                    fresh[name] = _digest(self._folder / name)
                except FileNotFoundError:
                    if name in self.files():  # not merged away meanwhile
                        raise IndexDamaged(f"The file {name} of the index is gone.") from None
        with self._lock:
            current = set(names)
            kept = {name: value for name, value in self._known.items() if name in current}
            if not fresh and len(kept) == len(self._known):
                return 0
            self._known = kept | fresh
            temporary = self._folder / f"{_NAME}.tmp"
            with temporary.open("w") as file:
                json.dump(self._known, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / _NAME)
        return len(fresh)

    def check(self, *, most_bytes: int = 0) -> int:
        """Compares files with their hashes, going on where the last call ended; `most_bytes` 0 means all of them.

        Returns how many bytes were compared. Raises `IndexDamaged`.
        """
        names = sorted(self.files())
        if not names:
            return 0
        done = 0
        start = 0 if not most_bytes else self._turn % len(names)
        for step in range(len(names)):
            name = names[(start + step) % len(names)]
            done += self._compare(name)
            if most_bytes and done >= most_bytes:
                self._turn = start + step + 1
                return done
        self._turn = 0
        return done

    def _compare(self, name: str) -> int:
        self._check_size(name)
        known = self._known.get(name)
        if known is None:
            return 0
        try:
            found = _digest(self._folder / name)
        except OSError as error:
            if name in self.files():
                raise IndexDamaged(f"The file {name} of the index cannot be read.") from error
            return 0
        if found != known:
            raise IndexDamaged(f"The file {name} of the index is not what was written.")
        return known[0]

    def _check_size(self, name: str) -> None:
        known = self._known.get(name)
        try:
            size = (self._folder / name).stat().st_size
        except OSError as error:
            optional = name.endswith((".pos", ".fast", ".fieldnorm")) and known is None
            if not optional and name in self.files():
                raise IndexDamaged(f"The file {name} of the index is gone.") from error
            return
        if known is not None and size != known[0]:
            raise IndexDamaged(f"The file {name} of the index is {size} bytes long, it was {known[0]}.")


def _digest(path: Path) -> tuple[int, str]:
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()
