"""Carries an embedded installation into servers: databases, blobs, the key; the index is built anew there.

The old installation is worked off first, as at any start, and then only read; nothing comes in meanwhile, because its
folder is locked. What is carried can be killed and begun again: it goes on where it was. Positions of the local log
mean nothing in Kafka: every group has read all of it before, and begins there with empty topics.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from services.kit import crash
from services.kit.application import Application
from services.kit.backends import COPIES
from services.kit.config import Settings
from services.kit.db.carry import MOVED, Shape, SqliteTables, Tally, tally
from services.kit.db.sqlite import SqliteDatabase
from services.kit.drain import drain
from services.kit.errors import Conflict, Internal, Invalid, NotFound
from services.kit.secrets import install_key
from services.kit.spool import sha256
from services.kit.topics import PRODUCERS

if TYPE_CHECKING:
    from services.kit.blobs import Blobs
    from services.kit.control import Progress
    from services.kit.db.postgres_carry import PostgresTables
    from services.kit.uow import Row

REPORT = "move.json"
_WANTED = {"database": "postgresql", "bus": "kafka", "index": "elasticsearch", "blobs": "s3"}
_ROWS, _BYTES = 2000, 8 * 1024 * 1024  # of a page
_HANDS = 8  # blobs on their way at a time

Reindex = Callable[[Application, "Progress"], Mapping[str, Any]]


def target_settings(path: Path) -> Settings:
    """The settings of a file of lines `ASCOLTO_NAME=value`; `#` begins a comment. Raises `Invalid`, `NotFound`."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from error
    given = {}
    for line in map(str.strip, lines):
        if line and not line.startswith("#"):
            name, _, value = line.removeprefix("export ").partition("=")
            given[name.strip()] = value.strip().strip("'\"")
    settings = Settings.from_env({name: value for name, value in given.items() if value})
    for role, scheme in _WANTED.items():
        if urlsplit(getattr(settings, role)).scheme != scheme:
            name = f"ASCOLTO_{role.upper()}"
            raise Invalid(f"{path} must set {name}={scheme}://…: where to move to.", field=name)
    return settings


