"""Migrations on PostgreSQL: the same numbered files, one process at a time, each file one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from services.kit.db.migrate import head_of, upgrade
from services.kit.errors import Unavailable

_LOCK = 0x41_53_43_4F  # "ASCO": of whoever migrates this database
_LOCK_S = 120  # another process's migrations are waited for so long
_TABLE_S = 10  # and a table that is in use


def migrate_postgres(info: str, folder: Path, *, to: str = "") -> None:
    """Brings a database to a revision, the newest if not told; makes it when it is not there.

    Does nothing, and does not load Alembic (0.3 s), when it is there already. A kill leaves whole migrations; the next
    start goes on. Raises `Unavailable` when the database is missing and this role may not make it.
    """
    try:
        connection = psycopg.connect(info, autocommit=True)
    except psycopg.OperationalError as error:
        if not _missing(error):
            raise
        _create(info)
        connection = psycopg.connect(info, autocommit=True)
    with connection:
        wanted = to or head_of(folder)
        if _revision(connection) >= wanted:  # a newer program was here: its schema serves this one too
            return
        connection.execute(f"SET lock_timeout = '{_LOCK_S}s'")
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # ends with the connection
        if _revision(connection) < wanted:
            _upgrade(info, folder, wanted)


def revision_of(info: str) -> str:
    """The revision a database is at; empty when it has none or is not there."""
    try:
        with psycopg.connect(info, autocommit=True) as connection:
            return _revision(connection)
    except psycopg.OperationalError as error:
        if _missing(error):
            return ""
        raise


def _missing(error: psycopg.OperationalError) -> bool:
    return error.sqlstate == "3D000" or "does not exist" in str(error)


def _revision(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if row is None or row[0] is None:
        return ""
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else ""


def _create(info: str) -> None:
    name = str(conninfo_to_dict(info).get("dbname", ""))
    make = f"createdb --template=template0 --encoding=UTF8 --locale=C {name}"
    try:
        with psycopg.connect(make_conninfo(info, dbname="postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'").format(sql.Identifier(name))
            )
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # another process was quicker
    except psycopg.Error as error:
        raise Unavailable(
            f"The database {name} does not exist and cannot be made: {str(error).splitlines()[0]}. Run: {make}"
        ) from error


def _upgrade(info: str, folder: Path, to: str) -> None:
    from sqlalchemy import Text, create_engine, event
    from sqlalchemy.ext.compiler import compiles
    from sqlalchemy.pool import NullPool

    @compiles(Text, "postgresql")
    def by_bytes(_type: Text, _compiler: object, **_more: object) -> str:
        return 'TEXT COLLATE "C"'  # texts sort as they do on SQLite, whatever the database's own order is

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(info), poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def patience(connection: Any, _record: object) -> None:
        connection.execute(f"SET lock_timeout = '{_TABLE_S}s'")
        connection.commit()

    with engine.connect() as connection:
        upgrade(connection, folder, to=to)
    engine.dispose()
