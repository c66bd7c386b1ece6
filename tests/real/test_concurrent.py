"""Use cases against each other on PostgreSQL: one customer, one ticket, nothing doubled, whoever comes first.

Each round lets several threads begin at the same moment; SQLite's one writer could not show what is seen here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ascolto.common.v1.envelope_pb2 import Identity
from services.intake.domain.delivery import Delivery
from services.intake.domain.delivery import State as Sending
from services.intake.usecases import deliver
from services.kit.clock import ManualClock
from services.kit.db.sql import Sql
from services.kit.errors import AscoltoError
from services.tickets.domain.ticket import Change, State
from services.tickets.usecases.change import change_ticket
from services.tickets.usecases.customers import change_customer
from tests.real.postgres import Postgres, Server, make_database, postgres
from tests.tickets.world import World, chat, contact

__all__ = ["postgres"]

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
ROUNDS = 100
_CLOSE = Sql("UPDATE tickets SET state = 5")


@pytest.fixture
def worlds(postgres: Server, tmp_path: Path, clock: ManualClock) -> Iterator[list[World]]:
    """Two processes' worth of connections to one database."""
    opened = [make_database(tmp_path, "tickets", clock=clock) for _ in range(2)]
    yield [World(database, clock) for database in opened]
    for database in opened:
        database.close()


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Runs all at the same moment; what each returned, or the error it was answered with."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return act()
        except AscoltoError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def one(world: World, text: str) -> Any:
    return world.rows(text)[0][0]


def test_first_messages_of_one_customer_by_two_channels_make_one_customer(
    worlds: list[World], clock: ManualClock
) -> None:
    first, second = worlds
    for number in range(ROUNDS):
        sender = f"nora{number}@customers.example"
        mail = contact(clock, sender=sender)
        form = contact(clock, sender=sender, account_id="acc_form", channel="webform", threading=3)

        outcomes = at_once(lambda m=mail: first.take(m), lambda f=form: second.take(f))

        assert outcomes == [None, None]
    assert one(first, "SELECT count(*) FROM customers") == ROUNDS
    assert one(first, "SELECT count(*) FROM tickets") == 2 * ROUNDS
    assert one(first, "SELECT count(DISTINCT customer_id) FROM tickets") == ROUNDS


def test_messages_of_one_new_conversation_make_one_ticket(worlds: list[World], clock: ManualClock) -> None:
    first, second = worlds
    for number in range(ROUNDS):
        who = Identity(kind="email", value=f"v{number}@customers.example")
        first.take(contact(clock, who=who))  # known already, or the customer's own key would keep the two apart
        said = [chat(clock, f"v{number}", who=who) for _ in range(2)]

        outcomes = at_once(lambda s=said: first.take(s[0]), lambda s=said: second.take(s[1]))

        assert outcomes == [None, None]
    assert one(first, "SELECT count(*) FROM tickets WHERE channel = 'chat'") == ROUNDS
    assert one(first, "SELECT min(interactions) FROM tickets WHERE channel = 'chat'") == 2
    assert one(first, "SELECT count(DISTINCT number) FROM tickets") == 2 * ROUNDS


def test_a_closed_conversation_goes_on_in_one_ticket(worlds: list[World], clock: ManualClock) -> None:
    first, second = worlds
    for number in range(ROUNDS):
        first.take(chat(clock, f"v{number}"))
        first.database.write(lambda uow: uow.execute(_CLOSE))
        said = [chat(clock, f"v{number}") for _ in range(2)]

        at_once(lambda s=said: first.take(s[0]), lambda s=said: second.take(s[1]))

    assert one(first, "SELECT count(*) FROM tickets") == 2 * ROUNDS


def test_a_note_on_a_customer_survives_their_next_message(worlds: list[World], clock: ManualClock) -> None:
    first, second = worlds
    for number in range(ROUNDS):
        sender = f"n{number}@customers.example"
        first.take(contact(clock, sender=sender))
        customer_id = first.whole().ticket.customer_id
        more, act = contact(clock, sender=sender), second.act()

        def note(customer_id: str = customer_id, act: Any = act) -> Any:
            known: Any = {"customer_id": customer_id, "version": 0, "name": None, "language": None}
            return second.database.write(lambda uow: change_customer(uow, act, notes="Likes tea.", **known))

        at_once(lambda m=more: first.take(m), note)

    assert one(first, "SELECT count(*) FROM customers WHERE notes = 'Likes tea.'") == ROUNDS


