"""The index is the same whatever the order of arrival, with a rebuild between page read and write (spine, test 3)."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ascolto.common.v1.envelope_pb2 import Envelope
from ascolto.tickets.v1 import events_pb2 as pb
from services.kit import topics
from services.kit.db.sql import Sql
from services.kit.ids import new_id
from services.kit.inbox import note_erasure
from services.search.ports import Page
from tests.search.world import World

TICKETS = ("tkt_a", "tkt_b", "tkt_c")
REWIND = Sql("UPDATE positions SET next_offset = 0")
REASONS = Sql("SELECT reason_kind FROM dead_letters")
WORDS = ("pacco", "rotto", "reso", "grazie")


def act(world: World, name: str, dice: random.Random) -> list[tuple[str, Message]]:
    """One change at the owner; returns its events, full state after the change."""
    owner = world.owner
    ticket_id = dice.choice(TICKETS)
    interaction = owner.interactions[dice.choice(sorted(owner.interactions))] if owner.interactions else None
    ticket = owner.tickets.get(ticket_id)
    if name == "create" or interaction is None or ticket is None:
        return [(topics.TICKETS, world.message(ticket_id, dice.choice(WORDS)))]
    if name == "customer":
        id_ = dice.choice(("cus_1", "cus_2"))
        customer = pb.Customer(id=id_, name=dice.choice(WORDS), rev=owner.next_rev(), brand_ids=["brd_1"])
        owner.customers[id_] = customer
        return [(topics.CUSTOMERS, pb.CustomerChanged(customer=customer))]
    if name == "facts":
        ticket.state = dice.choice((pb.STATE_OPEN, pb.STATE_SOLVED, pb.STATE_SPAM))
        del ticket.tags[:]
        ticket.tags.append(dice.choice(WORDS))
        ticket.rev = owner.next_rev()
        return [(topics.TICKETS, pb.TicketChanged(ticket=ticket))]
    if name == "edit":
        interaction.text = f"{dice.choice(WORDS)} {dice.choice(WORDS)}"
    elif name == "delete":
        interaction.deleted, interaction.text = True, ""
    elif name == "move":
        interaction.ticket_id = ticket_id
    interaction.rev = owner.next_rev()
    now_on = owner.tickets[interaction.ticket_id]
    return [(topics.TICKETS, pb.InteractionChanged(interaction=interaction, ticket=now_on))]


def copy(events: list[tuple[str, Message]]) -> list[tuple[str, Message]]:
    return [(topic, type(message).FromString(message.SerializeToString())) for topic, message in events]


ACTS = st.lists(
    st.sampled_from(("create", "create", "edit", "facts", "move", "delete", "customer")), min_size=3, max_size=25
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS, seed=st.integers(0, 10_000), rebuild_at=st.integers(0, 20))
def test_any_order_twice_and_a_rebuild_in_between_end_in_the_owners_documents(
    make_world: Callable[[Path], World], acts: list[str], seed: int, rebuild_at: int
) -> None:
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder)).ready()
        told: list[tuple[str, Message]] = []
        waiting: list[tuple[str, Message]] = []

        def tell(events: list[tuple[str, Message]]) -> None:
            dice.shuffle(events)
            for topic, message in events:
                world.log.append(topic, message)
                if dice.random() < 0.3:
                    world.indexer.run_once()
            told.extend(events)
            world.indexer.run_once()

        def meanwhile() -> None:
            """Between a page's reading and its writing the owner changes, and search hears of it."""
            if dice.random() < 0.7:
                tell(copy(act(world, dice.choice(("create", "edit", "delete", "facts", "move")), dice)))

        for place, name in enumerate(acts):
            waiting += copy(act(world, name, dice))
            if place == rebuild_at:
                half = len(waiting) // 2
                tell(waiting[:half])
                del waiting[:half]
                world.owner.after_page = meanwhile
                world.generations.wanted.set()
                world.rebuilder.run_once()
                world.owner.after_page = None
        tell(waiting)
        tell(dice.sample(told, len(told) // 4))

        assert world.indexed() == world.owner.expected()
        world.stop()


def test_an_older_event_never_overwrites_a_newer_document(world: World) -> None:
    world.ready()
    first = world.message("tkt_a", "prima", id_="int_1")
    old = copy([(topics.TICKETS, first)])[0][1]
    interaction = world.owner.interactions["int_1"]
    interaction.text, interaction.rev = "seconda", world.owner.next_rev()
    world.log.append(
        topics.TICKETS, pb.InteractionChanged(interaction=interaction, ticket=world.owner.tickets["tkt_a"])
    )
    world.indexer.run_once()

    world.log.append(topics.TICKETS, old)
    world.indexer.run_once()

    assert world.find("prima").found.total == 0
    assert world.find("seconda").found.total == 1


def test_a_tombstone_wins_over_a_late_creation(world: World) -> None:
    world.ready()
    created = copy([(topics.TICKETS, world.message("tkt_a", "segreto", id_="int_1"))])[0][1]
    interaction = world.owner.interactions["int_1"]
    interaction.deleted, interaction.rev = True, world.owner.next_rev()
    world.log.append(
        topics.TICKETS, pb.InteractionChanged(interaction=interaction, ticket=world.owner.tickets["tkt_a"])
    )
    world.indexer.run_once()

    world.log.append(topics.TICKETS, created)
    world.indexer.run_once()

    assert world.find("segreto").found.total == 0


def test_a_page_read_before_a_change_and_written_after_it_does_not_undo_it(world: World) -> None:
    world.ready()
    world.say("tkt_a", "prima", id_="int_1")
    world.indexer.run_once()
    interaction, ticket = world.owner.interactions["int_1"], world.owner.tickets["tkt_a"]

    def change_once() -> None:
        world.owner.after_page = None
        interaction.text, interaction.rev = "seconda", world.owner.next_rev()
        ticket.state, ticket.rev = pb.STATE_SOLVED, world.owner.next_rev()
        world.log.append(topics.TICKETS, pb.InteractionChanged(interaction=interaction, ticket=ticket))
        world.indexer.run_once()

    read = world.owner.scan

    def scan(what: str, after_rev: int, limit: int) -> Page:
        world.owner.after_page = change_once if what == "interactions" and interaction.text == "prima" else None
        return read(what, after_rev, limit)

    world.owner.scan = scan  # type: ignore[method-assign]  # the same pages, with a change between reading and writing
    world.generations.wanted.set()
    world.rebuilder.run_once()

    assert interaction.text == "seconda"
    assert world.indexed() == world.owner.expected()


def test_what_was_erased_stays_erased_though_its_events_come_again(world: World) -> None:
    world.ready()
    until = world.clock.now()
    world.database.write(lambda uow: note_erasure(uow, b"somebody", int(until.timestamp() * 1_000_000)))

    for id_, subject, received in (
        ("int_old", b"somebody", until),
        ("int_other", b"another", until),
        ("int_new", b"somebody", until + timedelta(seconds=1)),
    ):
        event = world.message("tkt_a", "segreto", id_=id_)
        envelope = Envelope(
            event_id=new_id("evt"), kind="InteractionRecorded", payload=event.SerializeToString(), subject=subject
        )
        envelope.received_at.FromDatetime(received)
        world.log.append(topics.TICKETS, event, data=envelope.SerializeToString())
    world.indexer.run_once()

    found = {row.document.id for row in world.find("segreto").found.rows}
    assert found == {"int_other", "int_new"}


def test_a_batch_repeated_after_a_crash_changes_nothing(world: World) -> None:
    world.ready()
    world.say("tkt_a", "pacco rotto")
    world.indexer.run_once()
    before = world.indexed()
    world.database.write(lambda uow: uow.execute(REWIND))
    world.restart()

    world.indexer.run_once()

    assert world.indexed() == before


def test_a_poison_event_is_parked_and_the_rest_goes_on(world: World) -> None:
    world.ready()
    world.log.append(topics.TICKETS, pb.TicketChanged(), data=b"\xff\xff", kind="TicketChanged")
    world.log.append(topics.TICKETS, pb.TicketChanged(), kind="TicketDreamt")
    world.say("tkt_a", "pacco", id_=new_id("int"))

    world.indexer.run_once()

    with world.database.read() as reader:
        reasons = sorted(str(row[0]) for row in reader.rows(REASONS))
    assert reasons == ["internal", "newer_schema"]
    assert world.find("pacco").found.total == 1


class Cut(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("before", [0, 3])
def test_what_the_index_committed_and_nothing_remembers_is_there_once_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, before: int, *, restarted: bool
) -> None:
    world.ready()
    for number in range(before):
        world.say(f"tkt_{number}", "pacco rotto")
        world.indexer.run_once()
    for number in range(10, 14):
        world.say(f"tkt_{number}", "reso")

    def cut(*_: object) -> None:
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(world.indexer, "_store", cut)
        with pytest.raises(Cut):
            world.indexer.run_once()
    if restarted:
        world.restart()
    world.say("tkt_14", "reso")
    world.indexer.run_once()

    assert world.indexed() == world.owner.expected()


def test_a_row_that_changes_while_a_rebuild_reads_is_there_once(world: World) -> None:
    world.ready()
    world.owner.page_size = 1
    for number in range(6):
        world.message(f"tkt_{number}", "pacco", id_=f"int_{number}")
    first = world.owner.interactions["int_0"]

    def edit() -> None:
        """Its new rev puts it at the end of the scan; the event comes when all is done."""
        world.owner.after_page = None
        first.text, first.rev = "reso", world.owner.next_rev()
        ticket = world.owner.tickets["tkt_0"]
        ticket.rev = world.owner.next_rev()
        world.log.append(topics.TICKETS, pb.InteractionChanged(interaction=first, ticket=ticket))

    world.owner.after_page = edit
    world.generations.wanted.set()
    world.rebuilder.run_once()
    world.indexer.run_once()

    assert world.indexed() == world.owner.expected()
