"""Backups: one file with databases, blobs and the key, written while the services run; and the way back."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.kit.backends import COPIES, load
from services.kit.errors import Conflict, Invalid, NotFound, Unavailable
from services.kit.secrets import check_key, install_key
from services.kit.spool import Spooled

if TYPE_CHECKING:
    from services.kit.application import Application
    from services.kit.config import Settings
    from services.kit.control import Progress

_FORMAT = 1
_NOTE = "ascolto-backup.json"
_SQLITE = "sqlite"  # what a backup is of that does not say so


def backup(app: Application, progress: Progress, *, target: str) -> dict[str, Any]:
    """Writes a copy of each database, then all blobs and the key, to one compressed file.

    Blobs are written before the row that names them, so copying databases first never leaves a row without its blob.
    """
    path = Path(target)
    if path.exists():
        raise Conflict(f"{path} is there already; name a new file.")
    draft = path.with_name(path.name + ".part")
    snapshots = load("snapshot", app.settings.database_of("intake"))
    files = 0
    try:
        with (
            tempfile.TemporaryDirectory(dir=path.parent) as folder,
            tarfile.open(draft, "w:gz", compresslevel=3) as archive,
        ):
            kept = {name: one for name, one in app.databases.items() if name not in COPIES}
            snapshots.copy_all(kept, Path(folder), progress=lambda name: progress(0.1, f"Database of {name}"))
            for copy in sorted(Path(folder).rglob("*")):
                if copy.is_file():
                    archive.add(copy, str(copy.relative_to(folder)))
                    files += 1
            for key in sorted(app.blobs.keys("")):
                files += _add_blob(app, archive, key)
                progress(0.6, f"{files} files")
            archive.add(app.settings.key_path, "key")
            note = {"format": _FORMAT, "made_at": app.clock.now().isoformat(), "databases": snapshots.kind}
            _add(archive, _NOTE, io.BytesIO(json.dumps(note).encode()))
        draft.chmod(0o600)
        draft.rename(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Unavailable(f"The backup to {path} failed: {error.strerror or error}. Nothing is left of it.") from error
    return {"files": files + 2, "size_bytes": path.stat().st_size}


def _add_blob(app: Application, archive: tarfile.TarFile, key: str) -> int:
    try:
        with app.blobs.open(key) as file:
            _add(archive, f"blobs/{key}", file)
    except NotFound:  # erased since its key was listed
        return 0
    return 1


def _add(archive: tarfile.TarFile, name: str, file: Any) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = file.seek(0, io.SEEK_END)
    file.seek(0)
    archive.addfile(entry, file)


def restore(settings: Settings, source: str) -> dict[str, Any]:
    """Fills an empty installation from a backup: databases, blobs, key."""
    snapshots = load("snapshot", settings.database_of("intake"))
    snapshots.check_empty(settings)
    data = settings.data.absolute()
    draft = data.with_name(data.name + ".restoring")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with tarfile.open(source) as archive:
            archive.extractall(draft, filter="data")
        note = json.loads((draft / _NOTE).read_text())
    except (OSError, tarfile.TarError, json.JSONDecodeError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise Invalid(f"{source} is not a backup that can be read: {error}.") from error
    try:
        if note["format"] != _FORMAT:
            raise Invalid(f"{source} has format {note['format']}; this version reads {_FORMAT}.")
        if (kind := note.get("databases", _SQLITE)) != snapshots.kind:
            raise Invalid(
                f"{source} is of {kind} databases, ASCOLTO_DATABASE is {snapshots.kind}. Restore it to its kind."
            )
        (draft / _NOTE).unlink()
        files = sum(one.is_file() for one in draft.rglob("*"))
        key = (draft / "key").read_bytes()
        check_key(settings.key_path, key)
        _put_blobs(replace(settings, data=draft), draft / "blobs")
        snapshots.restore(settings, draft)
        install_key(settings.key_path, key)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return {"files": files, "made_at": note["made_at"]}


def _put_blobs(settings: Settings, folder: Path) -> None:
    """Into the store what is not there yet: in the draft of a data folder all of it is."""
    blobs = load("blobs", settings.blobs).for_settings(settings)
    blobs.prepare()
    there = set(blobs.keys(""))
    for path in folder.rglob("*"):
        if path.is_file() and (key := path.relative_to(folder).as_posix()) not in there:
            blobs.put(key, Spooled(str(path), 0, path.stat().st_size))