def test_one_contact_delivered_twice_is_one_interaction(worlds: list[World], clock: ManualClock) -> None:
    first, second = worlds
    for number in range(ROUNDS):
        mail = contact(clock, sender=f"p{number}@customers.example")

        outcomes = at_once(lambda m=mail: first.take(m), lambda m=mail: second.take(m))

        assert outcomes == [None, None]
    assert one(first, "SELECT count(*) FROM interactions WHERE direction = 1") == ROUNDS
    assert one(first, "SELECT count(*) FROM outbox WHERE kind = 'InteractionRecorded'") == one(
        first, "SELECT count(*) FROM interactions"
    )


def test_a_message_and_the_solving_of_its_ticket_lose_neither(worlds: list[World], clock: ManualClock) -> None:
    first, second = worlds
    for number in range(ROUNDS):
        first.take(chat(clock, f"c{number}"))
        ticket_id = first.ids()[-1]
        more, act = chat(clock, f"c{number}"), second.act()

        def solve(ticket_id: str = ticket_id, act: Any = act) -> Any:
            change, directory = Change(state=State.SOLVED), second.brands.directory()
            return second.database.write(
                lambda uow: change_ticket(uow, act, ticket_id=ticket_id, seen=1, change=change, directory=directory)
            )

        at_once(lambda m=more: first.take(m), solve)

    assert one(first, "SELECT count(*) FROM tickets") == ROUNDS
    assert one(first, "SELECT count(*) FROM interactions WHERE kind = 'message'") == 2 * ROUNDS
    stranded = "SELECT count(*) FROM interactions i JOIN tickets t ON t.id = i.ticket_id WHERE i.seq > t.interactions"
    assert one(first, stranded) == 0


def test_one_reply_sent_twice_is_recorded_once(worlds: list[World], clock: ManualClock) -> None:
    first, second = worlds
    for number in range(ROUNDS):
        first.take(contact(clock, sender=f"r{number}@customers.example"))
        ticket_id = first.ids()[-1]

        answers = at_once(
            lambda t=ticket_id: first.reply(ticket_id=t, key="k"),
            lambda t=ticket_id: second.reply(ticket_id=t, key="k"),
        )

        assert sorted(answer.duplicate for answer in answers) == [False, True]
    assert one(first, "SELECT count(*) FROM outbox WHERE kind = 'ReplyRequested'") == ROUNDS + one(
        first, "SELECT count(*) FROM interactions WHERE kind = 'ack'"
    )


def test_revisions_of_a_ticket_grow_in_the_order_of_its_events(worlds: list[World], clock: ManualClock) -> None:
    first, second = worlds
    first.take(chat(clock, "v"))

    for _ in range(ROUNDS // 4):
        at_once(*(lambda w=world: w.take(chat(clock, "v")) for world in (first, second, first, second)))

    told = [event.ticket.rev for event in first.events("InteractionRecorded")]
    assert told == sorted(told)
    assert one(first, "SELECT interactions FROM tickets") == 1 + ROUNDS // 4 * 4
    assert one(first, "SELECT rev FROM tickets") == max(told)


def test_two_senders_of_one_lane_take_one_after_the_other(postgres: Server, tmp_path: Path, clock: ManualClock) -> None:
    now_us = int(clock.now().timestamp() * 1_000_000)
    databases = [make_database(tmp_path, "intake", clock=clock) for _ in range(2)]
    order: list[str] = []
    try:
        wanted = [_delivery(f"{lane}_{place}", lane=str(lane)) for lane in range(ROUNDS // 4) for place in range(4)]
        databases[0].write(lambda uow: deliver.request_deliveries(uow, wanted, now_us=now_us))

        while len(order) < ROUNDS:
            claimed = [
                one for one in at_once(*(partial(_claim, each, now_us) for each in databases)) if one is not None
            ]
            assert len({one.lane for one in claimed}) == len(claimed)
            for one in claimed:
                begun = databases[0].write(partial(deliver.begin, claimed=one, now_us=now_us))
                done = deliver.Outcome(state=Sending.SENT)
                databases[0].write(partial(deliver.end, begun=begun, outcome=done, now_us=now_us))
                order.append(one.reply_id)
    finally:
        for database in databases:
            database.close()

    assert len(set(order)) == ROUNDS
    for lane in range(ROUNDS // 4):
        assert [reply for reply in order if reply.startswith(f"{lane}_")] == [f"{lane}_{place}" for place in range(4)]


def _claim(database: Postgres, now_us: int) -> Delivery | None:
    return database.write(partial(deliver.claim, epoch=1, now_us=now_us))


def _delivery(reply_id: str, *, lane: str) -> Delivery:
    return Delivery(
        id=f"dlv_{reply_id}", reply_id=reply_id, ticket_id="tkt_1", brand_id="brd_shop", account_id="acc_mail",
        channel="email", conversation=lane, lane=lane,
    )  # fmt: skip
