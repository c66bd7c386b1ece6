"""Two people at once: fields merge one by one, one is told; the next ticket goes to one; solved closes by itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ascolto.tickets.v1.events_pb2 import Ticket as TicketMessage
from services.kit.clock import ManualClock
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.leases import Leases
from services.kit.principal import Person
from services.tickets.domain.ticket import Change, State, Ticket
from services.tickets.usecases.change import change_ticket, take_next
from services.tickets.usecases.customers import change_customer
from services.tickets.workers import Closer
from tests.tickets.world import ANNA, BRUNO, STRANGER, World, contact


def change(world: World, person: Person = ANNA, *, seen: int = 0, strict: bool = False, **given: Any) -> Ticket:
    act, ticket_id, wanted = world.act(person), world.ids()[-1], Change(**given)
    directory = world.brands.directory()
    return world.database.write(
        lambda uow: change_ticket(
            uow, act, ticket_id=ticket_id, seen=seen, change=wanted, directory=directory, strict=strict
        )
    )


def test_one_assigns_and_one_tags_and_both_hold(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    seen = world.whole().ticket.version

    change(world, ANNA, seen=seen, assignee="usr_anna")
    change(world, BRUNO, seen=seen, tags=("Reso",))

    on = world.whole().ticket
    assert (on.assignee, on.tags) == ("usr_anna", ("reso",))
    assert [one.event_name for one in world.thread() if one.kind == "event"] == ["assigned", "tagged"]
    assert [one.ticket.assignee for one in world.events("TicketChanged")] == ["usr_anna", "usr_anna"]


def test_to_the_strict_any_change_and_any_letter_since_is_a_clash(world: World, clock: ManualClock) -> None:
    first = contact(clock)
    world.take(first)
    seen = world.whole().ticket.version
    change(world, ANNA, seen=seen, strict=True, assignee="usr_anna")
    with pytest.raises(Conflict):
        change(world, BRUNO, seen=seen, strict=True, tags=("reso",))
    seen = world.whole().ticket.version
    world.take(contact(clock, ancestors=[first.message_id]))

    for stale in (seen, 0, seen + 50):
        with pytest.raises(Conflict):
            change(world, BRUNO, seen=stale, strict=True, tags=("reso",))

    change(world, BRUNO, seen=world.whole().ticket.version, strict=True, tags=("reso",))
    assert world.whole().ticket.tags == ("reso",)


def test_a_person_closes_what_is_solved_and_it_keeps_when_it_was(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    change(world, state=State.SOLVED)
    solved = world.whole().ticket.solved_us
    clock.advance(hours=1)

    change(world, state=State.CLOSED)

    on = world.whole().ticket
    assert (on.state, on.solved_us) == (State.CLOSED, solved)
    with pytest.raises(Invalid):
        change(world, state=State.OPEN)


def test_both_take_it_and_the_second_is_told_who_has_it(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    seen = world.whole().ticket.version
    change(world, ANNA, seen=seen, assignee="usr_anna")

    with pytest.raises(Conflict) as caught:
        change(world, BRUNO, seen=seen, assignee="usr_bruno")

    assert TicketMessage.FromString(caught.value.detail).assignee == "usr_anna"
    assert world.whole().ticket.assignee == "usr_anna"


def test_many_at_once_on_one_version_leave_one_winner(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    seen = world.whole().ticket.version
    outcomes: list[str] = []
    barrier = threading.Barrier(6)

    def take(n: int) -> None:
        barrier.wait()
        try:
            change(world, seen=seen, assignee=f"usr_{n}")
            outcomes.append("won")
        except Conflict:
            outcomes.append("told")

    threads = [threading.Thread(target=take, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(outcomes) == ["told"] * 5 + ["won"]


def test_a_change_leaves_an_audit_line_and_a_foreign_one_finds_nothing(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    change(world, priority=4)

    assert world.rows("SELECT user_id, act FROM audit") == [("usr_anna", "ticket.changed")]
    with pytest.raises(NotFound):
        change(world, STRANGER, priority=1)


def test_next_is_the_most_urgent_that_nobody_has(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, sender="a@customers.example", threading=3))
    clock.advance(minutes=10)
    world.take(contact(clock, sender="b@customers.example", threading=3))
    first, second = world.ids()

    def take(person: Person) -> Ticket:
        act = world.act(person)
        return world.database.write(lambda uow: take_next(uow, act, brand_id="", teams=(), user_id=act.person.user_id))

    assert take(ANNA).id == first
    assert take(BRUNO).id == second
    with pytest.raises(NotFound):
        take(ANNA)


def test_what_stays_solved_for_its_days_closes_by_itself_and_once(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    change(world, state=State.SOLVED)
    closer = Closer(database=world.database, leases=Leases(world.database), clock=clock, holder="here")
    clock.advance(days=6)
    assert closer.close_due() == 0
    clock.advance(days=1, seconds=1)

    assert closer.close_due() == 1
    assert closer.close_due() == 0

    assert world.whole().ticket.state is State.CLOSED
    assert world.events("TicketChanged")[-1].ticket.state == 5


def test_what_was_reopened_meanwhile_is_not_closed(world: World, clock: ManualClock) -> None:
    first = contact(clock)
    world.take(first)
    change(world, state=State.SOLVED)
    clock.advance(days=8)
    world.take(contact(clock, ancestors=[first.message_id]))

    closed = Closer(database=world.database, leases=Leases(world.database), clock=clock, holder="here").close_due()

    assert closed == 0
    assert world.whole().ticket.state is State.OPEN


def test_spam_is_marked_and_unmarked(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    change(world, state=State.SPAM)
    with pytest.raises(Invalid):
        world.reply()
    change(world, state=State.OPEN)

    world.reply()


def test_a_stale_change_of_a_customer_is_told(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    customer = world.whole().customer
    assert customer is not None

    def edit(notes: str) -> None:
        act = world.act()
        world.database.write(
            lambda uow: change_customer(
                uow, act, customer_id=customer.id, version=customer.version, name=None, notes=notes, language=None
            )
        )

    edit("preferisce il telefono")
    with pytest.raises(Conflict):
        edit("altro")
    assert world.events("CustomerChanged")[-1].customer.notes == "preferisce il telefono"
