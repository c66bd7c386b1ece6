"""Upgrades on PostgreSQL: killed in the middle, and two versions side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from services.kit.db.postgres import PostgresDatabase
from services.kit.db.postgres_migrate import migrate_postgres, revision_of
from services.kit.db.sql import Sql
from services.kit.errors import Unavailable
from tests.upgrades import POINTS, killed, newer, older

_PUT = Sql("INSERT INTO things (id, body) VALUES (:id, :body)")


@pytest.mark.parametrize("at", POINTS)
def test_migrations_killed_in_their_middle_go_on_at_the_next_start(
    at: str, tmp_path: Path, fresh_postgres: Callable[[], str]
) -> None:
    url, migrations = fresh_postgres(), newer(tmp_path)
    migrate_postgres(url, older(tmp_path))
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO things (id, body) VALUES ('t1', 'kept')")
    code = (
        "from pathlib import Path; from services.kit.db.postgres_migrate import *;"
        f" migrate_postgres({url!r}, Path({str(migrations)!r}))"
    )

    assert killed(code, at) == -9
    reached = revision_of(url)
    migrate_postgres(url, migrations)

    assert reached == ("0001" if at == "inside the second" else "0002")
    assert revision_of(url) == "0003"
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT id, body, colour, size FROM things").fetchall() == [("t1", "kept", "red", 7)]


def test_the_program_before_goes_on_while_and_after_the_schema_grows(
    tmp_path: Path, fresh_postgres: Callable[[], str]
) -> None:
    url = fresh_postgres()
    before = PostgresDatabase(url, "intake", migrations=older(tmp_path))
    after = PostgresDatabase(url, "intake", migrations=newer(tmp_path))
    before.migrate()
    before.write(lambda uow: uow.execute_many(_PUT, [("t1", "one")]))
    with pytest.raises(Unavailable, match="run `ascolto migrate`"):
        after.check_schema()

    after.migrate()  # its connections have statements prepared for the tables as they were
    before.check_schema()
    before.migrate()
    before.write(lambda uow: uow.execute_many(_PUT, [("t2", "two"), ("t3", "three")]))

    assert revision_of(url) == "0003"
    with before.read() as reader:
        assert len(reader.rows(Sql("SELECT id, body FROM things"))) == 3
        assert [row[-1] for row in reader.rows(Sql("SELECT * FROM things"))] == [7, 7, 7]
    before.close()
    after.close()
