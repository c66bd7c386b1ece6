"""Groups of random fate: whoever was told success has a row and an event, whoever was told failure has neither."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from ascolto.common.v1.envelope_pb2 import Envelope
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import NotFound
from services.kit.uow import Lane, Uow
from tests.contracts.database import ADD, OUTBOX, event
from tests.kitlib import DatabaseFactory

ORPHAN = Sql("INSERT INTO things (id, body, parent) VALUES (:id, '', 'nobody')")
IDS = Sql("SELECT id FROM things")
FATES = ("fine", "fine", "fine", "fine", "fine", "refuses", "refuses_late", "interrupted", "full", "orphan", "twice")


def job(database: SqliteDatabase, name: str, fate: str) -> Callable[[Uow], None]:
    """A function that adds the row `name` and emits its event, unless its fate is another."""

    def run(uow: Uow) -> None:
        if fate == "refuses":
            raise NotFound("nothing was done yet")
        uow.emit(event(name, uow.next_revs()[0]))
        if fate == "interrupted":
            interrupt(database, uow, name)
        body = "x" * 2_000_000 if fate == "full" else ""
        uow.execute(
            ORPHAN if fate == "orphan" else ADD, {"id": name} if fate == "orphan" else {"id": name, "body": body}
        )
        if fate == "refuses_late":
            raise NotFound("after the row")
        if fate == "twice":
            uow.execute(ADD, {"id": name, "body": ""})

    return run


def interrupt(database: SqliteDatabase, uow: Uow, name: str) -> None:
    database._connection.set_progress_handler(lambda: True, 1)
    try:
        uow.execute(ADD, {"id": name, "body": ""})
    finally:
        database._connection.set_progress_handler(None, 0)


@pytest.mark.parametrize("seed", range(8))
def test_futures_and_rows_agree_whatever_fails(seed: int, kit_database: DatabaseFactory) -> None:
    rng = random.Random(seed)
    database = kit_database("intake", max_pages=400)
    outcomes: dict[str, Any] = {}

    for round_ in range(12):
        plan = {f"{round_:02}-{number:02}": rng.choice(FATES) for number in range(rng.randint(1, 12))}
        lanes = {name: rng.choice(list(Lane)) for name in plan}
        with database.held():
            futures = {
                name: database.submit(job(database, name, fate), lane=lanes[name]) for name, fate in plan.items()
            }

        outcomes |= {name: (plan[name], future.exception(10)) for name, future in futures.items()}

    with database.read() as reader:
        rows = {str(row[0]) for row in reader.rows(IDS)}
        events = [Envelope.FromString(row[0]) for row in reader.rows(OUTBOX) if isinstance(row[0], bytes)]
    told = {name for name, (_, error) in outcomes.items() if error is None}
    assert rows == told
    assert sorted(envelope.aggregate_id for envelope in events) == sorted(told)
    assert [envelope.rev for envelope in events] == sorted({envelope.rev for envelope in events})
    assert all(fate == "fine" for fate, error in outcomes.values() if error is None)
    assert told
