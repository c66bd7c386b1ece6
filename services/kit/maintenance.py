"""What operators ask of an installation from the command line: replay, reindex, backup, restore, doctor.

Works on an `Application`, running or only opened; speaks to services by their calls alone.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ascolto.common.v1 import envelope_pb2, operations_pb2
from ascolto.common.v1.operations_pb2_grpc import OperationsStub
from ascolto.search.v1.service_pb2_grpc import SearchStub
from services.kit.backends import COPIES
from services.kit.control import Progress
from services.kit.db.snapshot import copy_all, raise_epoch
from services.kit.errors import Conflict, Invalid, Unavailable
from services.kit.http import failing
from services.kit.rpc.caller import Caller

if TYPE_CHECKING:
    from services.kit.application import Application
    from services.kit.config import Settings
    from services.kit.db.sqlite import SqliteDatabase

_FORMAT = 1
_REBUILD_S = 24 * 3600


def replay(
    app: Application, progress: Progress, *, ids: list[str], everything: bool, listing: bool, confirmed: bool
) -> list[dict[str, Any]]:
    """Lists dead letters, or has them handled again by their own group; one entry a letter."""
    caller = Caller(service="kit", keys=app.keys, clock=app.clock)
    found: list[dict[str, Any]] = []
    for done, service in enumerate(app.services):
        progress(done / len(app.services), f"Asking {service}")
        stub = OperationsStub(app.channels[service])
        if listing:
            request = operations_pb2.ListDeadLettersRequest(page=envelope_pb2.Page(limit=200))
            letters = caller.invoke(stub.ListDeadLetters, request, timeout_s=10).items
            found += [{"id": one.id, "group": one.group, "kind": one.kind, "reason": one.reason} for one in letters]
            continue
        asked = operations_pb2.ReplayDeadLettersRequest(ids=ids, all=everything, confirmed=confirmed)
        results = caller.invoke(stub.ReplayDeadLetters, asked, timeout_s=600).results
        found += [{"id": one.id, "ok": one.ok, "detail": one.detail} for one in results]
    return found


def reindex(app: Application, progress: Progress) -> dict[str, Any]:
    """Rebuilds the search index beside the live one and waits until it is switched."""
    caller = Caller(service="kit", keys=app.keys, clock=app.clock)
    stub = SearchStub(app.channels["search"])
    before = caller.invoke(stub.Rebuild, envelope_pb2.Empty(), timeout_s=10)
    until = time.monotonic() + _REBUILD_S
    while time.monotonic() < until:
        status = caller.invoke(stub.Status, envelope_pb2.Empty(), timeout_s=10)
        if status.state != "rebuilding" and status.generation != before.generation:
            return {"documents": status.documents, "generation": status.generation}
        if status.state not in {"rebuilding", "ready", "catching_up"}:
            raise Unavailable(f"The rebuild stopped: {status.last_error or status.state}.")
        progress(status.rebuild_done, f"{status.rebuild_documents} of {status.rebuild_total} documents")
        time.sleep(0.2)
    raise Unavailable("The rebuild did not end within a day; the index in use is untouched.")


def backup(app: Application, progress: Progress, *, target: str) -> dict[str, Any]:
    """Writes a consistent copy of each database, then all blobs and the key, to one compressed file.

    Blobs are written before the row that names them, so copying databases first never leaves a row without its blob.
    """
    path = Path(target)
    if path.exists():
        raise Conflict(f"{path} is there already; name a new file.")
    draft = path.with_name(path.name + ".part")
    data = app.settings.data.absolute()
    files = 0
    try:
        with (
            tempfile.TemporaryDirectory(dir=path.parent) as folder,
            tarfile.open(draft, "w:gz", compresslevel=3) as archive,
        ):
            progress(0.1, "Databases")
            copies = Path(folder) / "copies"
            copies.mkdir()
            kept = {name: one for name, one in app.databases.items() if name not in COPIES}
            # as of one moment: a position never lies beyond the log it reads
            copy_all(cast("dict[str, SqliteDatabase]", kept), copies)
            for copy in sorted(copies.iterdir()):
                archive.add(copy, copy.name)
                files += 1
            for blob in sorted((data / "blobs").rglob("*")):
                if blob.is_file():
                    archive.add(blob, str(blob.relative_to(data)))
                    files += 1
                    progress(0.6, f"{files} files")
            archive.add(data / "key", "key")
            note = json.dumps({"format": _FORMAT, "made_at": app.clock.now().isoformat()}).encode()
            entry = tarfile.TarInfo("ascolto-backup.json")
            entry.size = len(note)
            archive.addfile(entry, io.BytesIO(note))
        draft.chmod(0o600)
        draft.rename(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Unavailable(f"The backup to {path} failed: {error.strerror or error}. Nothing is left of it.") from error
    return {"files": files + 2, "size_bytes": path.stat().st_size}


def restore(settings: Settings, source: str) -> dict[str, Any]:
    """Fills an empty data folder from a backup. The folder appears whole or not at all."""
    data = settings.data.absolute()
    if data.exists() and any(data.iterdir()):
        raise Conflict(f"{data} is not empty. Set ASCOLTO_DATA to a new folder, or move this one away.")
    draft = data.with_name(data.name + ".restoring")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with tarfile.open(source) as archive:
            archive.extractall(draft, filter="data")
        note = json.loads((draft / "ascolto-backup.json").read_text())
    except (OSError, tarfile.TarError, json.JSONDecodeError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise Invalid(f"{source} is not a backup that can be read: {error}.") from error
    if note["format"] != _FORMAT:
        shutil.rmtree(draft)
        raise Invalid(f"{source} has format {note['format']}; this version reads {_FORMAT}.")
    (draft / "ascolto-backup.json").unlink()
    (draft / "key").chmod(0o600)
    for copy in draft.glob("*.db"):
        raise_epoch(copy)  # revisions drawn after the backup are never drawn again
    data.parent.mkdir(parents=True, exist_ok=True)
    if data.exists():
        data.rmdir()
    draft.rename(data)
    return {"files": sum(one.is_file() for one in data.rglob("*")), "made_at": note["made_at"]}


def doctor(app: Application) -> list[dict[str, Any]]:
    """Every check with its result, and the settings that are unusual for a machine others can reach."""
    checks = [one for one in app.checks() if app.running or one.critical]  # the others are of what runs
    faults = {name: detail for name, detail, _ in failing(checks)}
    found = [{"name": one.name, "ok": one.name not in faults, "detail": faults.get(one.name, "fine")} for one in checks]
    settings = app.settings
    if settings.http.host not in {"127.0.0.1", "::1", "localhost"} and not settings.trust_proxy:
        found.append(
            {
                "name": "http",
                "ok": False,
                "detail": "HTTP is open to others without a proxy: put TLS in front and set ASCOLTO_TRUST_PROXY=1.",
            }
        )
    mode = settings.key_path.stat().st_mode & 0o777
    found.append(
        {
            "name": "key",
            "ok": mode == 0o600,
            "detail": "fine" if mode == 0o600 else f"The key file has mode {mode:o}; make it 600.",
        }
    )
    return found
