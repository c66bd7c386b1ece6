"""The taking-in-charge answer: told once, in the customer's language, to people only, never a loop or a mail bomb."""

from __future__ import annotations

import pytest

from services.kit.clock import ManualClock
from services.tickets.domain.acknowledgement import UNVERIFIED_A_DAY
from tests.tickets.world import FORM, World, contact


def test_a_customer_is_told_once_in_their_language(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, acknowledge_by="email", verified=True, language="de", threading=3))
    world.take(contact(clock, acknowledge_by="email", verified=True, language="de", threading=3))

    (asked,) = world.events("ReplyRequested")
    assert asked.automatic
    assert "10001" in asked.text
    assert "Anfrage" in asked.text
    assert [one.kind for one in world.thread(world.ids()[0])] == ["message", "ack"]
    assert [one.kind for one in world.thread(world.ids()[1])] == ["message"]


def test_after_the_window_they_are_told_again(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, acknowledge_by="email", verified=True, threading=3))
    clock.advance(hours=25)
    world.take(contact(clock, acknowledge_by="email", verified=True, threading=3))

    assert len(world.events("ReplyRequested")) == 2


def test_two_in_one_batch_are_told_once(world: World, clock: ManualClock) -> None:
    world.take(*[contact(clock, acknowledge_by="email", threading=3) for _ in range(3)])

    assert len(world.events("ReplyRequested")) == 1
    assert world.rows("SELECT sent FROM ack_quota") == [(1,)]


@pytest.mark.parametrize("automatic", [2, 3, 4, 5, 6])
def test_what_no_person_wrote_is_never_answered(world: World, clock: ManualClock, automatic: int) -> None:
    world.take(contact(clock, acknowledge_by="email", automatic=automatic))

    assert len(world.ids()) == 1
    assert not world.events("ReplyRequested")


def test_our_own_address_is_never_answered(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, acknowledge_by="email", sender="Aiuto+x@bottega.example", threading=3))

    assert not world.events("ReplyRequested")


def test_an_autoresponder_that_does_not_say_so_is_answered_once_a_window(world: World, clock: ManualClock) -> None:
    for _ in range(30):
        world.take(contact(clock, sender="robot@elsewhere.example", acknowledge_by="email", threading=3, verified=True))
        clock.advance(seconds=20)

    assert len(world.events("ReplyRequested")) == 1


def test_unverified_addresses_share_a_daily_quota(world: World, clock: ManualClock) -> None:
    many = UNVERIFIED_A_DAY + 20

    for start in range(0, many, 110):
        world.take(
            *[
                contact(clock, sender=f"c{n}@customers.example", acknowledge_by="email", threading=3)
                for n in range(start, start + 110)
            ]
        )
    world.take(contact(clock, sender="known@customers.example", acknowledge_by="email", threading=3, verified=True))

    asked = world.events("ReplyRequested")
    assert len(asked) == UNVERIFIED_A_DAY + 1
    clock.advance(days=1)
    world.take(contact(clock, sender="new@customers.example", acknowledge_by="email", threading=3))
    assert len(world.events("ReplyRequested")) == UNVERIFIED_A_DAY + 2


def test_a_form_is_acknowledged_by_the_brands_mail_account(world: World, clock: ManualClock) -> None:
    form = {"account_id": "acc_form", "channel": "webform", "capabilities": FORM, "message_id": "", "threading": 3}
    world.take(contact(clock, acknowledge_by="email", **form))

    assert world.events("ReplyRequested")[0].account_id == "acc_mail"


def test_an_acknowledgement_does_not_keep_the_promise(world: World, clock: ManualClock) -> None:
    world.take(contact(clock, acknowledge_by="email", verified=True))

    assert world.whole().ticket.first_response_us == 0
    assert world.whole().ticket.waiting_us < 1 << 61
