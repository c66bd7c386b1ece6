"""What cannot be read, or not in time, has an owner: a ticket at once, its text after the fix, and nobody else waits."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ascolto.intake.v1.events_pb2 import ContactAmended, ContactReceived
from services.intake.domain.channel import Account
from services.intake.domain.contact import Act, Identity, Inbound, RawContact
from services.intake.ports import OverBudget, Unparsable
from services.intake.store import inbound as store
from services.intake.usecases.accept import Acceptor
from services.intake.usecases.replay import Replayer
from services.kit import topics
from tests.intake.world import World


class Reader:
    """A channel whose reader fails until it is mended; bodies are `act key text`."""

    id = "chat"
    fields = ()

    def __init__(self, like: Any) -> None:
        self.capabilities = like.capabilities
        self.fault: Exception | None = None

    def parse(self, raw: RawContact, account: Account, *, budget_s: float) -> list[Inbound]:
        if self.fault is not None and b"poison" in raw.body:
            raise self.fault
        act, key, text = raw.body.decode().split(" ", 2)
        event = key if act == "message" else f"{key}:{act}:{text}"
        return [
            Inbound(
                event_key=event,
                external_id=key,
                conversation="cv",
                act=Act(act),
                sender=Identity("visitor", "v1"),
                text=text,
            )
        ]


def set_up(world: World) -> tuple[Reader, Acceptor, Replayer]:
    reader = Reader(world.directory.channels["chat"])
    world.directory.channels["chat"] = reader
    acceptor = world.pages._shared.acceptor
    world.pages._shared.directory.channels["chat"] = reader
    return reader, acceptor, Replayer(world.parts.database, acceptor.preparer, world.parts.blobs)


def raw(world: World, body: str) -> RawContact:
    return RawContact(world.accounts["chat"], body, body.encode())


def waiting(world: World) -> list[store.Quarantined]:
    with world.parts.database.read() as reader:
        return store.list_quarantine(reader, after="", limit=10)


@pytest.mark.parametrize("fault", [Unparsable("broken"), ValueError("a defect of the reader")])
def test_poison_opens_a_ticket_with_the_raw_bytes_and_the_others_go_on(world: World, fault: Exception) -> None:
    reader, acceptor, _ = set_up(world)
    reader.fault = fault

    answers = acceptor.accept(
        [raw(world, "message a ciao"), raw(world, "message b poison"), raw(world, "message c sì")]
    )

    messages = [ContactReceived.FromString(one.envelope.payload) for one in world.events(topics.CONTACTS)]
    assert all(answer.id and not answer.error for answer in answers)
    assert [bool(one.not_rendered) for one in messages] == [False, True, False]
    assert messages[1].raw.inline == b"message b poison"
    assert [item.contact_id for item in waiting(world)] == [answers[1].id]


def test_replay_after_the_fix_gives_the_same_contact_its_text(world: World) -> None:
    reader, acceptor, replayer = set_up(world)
    reader.fault = Unparsable("broken")
    acceptor.accept([raw(world, "message b poison")])
    (item,) = waiting(world)

    still = replayer.replay(item)
    reader.fault = None
    mended = replayer.replay(item)
    again = acceptor.accept([raw(world, "message b poison")])

    first, second = world.events(topics.CONTACTS)
    amended = ContactAmended.FromString(second.envelope.payload)
    assert (still, mended[0]) == ((False, "broken"), True)
    assert amended.external_id == ContactReceived.FromString(first.envelope.payload).external_id
    assert (amended.act, amended.text) == ("edited", "poison")
    assert waiting(world) == []
    assert again[0].duplicate


def test_what_exceeds_its_budget_is_stored_answered_and_parsed_later_once(world: World) -> None:
    reader, acceptor, replayer = set_up(world)
    reader.fault = OverBudget()
    (answer,) = acceptor.accept([raw(world, "message a poison")])
    now_us = int(world.clock.now().timestamp() * 1e6)
    before = world.events(topics.CONTACTS)

    reader.fault = None
    taken = [replayer.parse_pending(now_us), replayer.parse_pending(now_us)]

    assert answer.pending
    assert before == []
    assert taken == [1, 0]
    (record,) = world.events(topics.CONTACTS)
    assert record.envelope.aggregate_id == answer.id


@pytest.mark.parametrize("order", list(itertools.permutations(["message a uno", "edited a due", "deleted a x"])))
def test_amendments_before_their_contact_converge_whatever_the_order(world: World, order: tuple[str, ...]) -> None:
    _, acceptor, _ = set_up(world)

    for body in order:
        acceptor.accept([raw(world, body)])
        acceptor.accept([raw(world, body)])

    kinds = [record.kind for record in world.events(topics.CONTACTS)]
    acts = {
        ContactAmended.FromString(record.envelope.payload).act
        for record in world.events(topics.CONTACTS, "ContactAmended")
    }
    assert sorted(kinds) == ["ContactAmended", "ContactAmended", "ContactReceived"]
    assert kinds[0] == "ContactReceived"
    assert acts == {"edited", "deleted"}


def test_a_batch_of_five_with_two_known_stores_three(world: World) -> None:
    _, acceptor, _ = set_up(world)
    acceptor.accept([raw(world, "message a 1"), raw(world, "message b 1")])

    answers = acceptor.accept([raw(world, f"message {key} 1") for key in "abcde"])

    assert [answer.duplicate for answer in answers] == [True, True, False, False, False]
    assert len(world.events(topics.CONTACTS)) == 5
