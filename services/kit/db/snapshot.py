"""Copies of all databases of one moment, taken while they are written to; and what a restored one needs first.

Copied one after another, a consumer's position could lie beyond its producer's log, which stops it loudly.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from services.kit.db.sqlite import SqliteDatabase
from services.kit.db.sqlite_errors import translated
from services.kit.errors import Conflict, Internal

if TYPE_CHECKING:
    from services.kit.config import Settings

EPOCH = 1 << 40  # revisions below it belong to one life of the database: a trillion writes


def copy_all(
    databases: Mapping[str, SqliteDatabase], folder: Path, *, progress: Callable[[str], None] | None = None
) -> list[Path]:
    """Writes `folder/<name>.db` for each database, all as of one moment; returns the files, each one whole.

    All writers stand still together while the reads begin (milliseconds), then go on while pages are copied.
    """
    with contextlib.ExitStack() as reads:
        sources: dict[str, sqlite3.Connection] = {}
        with contextlib.ExitStack() as still:
            for database in databases.values():
                still.enter_context(database.held())
            for name, database in databases.items():
                source = sqlite3.connect(f"{database.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
                reads.callback(source.close)
                source.execute("BEGIN")
                source.execute("SELECT 1 FROM sequence").fetchall()  # only a read takes the moment, BEGIN does not
                sources[name] = source
        made = []
        for name, source in sources.items():
            if progress is not None:
                progress(name)
            made.append(_copy(name, source, folder / f"{name}.db"))
    return made


def _copy(name: str, source: sqlite3.Connection, target: Path) -> Path:
    writing = sqlite3.connect(target)
    try:
        source.backup(writing, pages=2000)
        if writing.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise Internal(f"The copy of the database {name} is not whole.")
    except sqlite3.Error as error:
        raise translated(error, name) from error
    finally:
        writing.close()
    return target


def raise_epoch(path: Path) -> int:
    """Moves a restored file's revisions above all that were drawn after its snapshot; returns the last one.

    What was published after the snapshot carries higher revisions: without this, copies would take newer states for
    older ones. To be called once a restore, before anything is opened.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(
            "INSERT INTO sequence (name, value) VALUES ('rev', :epoch)"
            " ON CONFLICT (name) DO UPDATE SET value = (value / :epoch + 1) * :epoch",
            {"epoch": EPOCH},
        )
        return int(connection.execute("SELECT value FROM sequence WHERE name = 'rev'").fetchone()[0])
    except sqlite3.Error as error:
        raise translated(error, path.stem) from error
    finally:
        connection.close()


class SqliteSnapshots:
    """How a backup takes SQLite files and gives them back; `postgres_snapshot` is its other kind."""

    kind = "sqlite"

    @staticmethod
    def copy_all(databases: Mapping[str, SqliteDatabase], folder: Path, *, progress: Callable[[str], None]) -> None:
        """Writes `folder/<name>.db` for each, all of one moment: a position never lies beyond the log it reads."""
        copy_all(databases, folder, progress=progress)

    @staticmethod
    def check_empty(settings: Settings) -> None:
        """Raises `Conflict` when the data folder holds anything."""
        data = settings.data.absolute()
        if data.exists() and any(data.iterdir()):
            raise Conflict(f"{data} is not empty. Set ASCOLTO_DATA to a new folder, or move this one away.")

    @staticmethod
    def restore(settings: Settings, draft: Path) -> None:
        """Makes a backup's files the data folder, which appears whole or not at all."""
        for copy in draft.glob("*.db"):
            raise_epoch(copy)  # revisions drawn after the backup are never drawn again
        (draft / "key").chmod(0o600)
        data = settings.data.absolute()
        data.parent.mkdir(parents=True, exist_ok=True)
        if data.exists():
            data.rmdir()
        draft.rename(data)
