"""The spine once through: write and emit, consume into another database, exactly once."""

from __future__ import annotations

from ascolto.intake.v1.events_pb2 import ContactReceived
from services.kit import topics
from services.kit.app import Consumption
from services.kit.consume import Consumer
from services.kit.db.sql import Sql
from services.kit.uow import Event
from tests.kitlib import drain

COUNT = Sql("SELECT count(*) FROM applied")


def test_what_one_service_emits_another_applies_once(kit_database, log, clock):
    intake, tickets = kit_database("intake"), kit_database("tickets")
    seen = []
    consumption = Consumption(
        "tickets", topics.CONTACTS, frozenset({"ContactReceived"}), lambda records, uow: seen.extend(records)
    )
    consumer = Consumer(consumption, tickets, log, clock=clock)

    for number in range(20):
        intake.write(
            lambda uow, number=number: uow.emit(
                Event(topics.CONTACTS, f"k{number}", f"con_{number}", uow.next_revs()[0], ContactReceived())
            )
        )

    assert drain([consumer]) == 20
    assert drain([consumer]) == 0
    assert [record.envelope.aggregate_id for record in seen] == [f"con_{n}" for n in range(20)]
    assert [record.envelope.rev for record in seen] == list(range(1, 21))
    with tickets.read() as reader:
        assert reader.row(COUNT) == (20,)
