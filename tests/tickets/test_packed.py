"""What the hot path puts together from bytes is what the contract's messages would have made."""

from __future__ import annotations

import pytest

from ascolto.tickets.v1.events_pb2 import Customer, CustomerChanged, Interaction, InteractionRecorded, Ticket
from services.kit.clock import ManualClock
from services.tickets.wire import packed
from tests.tickets.world import World, amended, chat, contact


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_383, 16_384, 200_000])
def test_a_packed_event_is_the_event_built_of_messages(length: int) -> None:
    interaction, ticket = Interaction(id="int_1", text="x" * length), Ticket(id="tkt_1", subject="y" * length)
    customer = Customer(id="cus_1", notes="z" * length)

    for opened in (True, False):
        made = packed.interaction_recorded(interaction.SerializeToString(), ticket.SerializeToString(), opened=opened)
        whole = InteractionRecorded(interaction=interaction, ticket=ticket, opened=opened)
        assert made == (whole.DESCRIPTOR.name, whole.SerializeToString())

    changed = CustomerChanged(customer=customer)
    assert packed.customer_changed(customer.SerializeToString()) == (
        changed.DESCRIPTOR.name,
        changed.SerializeToString(),
    )
    assert packed.customer_changed(b"") == ("CustomerChanged", CustomerChanged(customer=Customer()).SerializeToString())


def test_row_and_event_of_a_contact_hold_the_same_interaction(world: World, clock: ManualClock) -> None:
    one = chat(clock, external_id="m1")
    world.take(amended(one, "edited", "corrected", 5))

    world.take(one, contact(clock, text="a" * 150_000, quoted_text="b" * 150_000))

    stored = sorted((Interaction.FromString(row[0]) for row in world.rows("SELECT data FROM interactions")), key=_id)
    told = sorted((event.interaction for event in world.events("InteractionRecorded")), key=_id)
    assert stored == told
    assert {one.text[:9] for one in stored} == {"corrected", "aaaaaaaaa"}
    assert all(one.ByteSize() < 210_000 for one in stored)


def _id(one: Interaction) -> str:
    return one.id
