"""Contacts become tickets: one each, threaded by proof, never doubled, never lost."""

from __future__ import annotations

import threading

import pytest

from ascolto.common.v1.envelope_pb2 import Identity
from ascolto.tickets.v1.events_pb2 import Interaction
from services.kit.clock import ManualClock
from services.kit.db.sql import Sql
from services.kit.errors import NotFound, Unavailable
from services.kit.uow import Uow
from services.tickets.domain.ticket import State
from tests.kitlib import DatabaseFactory
from tests.tickets.world import STRANGER, Brands, World, chat, contact


def test_a_contact_opens_a_ticket_with_a_number_a_customer_and_a_promise(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))

    whole = world.whole()

    assert whole.ticket.number == 10001
    assert whole.ticket.state is State.NEW
    assert whole.ticket.due_us == int(clock.now().timestamp() * 1e6) + 240 * 60_000_000
    assert whole.customer is not None
    assert [one.value for one in whole.customer.identities] == ["carla@customers.example"]
    assert [one.kind for one in world.thread()] == ["message"]


def test_the_same_contact_ten_times_in_and_across_batches_is_one_interaction(world: World, clock: ManualClock) -> None:
    one = contact(clock)

    world.take(one, one, one)
    for _ in range(7):
        world.take(one)

    assert len(world.rows("SELECT id FROM interactions")) == 1
    assert len(world.rows("SELECT id FROM tickets")) == 1
    assert len(world.events("InteractionRecorded")) == 1


def test_one_event_per_contact_and_topic_and_two_commits_a_batch_at_most(world: World, clock: ManualClock) -> None:
    before = world.database.commits

    world.take(*[contact(clock, sender=f"c{n}@customers.example", threading=3) for n in range(50)])

    assert world.database.commits - before <= 2
    counted = world.rows("SELECT topic, COUNT(*) FROM outbox GROUP BY topic ORDER BY topic")
    assert counted == [("ascolto.customers.v1", 50), ("ascolto.tickets.v1", 50)]
    recorded = world.events("InteractionRecorded")
    assert [one.ticket.number for one in recorded] == list(range(10001, 10051))
    assert all(one.opened and one.interaction.ticket_id == one.ticket.id for one in recorded)


def test_two_first_messages_of_one_new_customer_at_once_are_one_customer_and_one_ticket(
    world: World, clock: ManualClock
) -> None:
    barrier = threading.Barrier(2)

    def send(n: int, visitor: str) -> None:
        barrier.wait()
        world.take(chat(clock, visitor, text=f"messaggio {n}"))

    for attempt in range(25):
        threads = [threading.Thread(target=send, args=(n, f"v{attempt}")) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    assert len(world.ids()) == 25
    assert world.rows("SELECT COUNT(*) FROM customers") == [(25,)]
    assert world.rows("SELECT COUNT(*) FROM interactions") == [(50,)]
    assert world.rows("SELECT DISTINCT interactions FROM tickets") == [(2,)]


def test_an_album_of_ten_pictures_is_one_conversation_in_the_order_it_came(world: World, clock: ManualClock) -> None:
    world.take(*[chat(clock, text=f"foto {n}") for n in range(10)])

    assert len(world.ids()) == 1
    assert [one.text for one in world.thread()] == [f"foto {n}" for n in range(10)]
    assert [one.seq for one in world.thread()] == list(range(1, 11))


def test_a_solved_conversation_reopens_and_a_closed_one_is_followed_by_a_linked_ticket(
    world: World, clock: ManualClock
) -> None:
    world.take(chat(clock))
    first = world.ids()[0]
    world.database.write(lambda uow: _force(uow, first, 4))

    world.take(chat(clock, text="ancora rotto"))

    assert world.whole(first).ticket.state is State.OPEN
    world.database.write(lambda uow: _force(uow, first, 5))
    world.take(chat(clock, text="dopo la chiusura"))
    assert len(world.ids()) == 2
    assert world.whole().ticket.follows == first
    world.take(chat(clock, text="e ancora"))
    assert len(world.thread(world.ids()[1])) == 2


def _force(uow: Uow, ticket_id: str, state: int) -> None:
    uow.execute(Sql("UPDATE tickets SET state = :state WHERE id = :id"), {"state": state, "id": ticket_id})


def test_automatic_mail_is_kept_but_reopens_nothing_and_has_no_promise(world: World, clock: ManualClock) -> None:
    first = contact(clock)
    world.take(first)
    ticket_id = world.ids()[0]
    world.database.write(lambda uow: _force(uow, ticket_id, 4))

    world.take(contact(clock, automatic=2, ancestors=[first.message_id], text="Sono in ferie"))

    assert world.whole(ticket_id).ticket.state is State.SOLVED
    assert world.thread(ticket_id)[1].automatic


def test_a_signed_token_enters_its_ticket_whoever_writes_but_not_across_brands(
    world: World, clock: ManualClock
) -> None:
    world.take(contact(clock))
    first = world.ids()[0]

    world.take(contact(clock, sender="husband@customers.example", token_ticket_id=first))
    world.take(contact(clock, sender="x@customers.example", token_ticket_id=first, brand_id="brd_other"))

    assert len(world.thread(first)) == 2
    assert len(world.ids()) == 2


def test_a_forged_reference_to_a_customers_mail_opens_a_new_ticket_that_says_what_it_follows(
    world: World, clock: ManualClock
) -> None:
    first = contact(clock)
    world.take(first)

    world.take(contact(clock, sender="mallory@elsewhere.example", ancestors=[first.message_id]))
    world.take(contact(clock, ancestors=[first.message_id]))

    tickets = world.ids()
    assert len(tickets) == 2
    assert len(world.thread(tickets[0])) == 2
    assert world.whole(tickets[1]).ticket.follows == tickets[0]


def test_who_stands_in_copy_takes_part(world: World, clock: ManualClock) -> None:
    first = contact(clock, cc=[Identity(kind="email", value="figlio@customers.example")])
    world.take(first)

    world.take(contact(clock, sender="figlio@customers.example", ancestors=[first.message_id]))

    assert len(world.thread(world.ids()[0])) == 2


def test_a_number_in_the_subject_counts_only_from_a_participant(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))

    world.take(contact(clock, subject_number=10001, subject="Re: Pacco [#10001]"))
    world.take(contact(clock, sender="mallory@elsewhere.example", subject_number=10001))

    assert len(world.ids()) == 2
    assert len(world.thread(world.ids()[0])) == 2
    assert world.whole().ticket.follows == world.ids()[0]