def move(here: Application, target: Settings, progress: Progress, reindex: Reindex) -> dict[str, Any]:
    """Carries what `here`, wired and not started, holds to the servers of `target`; returns the report.

    Raises `Conflict` when the target holds what no move brought, or is used already; nothing is overwritten then.
    """
    _check_embedded(here)
    progress(0.0, "Working off what waits")
    drain(here, lambda said: progress(0.0, said))
    install_key(target.key_path, here.settings.key_path.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        there_settings = replace(
            target, data=Path(folder), key_file=str(here.settings.key_path), rpc="local:", models=False
        )
        with Application(there_settings) as there:
            there.reach()
            there.migrate()
            names = [name for name in here.databases if name not in COPIES]
            _check_unused(there, names)
            report: dict[str, Any] = {"databases": {}}
            for done, name in enumerate(names):
                part = _part(progress, done / 10, 0.1)
                report["databases"][name] = _carry_database(here.settings, there.settings, name, part)
            report["blobs"] = _carry_blobs(here.blobs, there.blobs, _part(progress, 0.4, 0.3))
            progress(0.7, "Building the index")
            built = reindex(there, _part(progress, 0.7, 0.3))
            report["index"] = {"documents": built["documents"]}
    report["to"] = _without_secrets(target)
    report["made_at"] = here.clock.now().isoformat()
    crash.point("move.before_report")
    _write(here.settings.data.absolute() / REPORT, report)
    return report


def confirm(here: Application) -> dict[str, Any]:
    """Closes the old installation for good, if it still holds what was carried; returns the report of the move."""
    data = here.settings.data.absolute()
    path = data / REPORT
    if not path.exists():
        raise Conflict(f"{data} was not moved yet: `ascolto move --to FILE` comes first.")
    report: dict[str, Any] = json.loads(path.read_text())
    for name, tables in report["databases"].items():
        with SqliteTables(data / f"{name}.db") as source:
            found = {shape.name: asdict(tally(source.rows(shape))) for shape in source.shapes()}
        if found != tables:
            changed = ", ".join(sorted(table for table in found if found[table] != tables.get(table)))
            raise Conflict(
                f"{data} has changed since it was moved ({name}: {changed}), so it was used again. If the new"
                " installation has not run yet, `ascolto move --to FILE` carries the rest."
            )
    path.rename(data / MOVED)
    return report


def _part(progress: Progress, begin: float, length: float) -> Progress:
    return lambda done, what: progress(begin + done * length, what)


def _check_embedded(here: Application) -> None:
    for name, database in here.databases.items():
        if not isinstance(database, SqliteDatabase):
            raise Invalid(
                f"The database of {name} is no SQLite file: only an embedded installation can be moved. Run this with"
                " the old installation's settings.",
                field="ASCOLTO_DATABASE",
            )


def _check_unused(there: Application, names: Iterable[str]) -> None:
    """Nothing may be there but what an earlier try brought."""
    from services.kit.db.postgres_carry import PostgresTables

    for name in names:
        with PostgresTables(there.settings.database_of(name), name) as new:
            if new.used():
                raise Conflict(
                    f"The new installation has run already: its database of {name} shows it. To move once more, drop its"
                    " databases, topics and bucket first."
                )
            if strays := new.strays():
                raise Conflict(f"The new database of {name} is not empty: {', '.join(strays)}. Name an empty one.")
    for topic in PRODUCERS:
        if any(bounds.end > 0 for bounds in there.bus.bounds(topic).values()):
            raise Conflict(
                f"The topic {topic} holds events already. Give ASCOLTO_BUS a prefix of its own: kafka://host:9092/name."
            )


# --- databases ---


def _carry_database(source: Settings, target: Settings, name: str, progress: Progress) -> dict[str, Any]:
    from services.kit.db.postgres_carry import PostgresTables

    with (
        SqliteTables(source.data.absolute() / f"{name}.db") as old,
        PostgresTables(target.database_of(name), name) as new,
    ):
        shapes = old.shapes()
        total = max(1, sum(old.count(shape) for shape in shapes))
        done = 0
        for shape in shapes:
            for rows in _carry_table(old, new, shape):
                done += rows
                progress(done / total, f"{name}: {shape.name}")
        new.set_counters(old.counters(), old.last_rev())
        return {shape.name: asdict(_verify(old, new, shape, name)) for shape in shapes}


def _carry_table(old: SqliteTables, new: PostgresTables, shape: Shape) -> Iterator[int]:
    """Carries what is missing; yields numbers of rows."""
    last, come = new.come(shape.name)
    yield come
    for page in _pages(old.rows(shape, last)):
        new.fill(shape, page)
        crash.point("move.after_page")
        yield len(page)


def _pages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    page: list[Row] = []
    weight = 0
    for row in rows:
        page.append(row)
        weight += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if len(page) >= _ROWS or weight >= _BYTES:
            yield page
            page, weight = [], 0
    if page:
        yield page


def _verify(old: SqliteTables, new: PostgresTables, shape: Shape, service: str) -> Tally:
    """Both sides hold the same; a table that was changed at home between two tries is carried once more."""
    wanted = tally(old.rows(shape))
    if tally(new.rows(shape)) != wanted:
        new.empty(shape)
        for _ in _carry_table(old, new, shape):
            pass
        if (found := tally(new.rows(shape))) != wanted:
            raise Internal(f"{service}.{shape.name} did not arrive whole: {wanted} there, {found} here.")
    return wanted


# --- blobs ---


def _carry_blobs(old: Blobs, new: Blobs, progress: Progress) -> dict[str, int]:
    """Copies what is missing or differs, and reads each one back."""
    keys = sorted(key for key in old.keys("") if not key.startswith("kit/"))
    there = set(new.keys(""))
    size_bytes = 0
    with ThreadPoolExecutor(_HANDS, "move-blobs") as hands:
        waiting = iter(keys)
        done = 0
        while some := list(islice(waiting, _HANDS * 4)):
            size_bytes += sum(hands.map(lambda key: _carry_blob(old, new, key, is_there=key in there), some))
            done += len(some)
            progress(done / len(keys), f"{done} of {len(keys)} files")
            crash.point("move.after_blobs")
    return {"files": len(keys), "size_bytes": size_bytes}


def _carry_blob(old: Blobs, new: Blobs, key: str, *, is_there: bool) -> int:
    content = old.fetch(key)
    wanted = (len(content), sha256(content))
    if is_there and _found(new, key) == wanted:
        return wanted[0]
    new.put(key, content)
    if (found := _found(new, key)) != wanted:
        raise Internal(f"The file {key} did not arrive whole: {wanted} there, {found} here.")
    return wanted[0]


def _found(blobs: Blobs, key: str) -> tuple[int, str]:
    content = blobs.fetch(key)
    return len(content), sha256(content)


# --- the report ---


def told(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"{name}.{table}: {one['rows']} rows, {one['hash']}"
        for name, tables in report["databases"].items()
        for table, one in tables.items()
        if one["rows"]
    ]
    blobs = report["blobs"]
    return "\n".join(
        [
            *lines,
            f"{blobs['files']} files, {blobs['size_bytes']} bytes.",
            f"{report['index']['documents']} documents are in the new index.",
            "All of it was counted and compared on both sides. Start the new installation and look at it;",
            "then close the old one: `ascolto move --confirm` with its settings.",
        ]
    )


def _without_secrets(target: Settings) -> dict[str, str]:
    """Where it went, without passwords."""
    found = {}
    for role in _WANTED:
        parts = urlsplit(getattr(target, role))
        found[role] = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return found


def _write(path: Path, report: Mapping[str, Any]) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(report, indent=1))
    draft.replace(path)
