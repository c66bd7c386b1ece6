"""Answers leave once, in order, or say plainly that nobody knows."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from services.intake import app as intake_app
from services.intake.domain.delivery import State
from services.intake.ports import Elsewhere, Identity, NotSent, Outbound, Receipt, Uncertain
from services.intake.usecases import deliver
from services.kit import topics
from services.kit.errors import Conflict
from tests.intake.world import World, fake, reply
from tests.kitlib import wait_until


def good(outbound: Outbound) -> Receipt:
    return Receipt(f"<{outbound.delivery_id}@lumaca.example>")


def test_a_reply_is_sent_once_and_tells_so(world: World) -> None:
    channel = fake(world, "api", good)
    world.ask(reply(world))
    world.ask(reply(world))

    world.send_all()

    assert len(channel.sent) == 1
    assert world.delivery("int_1").state is State.SENT
    assert [record.kind for record in world.events(topics.DELIVERIES)] == ["DeliveryChanged"] * 2


def test_undo_while_it_waits_and_before_it_came(world: World) -> None:
    channel = fake(world, "api", good)
    later = reply(world)
    later.not_before.FromDatetime(world.clock.now())
    world.clock.advance(seconds=-10)
    world.ask(later)
    now_us = int(world.clock.now().timestamp() * 1e6)

    waited = world.parts.database.write(lambda uow: deliver.cancel(uow, reply_id="int_1", now_us=now_us))
    early = world.parts.database.write(lambda uow: deliver.cancel(uow, reply_id="int_2", now_us=now_us))
    world.ask(reply(world, "int_2"))
    world.clock.advance(seconds=60)
    world.send_all()

    assert waited == early == (True, State.CANCELLED)
    assert channel.sent == []
    assert world.delivery("int_2").state is State.CANCELLED


def test_what_was_asked_for_while_the_clock_was_ahead_leaves_once_it_is_set_right(world: World) -> None:
    channel = fake(world, "api", good)
    world.clock.set(days=1)
    late = reply(world)
    late.not_before.FromDatetime(world.clock.now() + timedelta(seconds=10))
    world.ask(late)
    world.send_all()
    assert channel.sent == []

    world.clock.set(days=-1)
    ahead = reply(world, "int_2")  # asked by a service whose clock is still ahead
    ahead.not_before.FromDatetime(world.clock.now() + timedelta(hours=1))
    world.ask(ahead)
    world.send_all()
    world.clock.advance(seconds=31)
    world.send_all()

    assert [world.delivery(one).state for one in ("int_1", "int_2")] == [State.SENT, State.SENT]


def test_cut_before_it_was_accepted_is_tried_again_and_the_second_reply_waits(world: World) -> None:
    calls = iter([NotSent("The connection broke before the final dot.", retry=True), None, None])

    def flaky(outbound: Outbound) -> Receipt:
        if (fault := next(calls)) is not None:
            raise fault
        return good(outbound)

    channel = fake(world, "api", flaky)
    world.ask(reply(world))
    world.ask(reply(world, "int_2"))

    world.send_all()
    held = world.delivery("int_1"), world.delivery("int_2")
    world.clock.advance(seconds=30)
    world.send_all()

    assert [one.state for one in held] == [State.QUEUED, State.QUEUED]
    assert [one.reply_id for one in channel.sent] == ["int_1", "int_1", "int_2"]
    assert world.delivery("int_2").state is State.SENT


@pytest.mark.parametrize("fault", [Uncertain("cut after the final dot"), RuntimeError("a defect")])
def test_cut_after_it_left_is_unknown_and_never_sent_again_by_itself(world: World, fault: Exception) -> None:
    def cut(_outbound: Outbound) -> Receipt:
        raise fault

    channel = fake(world, "api", cut)
    world.ask(reply(world))
    world.ask(reply(world, "int_2"))

    world.send_all()
    world.clock.advance(days=3)
    world.send_all()

    assert len(channel.sent) == 1
    assert world.delivery("int_1").state is State.UNKNOWN
    assert world.delivery("int_2").state is State.QUEUED


@pytest.mark.parametrize(
    ("decision", "state", "sent"),
    [("retry", State.SENT, 3), ("mark_sent", State.SENT, 2), ("give_up", State.FAILED, 2)],
)
def test_a_person_resolves_unknown_and_the_lane_moves_on(world: World, decision: str, state: State, sent: int) -> None:
    first = [True]

    def cut_once(outbound: Outbound) -> Receipt:
        if first.pop() if first else False:
            raise Uncertain("lost")
        return good(outbound)

    channel = fake(world, "api", cut_once)
    world.ask(reply(world))
    world.ask(reply(world, "int_2"))
    world.send_all()
    now_us = int(world.clock.now().timestamp() * 1e6)

    world.parts.database.write(
        lambda uow: deliver.resolve(
            uow, delivery_id="", reply_id="int_1", decision=decision, brand_ids=frozenset(), now_us=now_us
        )
    )
    world.send_all()

    assert world.delivery("int_1").state is state
    assert world.delivery("int_2").state is State.SENT
    assert len(channel.sent) == sent


def test_a_letter_of_unknown_fate_holds_up_its_own_ticket_alone(world: World) -> None:
    def lost(outbound: Outbound) -> Receipt:
        if outbound.reply_id == "int_1":
            raise Uncertain("The connection broke after the final dot.")
        return good(outbound)

    fake(world, "email", lost)
    for reply_id, ticket_id in (("int_1", "tkt_1"), ("int_2", "tkt_1"), ("int_3", "tkt_2")):
        world.ask(reply(world, reply_id, "email", conversation="mara@posta.example", ticket_id=ticket_id))

    world.send_all()

    states = [world.delivery(f"int_{number}").state for number in (1, 2, 3)]
    assert states == [State.UNKNOWN, State.QUEUED, State.SENT]


def test_a_sent_reply_asks_for_no_decision(world: World) -> None:
    fake(world, "api", good)
    world.ask(reply(world))
    world.send_all()

    with pytest.raises(Conflict):
        world.parts.database.write(
            lambda uow: deliver.resolve(
                uow, delivery_id="", reply_id="int_1", decision="retry", brand_ids=frozenset(), now_us=1
            )
        )


def test_two_senders_at_once_send_each_reply_once_and_each_lane_in_order(world: World) -> None:
    lock, order = threading.Lock(), []

    def note(outbound: Outbound) -> Receipt:
        with lock:
            order.append((outbound.conversation, outbound.reply_id))
        return good(outbound)

    fake(world, "api", note)
    for lane in range(5):
        for number in range(4):
            world.ask(reply(world, f"int_{lane}_{number}", conversation=f"order-{lane}"))
    stop = threading.Event()
    threads = [threading.Thread(target=sender.run, args=(stop,)) for sender in world.senders]

    for thread in threads:
        thread.start()
    wait_until(lambda: len(order) == 20 and world.delivery("int_4_3").state is State.SENT)
    stop.set()
    for thread in threads:
        thread.join(timeout=5)

    assert len(set(order)) == 20
    for lane in range(5):
        mine = [reply_id for conversation, reply_id in order if conversation == f"order-{lane}"]
        assert mine == [f"int_{lane}_{number}" for number in range(4)]


def take(world: World) -> deliver.Delivery:
    epoch, now_us = world.senders[0]._lease.epoch(), int(world.clock.now().timestamp() * 1e6)
    claimed = world.parts.database.write(lambda uow: deliver.claim(uow, epoch=epoch, now_us=now_us))
    assert claimed is not None
    return claimed


def test_killed_after_the_claim_is_sent_by_the_next_process(world: World) -> None:
    channel = fake(world, "api", good)
    world.ask(reply(world))
    take(world)

    world.senders[0]._lease._lease = None  # the next process takes the lease anew: another epoch
    world.send_all()

    assert len(channel.sent) == 1
    assert world.delivery("int_1").state is State.SENT


def test_a_sender_that_wakes_up_after_another_took_over_sends_nothing(world: World) -> None:
    channel = fake(world, "api", good)
    world.ask(reply(world))
    claimed = take(world)
    world.senders[0]._lease._lease = None
    world.send_all()

    world.senders[1]._send(claimed)

    assert len(channel.sent) == 1
    assert world.delivery("int_1").state is State.SENT


def test_killed_on_the_wire_is_unknown_to_the_next_process(world: World) -> None:
    channel = fake(world, "api", good)
    world.ask(reply(world))
    claimed = take(world)
    world.parts.database.write(lambda uow: deliver.begin(uow, claimed, now_us=1))

    world.senders[0]._lease._lease = None
    world.send_all()

    assert channel.sent == []
    assert world.delivery("int_1").state is State.UNKNOWN


@pytest.mark.parametrize("step_s", [10, deliver.CLAIM_S + 1], ids=["lease kept", "lease lost"])
def test_a_send_that_hangs_past_its_claim_is_unknown_and_its_late_receipt_settles_it(
    world: World, step_s: float
) -> None:
    fake(world, "api", good)
    world.ask(reply(world))
    claimed = take(world)
    begun = world.parts.database.write(lambda uow: deliver.begin(uow, claimed, now_us=1))
    for _ in range(int(deliver.CLAIM_S // step_s) + 1):
        world.clock.advance(seconds=step_s)
        world.send_all()
    hung = world.delivery("int_1").state

    world.parts.database.write(lambda uow: deliver.end(uow, begun, deliver.sent(Receipt("<late@x>")), now_us=2))

    assert hung is State.UNKNOWN
    assert world.delivery("int_1").state is State.SENT


def test_after_48_hours_of_trying_it_fails(world: World) -> None:
    def away(_outbound: Outbound) -> Receipt:
        raise NotSent("away", retry=True)

    fake(world, "api", away)
    world.ask(reply(world))

    for _ in range(60):
        world.send_all()
        world.clock.advance(hours=2)

    assert world.delivery("int_1").state is State.FAILED
    assert "48 hours" in world.delivery("int_1").error


def test_an_account_switched_off_keeps_what_is_queued(world: World) -> None:
    from services.intake.usecases.accounts import Accounts

    channel = fake(world, "api", good)
    use = Accounts(world.parts.database, world.directory, world.parts.secrets)
    use.switch(world.accounts["api"], on=False, off_message="")
    world.ask(reply(world))
    world.send_all()
    kept = world.delivery("int_1").state

    use.switch(world.accounts["api"], on=True, off_message="")
    world.clock.advance(minutes=2)
    world.send_all()

    assert kept is State.QUEUED
    assert len(channel.sent) == 1


def test_automatic_mail_to_an_address_that_came_back_does_not_leave(world: World) -> None:
    channel = fake(
        world,
        "email",
        lambda _o: (_ for _ in ()).throw(NotSent("550", retry=False, recipients_gone=["mara@posta.example"])),
    )
    world.ask(reply(world, "int_1", "email"))
    world.send_all()

    world.ask(reply(world, "int_2", "email", automatic=True, conversation="other"))
    world.send_all()

    assert [one.reply_id for one in channel.sent] == ["int_1"]
    assert "automatic mail to this address is stopped" in world.delivery("int_2").error


def test_two_machines_answering_each_other_are_stopped(world: World) -> None:
    channel = fake(world, "email", good)
    for number in range(20):
        world.ask(reply(world, f"int_{number}", "email", automatic=True, conversation=f"c-{number}"))

    world.send_all()

    assert len(channel.sent) == deliver.AUTOMATIC_A_DAY


def test_a_visitor_who_left_is_answered_by_mail(world: World) -> None:
    def gone(_outbound: Outbound) -> Receipt:
        raise Elsewhere("email", [Identity("email", "bice@posta.example", "Bice")])

    fake(world, "chat", gone)
    mail = fake(world, "email", good)
    world.ask(reply(world, "int_1", "chat"))

    world.send_all()

    assert [one.to[0].value for one in mail.sent] == ["bice@posta.example"]
    assert world.delivery("int_1").channel == "email"
    assert world.delivery("int_1").state is State.SENT


def test_after_a_restore_nothing_leaves_by_itself(world: World) -> None:
    channel = fake(world, "api", good)
    world.ask(reply(world))

    held = intake_app.doubt_unsent(world.parts.database, world.clock)
    world.send_all()

    assert held == 1
    assert channel.sent == []
    assert world.delivery("int_1").state is State.UNKNOWN