@pytest.mark.parametrize("ancestor", ["", "<>", " "])
def test_an_empty_key_never_threads(world: World, clock: ManualClock, ancestor: str) -> None:
    world.take(contact(clock, message_id="", external_id="hash1"))
    world.take(contact(clock, message_id="", external_id="hash2", ancestors=[ancestor]))

    assert len(world.ids()) == 2


def test_the_same_message_id_with_another_body_is_kept_as_another_interaction(world: World, clock: ManualClock) -> None:
    first = contact(clock)
    other = contact(clock, external_id="hash-of-other", message_id=first.message_id, text="altro testo")

    world.take(first, other)

    assert world.rows("SELECT COUNT(*) FROM interactions") == [(2,)]


def test_a_reply_that_comes_before_its_parent_is_joined_by_it(world: World, clock: ManualClock) -> None:
    parent = contact(clock)
    child = contact(clock, ancestors=[parent.message_id], text="dimenticavo")

    world.take(child)
    world.take(parent)

    assert len(world.ids()) == 1
    assert len(world.thread()) == 2


def test_what_looks_like_spam_is_set_aside_and_never_lost(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, suspicious=True, acknowledge_by="email"))

    assert world.whole().ticket.state is State.SPAM
    assert len(world.thread()) == 1
    assert not world.events("ReplyRequested")


def test_a_claimed_phone_does_not_open_the_history_of_its_owner(world: World, clock: ManualClock) -> None:
    phone = Identity(kind="phone", value="+390612345678")
    world.take(contact(clock, who=phone, threading=3))

    world.take(contact(clock, sender="other@customers.example", identities=[phone], threading=3))

    assert world.rows("SELECT COUNT(*) FROM customers") == [(2,)]
    assert world.rows("SELECT COUNT(*) FROM identities") == [(2,)]


def test_another_brands_agent_finds_no_ticket(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))

    with pytest.raises(NotFound):
        world.whole(person=STRANGER)


def test_a_contact_waits_while_the_brands_are_not_known(database_factory: DatabaseFactory, clock: ManualClock) -> None:
    brands = Brands(away=True)
    world = World(database_factory("tickets"), clock, brands)
    one = contact(clock)
    with pytest.raises(Unavailable):
        world.take(one)
    brands.away = False

    world.take(one)

    assert len(world.ids()) == 1


def test_an_imported_contact_keeps_its_mode(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, acknowledge_by="email", verified=True), mode=2)

    assert not world.events("ReplyRequested")
    (data,) = world.rows("SELECT data FROM outbox WHERE kind = 'InteractionRecorded'")[0]
    from ascolto.common.v1.envelope_pb2 import Envelope

    assert Envelope.FromString(data).mode == 2
    assert Interaction.FromString(world.whole().interactions[0].data).text


def test_a_contact_too_large_for_an_event_is_still_taken(world: World, clock: ManualClock) -> None:
    crowd = [Identity(kind="email", value=f"c{n}@customers.example") for n in range(6000)]

    world.take(contact(clock, quoted_text="q" * 64_000, text="t" * 64_000, cc=crowd))

    assert world.thread()[0].text == "t" * 64_000
    assert len(world.events("InteractionRecorded")) == 1
