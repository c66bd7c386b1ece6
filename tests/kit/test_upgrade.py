"""Upgrades: two versions side by side, a kill in the middle, and what an older consumer does with newer events."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ascolto.common.v1.envelope_pb2 import Envelope
from ascolto.intake.v1.events_pb2 import ContactReceived
from ascolto.tickets.v1.events_pb2 import Interaction
from services.kit import topics
from services.kit.bus import Record
from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from services.kit.db.migrate import folder_of, migrate_sqlite, revision_of
from services.kit.db.sql import Sql
from services.kit.deadletters import DeadLetters
from services.kit.errors import Unavailable
from services.kit.uow import Event, Packed, Uow
from tests.contracts.bus import Sink, consumption
from tests.kitlib import DatabaseFactory, drain, make_database, on_sqlite
from tests.tickets.world import World, contact, news
from tests.upgrades import POINTS, killed, newer, older

UNKNOWN = b"\xc0\xa9\x07\x2a"  # field 15000 of a later contract, with the value 42
_PUT = Sql("INSERT INTO things (id, body) VALUES (:id, :body)")


@on_sqlite
@pytest.mark.parametrize("at", POINTS)
def test_migrations_killed_in_their_middle_go_on_at_the_next_start(at: str, tmp_path: Path) -> None:
    path, migrations = tmp_path / "a.db", newer(tmp_path)
    migrate_sqlite(path, older(tmp_path))
    with closing(sqlite3.connect(path)) as file:
        file.execute("INSERT INTO things (id, body) VALUES ('t1', 'kept')")
        file.commit()
    code = f"from pathlib import Path; from services.kit.db.migrate import *; migrate_sqlite(Path({str(path)!r}), Path({str(migrations)!r}))"

    assert killed(code, at) == -9
    reached = revision_of(path)
    migrate_sqlite(path, migrations)

    assert reached == ("0001" if at == "inside the second" else "0002")
    assert revision_of(path) == "0003"
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT id, body, colour, size FROM things").fetchall() == [("t1", "kept", "red", 7)]


@on_sqlite
def test_the_program_before_goes_on_over_the_newer_schema_and_the_newer_waits_for_its_own(tmp_path: Path) -> None:
    before = make_database(tmp_path, "intake", migrations=older(tmp_path))
    after = make_database(tmp_path, "tickets", migrations=older(tmp_path))
    after._migrations = newer(tmp_path)
    with pytest.raises(Unavailable, match="run `ascolto migrate`"):
        after.check_schema()
    migrate_sqlite(before.path, newer(tmp_path))

    before.check_schema()
    before.migrate()
    before.write(lambda uow: uow.execute_many(_PUT, [("t1", "one"), ("t2", "two")]))

    assert revision_of(before.path) == "0003", "an older program takes nothing back"
    with before.read() as reader:
        assert reader.rows(Sql("SELECT id, size FROM things ORDER BY id")) == [("t1", 7), ("t2", 7)]
    before.close()
    after.close()


@on_sqlite
def test_tickets_work_over_a_schema_one_migration_newer(tmp_path: Path, clock: ManualClock) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(folder_of("tickets"), migrations)
    (migrations / "versions" / "9999_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f'revision, down_revision = "9999", "{max(path.name[:4] for path in (migrations / "versions").glob("0*.py"))}"\n'
        "def upgrade() -> None:\n"
        '    for table in ("tickets", "interactions", "customers", "identities", "outbox", "applied"):\n'
        '        op.add_column(table, sa.Column("later", sa.Text))\n'
        '        op.add_column(table, sa.Column("counted", sa.BigInteger, nullable=False, server_default="0"))\n'
    )
    make_database(tmp_path, "tickets", migrations=migrations).close()
    world = World(make_database(tmp_path, "tickets", clock=clock), clock)

    world.take(contact(clock))
    reply_id = Interaction.FromString(world.reply().interaction).id
    world.hear(news(reply_id, 4, 10))

    assert [one.kind for one in world.thread()] == ["message", "message"]
    world.database.close()


def test_what_an_older_consumer_does_not_know_is_kept_to_the_byte_and_applied_after_the_upgrade(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    intake, tickets = kit_database("intake"), kit_database("tickets")
    payload = ContactReceived(contact_id="con_1", text="Buongiorno").SerializeToString() + UNKNOWN

    def emit(uow: Uow) -> None:
        uow.emit(Event(topics.CONTACTS, "k1", "con_1", uow.next_revs()[0], Packed("ContactForetold", payload)))

    intake.write(emit)
    drain([Consumer(consumption(Sink(tickets)), tickets, log, clock=clock)])
    (sent,) = log.read(topics.CONTACTS, 0, 0, 10)
    (letter,) = DeadLetters(tickets, [], clock=clock).list()[0]
    assert letter.record == sent
    seen: list[Record] = []
    upgraded = consumption(Sink(tickets), kinds=frozenset({"ContactReceived", "ContactForetold"}))
    upgraded = type(upgraded)(upgraded.group, upgraded.topic, upgraded.kinds, lambda records, _: seen.extend(records))

    Consumer(upgraded, tickets, log, clock=clock).start()

    assert [record.data for record in seen] == [sent.data]
    assert seen[0].envelope.payload == payload


def test_fields_and_values_of_a_later_contract_survive_a_consumer_that_knows_neither(
    world: World, clock: ManualClock
) -> None:
    envelope = Envelope.FromString(Envelope(event_id="evt_1", mode=99).SerializeToString() + UNKNOWN)  # type: ignore[arg-type]  # a mode of a later contract
    assert envelope.mode == 99
    assert envelope.SerializeToString().endswith(UNKNOWN)

    world.take(contact(clock))
    reply_id = Interaction.FromString(world.reply().interaction).id
    kept = f"SELECT data FROM interactions WHERE id = '{reply_id}'"
    later = Interaction.FromString(world.rows(kept)[0][0] + UNKNOWN).SerializeToString()
    put = Sql("UPDATE interactions SET data = :data WHERE id = :id")
    world.database.write(lambda uow: uow.execute(put, {"data": later, "id": reply_id}))
    world.hear(news(reply_id, 4, 10))

    ((data,),) = world.rows(kept)
    assert Interaction.FromString(data).delivery == 4
    assert UNKNOWN in data


@pytest.fixture
def world(database_factory: DatabaseFactory, clock: ManualClock) -> World:
    return World(database_factory("tickets"), clock)
