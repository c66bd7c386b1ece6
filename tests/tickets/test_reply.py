"""Answers: once per key, never past what the writer has not seen, in the customer's channel, to the right people."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from ascolto.common.v1.envelope_pb2 import Identity
from ascolto.tickets.v1.service_pb2 import UnseenInteractions
from services.kit.clock import ManualClock
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.principal import Person
from services.tickets.domain.ticket import NEVER, State
from services.tickets.usecases import read
from services.tickets.usecases.reply import add_note
from tests.tickets.world import ANNA, BRUNO, FORM, POST, STRANGER, World, chat, contact, news


def mail(value: str) -> Identity:
    return Identity(kind="email", value=value)


def test_an_answer_is_recorded_asked_for_and_keeps_the_promise(world: World, clock: ManualClock) -> None:
    first = contact(clock)
    world.take(first)

    done = world.reply(undo_s=8)

    on = world.whole().ticket
    assert (on.state, on.due_us, on.waiting_us) == (State.OPEN, NEVER, NEVER)
    assert on.first_response_us == int(clock.now().timestamp() * 1e6)
    (asked,) = world.events("ReplyRequested")
    assert asked.reply_id == world.thread()[-1].id
    assert [one.value for one in asked.to] == ["carla@customers.example"]
    assert asked.subject == "Re: Pacco danneggiato [#10001]"
    assert asked.in_reply_to == first.message_id
    assert list(asked.references) == [first.message_id]
    assert asked.not_before.seconds == int(clock.now().timestamp()) + 8
    assert asked.text == "Ci dispiace: ne parte subito un altro."  # the channel adds the brand's signature
    assert not done.duplicate


def test_the_same_key_again_gives_the_same_answer_and_sends_nothing(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))

    first = world.reply(key="k1")
    again = world.reply(key="k1", text="altro")

    assert again.duplicate
    assert again.interaction == first.interaction
    assert len(world.events("ReplyRequested")) == 1


def test_one_key_from_many_threads_is_sent_once(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    threads = [threading.Thread(target=lambda: world.reply(key="same")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(world.events("ReplyRequested")) == 1


def test_a_newer_message_holds_the_answer_until_its_writer_says_anyway(world: World, clock: ManualClock) -> None:
    first = contact(clock)
    world.take(first)
    seen = world.thread()[-1].id
    world.take(contact(clock, text="Anzi, annullate tutto", ancestors=[first.message_id]))

    with pytest.raises(Conflict) as caught:
        world.reply(last_seen=seen)

    unseen = UnseenInteractions.FromString(caught.value.detail)
    assert [one.text for one in unseen.interactions] == ["Anzi, annullate tutto"]
    assert not world.events("ReplyRequested")
    world.reply(last_seen=seen, anyway=True)
    assert len(world.events("ReplyRequested")) == 1


def test_a_colleagues_answer_in_between_holds_the_second(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    seen = world.thread()[-1].id
    world.reply(person=BRUNO, last_seen=seen)

    with pytest.raises(Conflict):
        world.reply(last_seen=seen)


def test_a_note_does_not_hold_an_answer_and_is_never_sent(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    seen = world.thread()[-1].id
    act = world.act(BRUNO)
    ticket_id = world.ids()[0]
    world.database.write(lambda uow: add_note(uow, act, ticket_id=ticket_id, text="segreto", key="n", files=()))

    world.reply(last_seen=seen)

    (asked,) = world.events("ReplyRequested")
    assert "segreto" not in asked.text
    assert [one.kind for one in world.thread()] == ["message", "note", "message"]
    assert world.thread()[1].direction == 3


def test_a_note_puts_the_ticket_on_the_list_of_whom_it_mentions_until_they_write(
    world: World, clock: ManualClock
) -> None:
    world.take(contact(clock))
    ticket_id = world.ids()[0]

    def note(person: Person, text: str, *mentioned: str) -> None:
        act = world.act(person)
        world.database.write(
            lambda uow: add_note(uow, act, ticket_id=ticket_id, text=text, key=text, files=(), mentioned=mentioned)
        )

    def listed(person: Person) -> int:
        with world.database.read() as reader:
            counts, _ = read.count_views(reader, person, user_id="", teams=(), brand_id="", now_us=0)
        return counts["named"]

    note(BRUNO, "@anna guarda", ANNA.user_id, ANNA.user_id)
    told = listed(ANNA), listed(BRUNO), list(world.thread()[-1].mentioned)
    note(BRUNO, "altro")
    still = listed(ANNA)
    note(ANNA, "visto")
    noted = listed(ANNA)
    note(BRUNO, "@anna di nuovo", ANNA.user_id)
    world.reply(person=ANNA)

    assert told == (1, 0, [ANNA.user_id])
    assert list(world.events("InteractionRecorded")[1].interaction.mentioned) == [ANNA.user_id]
    assert (still, noted, listed(ANNA)) == (1, 0, 0)


def test_an_answer_keeps_to_and_cc_less_our_own_addresses(world: World, clock: ManualClock) -> None:
    world.take(
        contact(
            clock,
            verified=True,
            to=[mail("AIUTO+tkt@bottega.example"), mail("padre@customers.example")],
            cc=[mail("aiuto@bottega.example"), mail("figlio@customers.example"), mail("carla@customers.example")],
        )
    )

    world.reply()

    (asked,) = world.events("ReplyRequested")
    assert [one.value for one in asked.to] == ["carla@customers.example", "padre@customers.example"]
    assert [one.value for one in asked.cc] == ["figlio@customers.example"]


def test_who_an_unproven_sender_put_in_copy_is_not_answered(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, sender_verdict="dmarc=fail", cc=[mail("mallory@elsewhere.example")]))

    world.reply()

    assert not world.events("ReplyRequested")[0].cc


def test_a_reply_address_given_later_by_an_unproven_sender_is_not_believed(world: World, clock: ManualClock) -> None:
    first = contact(clock)
    world.take(first, contact(clock, ancestors=[first.message_id], reply_to="mallory@elsewhere.example"))

    world.reply()

    assert [one.value for one in world.events("ReplyRequested")[0].to] == ["carla@customers.example"]


@pytest.mark.parametrize(
    "address", ["a@b.example\r\nBcc: x@y.example", "a@b.example,c@d.example", "nobody", "<a@b.example>"]
)
def test_a_recipient_that_would_add_a_header_is_refused(world: World, clock: ManualClock, address: str) -> None:
    world.take(contact(clock))

    with pytest.raises(Invalid):
        world.reply(to=(address,))


def test_a_form_is_answered_by_mail_from_the_brands_account(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, account_id="acc_form", channel="webform", threading=3, capabilities=FORM, message_id=""))

    world.reply()

    (asked,) = world.events("ReplyRequested")
    assert (asked.account_id, asked.channel) == ("acc_mail", "email")
    assert [one.value for one in asked.to] == ["carla@customers.example"]


def test_a_chat_is_answered_in_the_chat_without_letterhead(world: World, clock: ManualClock) -> None:
    world.take(chat(clock, "v9"))

    world.reply(text="Eccomi!")

    (asked,) = world.events("ReplyRequested")
    assert (asked.channel, asked.conversation, asked.text, asked.subject) == ("chat", "v9", "Eccomi!", "")


@pytest.mark.parametrize(
    "text", ["Scriva a carla@customers.example", "Chiami +39 06 1234 5678", "Il suo ordine n. 48213"]
)
def test_personal_data_in_public_waits_for_a_confirmation(world: World, clock: ManualClock, text: str) -> None:
    post = {"account_id": "acc_x", "channel": "x", "threading": 2, "conversation": "p1", "capabilities": POST}
    world.take(contact(clock, who=Identity(kind="handle", value="carla"), message_id="", **post))

    with pytest.raises(Invalid) as caught:
        world.reply(text=text)

    assert caught.value.field == "public_confirmed"
    world.reply(text=text, public_confirmed=True)


def test_a_public_answer_is_measured_as_its_platform_measures(world: World, clock: ManualClock) -> None:
    post = {"account_id": "acc_x", "channel": "x", "threading": 2, "conversation": "p1", "capabilities": POST}
    world.take(contact(clock, who=Identity(kind="handle", value="carla"), message_id="", **post))

    with pytest.raises(Invalid, match="cut 1"):
        world.reply(text="😀" * 140 + "a")
    world.reply(text="a" * 256 + " https://shop.example/" + "x" * 300)


def test_an_answer_taken_back_restores_promise_waiting_and_state(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    before = world.whole().ticket
    clock.advance(minutes=5)
    world.reply(then=State.SOLVED, undo_s=8)
    assert world.whole().ticket.state is State.SOLVED

    world.hear(news(world.thread()[-1].id, 10, 1))

    after = world.whole().ticket
    assert (after.state, after.due_us, after.waiting_us) == (State.NEW, before.due_us, before.waiting_us)
    assert after.first_response_us == 0


def test_a_delivery_is_monotone_by_revision(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    world.reply()
    reply_id = world.thread()[-1].id

    world.hear(news(reply_id, 4, 5, external_id="<ours@bottega.example>"))
    world.hear(news(reply_id, 2, 3))
    world.hear(news("int_of_nobody", 4, 9))

    assert world.thread()[-1].delivery == 4
    world.take(contact(clock, sender="altra@customers.example", ancestors=["<ours@bottega.example>"]))
    assert len(world.ids()) == 1


def test_trouble_shows_on_the_ticket_until_it_is_over(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))
    world.reply()
    reply_id = world.thread()[-1].id

    world.hear(news(reply_id, 9, 2, error="We do not know if this arrived."))
    assert world.whole().ticket.delivery_trouble
    world.hear(news(reply_id, 4, 3))

    assert not world.whole().ticket.delivery_trouble


def test_an_answer_to_another_brands_ticket_finds_none(world: World, clock: ManualClock) -> None:
    world.take(contact(clock))

    with pytest.raises(NotFound):
        world.reply(person=STRANGER)


@pytest.mark.parametrize(
    ("made", "given", "field"),
    [
        (chat, {"files": (b"",), "file_sizes": (1,)}, "attachments"),
        (contact, {"files": (b"",) * 4, "file_sizes": (1,) * 4}, "attachments"),
        (contact, {"files": (b"",) * 2, "file_sizes": (501, 500)}, "attachments"),
        (chat, {"html": b"x"}, "html"),
        (contact, {"html": b"x", "text": " "}, "text"),
    ],
)
def test_what_the_channel_does_not_carry_is_refused_by_name(
    world: World, clock: ManualClock, made: Callable[[ManualClock], Message], given: dict[str, Any], field: str
) -> None:
    world.take(made(clock))

    with pytest.raises(Invalid) as caught:
        world.reply(**given)

    assert caught.value.field == field
    assert not world.events("ReplyRequested")
