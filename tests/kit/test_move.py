"""What a move rests on: settings in a file, hashes that no order changes, a folder that is closed behind it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from services.kit import move
from services.kit.application import Application
from services.kit.clock import ManualClock
from services.kit.config import Settings
from services.kit.db.carry import MOVED, SqliteTables, key_text, key_values, tally
from services.kit.errors import Conflict, Invalid, NotFound
from tests.kitlib import kit_migrations, make_database, on_sqlite

_FILE = """
# the new one
export ASCOLTO_DATABASE='postgresql://ascolto:secret@db:5432/ascolto_{service}'
ASCOLTO_BUS=kafka://k:9092
ASCOLTO_INDEX="elasticsearch://e:9200"
ASCOLTO_SMTP_OUT=
POSTGRES_PASSWORD=secret
"""


def test_the_new_settings_are_lines_of_a_file_and_name_servers_for_all_four(tmp_path: Path) -> None:
    file = tmp_path / "new.env"
    with pytest.raises(NotFound, match=r"new\.env"):
        move.target_settings(file)
    file.write_text(_FILE)
    with pytest.raises(Invalid, match="ASCOLTO_BLOBS=s3://"):
        move.target_settings(file)
    file.write_text(_FILE + "ASCOLTO_BLOBS=s3://key:secret@s:9000/bucket\n")

    settings = move.target_settings(file)

    assert settings.database_of("tickets") == "postgresql://ascolto:secret@db:5432/ascolto_tickets"
    assert settings.index == "elasticsearch://e:9200"


def test_a_tally_sees_every_value_and_no_order() -> None:
    rows = [("a", 1, b"\x00", None, 0.5), ("b", 2, b"", None, 0.5)]

    assert tally(rows) == tally(reversed(rows))
    assert tally(rows) != tally([rows[0], rows[0]])
    assert tally(rows) != tally([rows[0], ("b", 2, b"", "", 0.5)])
    assert tally([("a\x00b",)]) == tally([("a\ufffdb",)]), "as PostgreSQL keeps it"


def test_a_key_of_any_kind_comes_back_from_its_text() -> None:
    assert key_values(key_text(["a'\n", 7, b"\x00\xff"])) == ["a'\n", 7, b"\x00\xff"]


@on_sqlite
def test_a_table_is_read_on_from_a_key(tmp_path: Path, clock: ManualClock) -> None:
    make_database(tmp_path, "intake", clock=clock, migrations=kit_migrations(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "intake.db")) as file:
        file.executemany("INSERT INTO applied VALUES (?, ?, 1)", [("a", "2"), ("b", "1"), ("a", "1")])
        file.commit()

    with SqliteTables(tmp_path / "intake.db") as tables:
        shapes = {shape.name: shape for shape in tables.shapes()}
        found = list(tables.rows(shapes["applied"], ["a", "1"]))

    assert [row[:2] for row in found] == [("a", "2"), ("b", "1")]
    assert "positions" not in shapes
    assert "dead_letters" in shapes


@on_sqlite
def test_what_was_not_carried_or_changed_since_is_not_closed_and_what_is_closed_refuses(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", models=False)
    with Application(settings) as app:
        app.migrate()
        with pytest.raises(Conflict, match="not moved yet"):
            move.confirm(app)
        report = {"databases": {"tickets": {}}, "to": {}}
        (settings.data / move.REPORT).write_text(json.dumps(report))
        with pytest.raises(Conflict, match="has changed since"):
            move.confirm(app)
        (settings.data / move.REPORT).write_text(json.dumps({"databases": {}, "to": {}}))
        move.confirm(app)

    with pytest.raises(Conflict, match=MOVED):
        Application(settings)
    (settings.data / MOVED).unlink()
    Application(settings).stop()
