"""A sender that lost our answer sends again: by another hop, to a process started anew, and is told it succeeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.intake.domain.contact import Accepted, RawContact
from services.intake.mail import keys
from services.kit import topics
from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from tests.intake.world import World, make_world
from tests.kitlib import DatabaseFactory

MAIL = b"From: Mara <mara@posta.example>\r\nSubject: Pacco\r\nMessage-ID: <m1@posta.example>\r\n\r\nDove si trova?\r\n"
HOPS = (
    b"Return-Path: <mara@posta.example>\r\nReceived: from out1.posta.example by mx; Thu, 12 Mar 2026 09:00:00 +0000\r\n",
    (
        b"Return-Path: <mara@posta.example>\r\nReceived: from out2.posta.example by mx;\r\n Thu, 12 Mar 2026 09:31:07 +0000\r\n"
        b"Received: from queue.posta.example by out2.posta.example; Thu, 12 Mar 2026 09:31:05 +0000\r\n"
    ),
)


def take(world: World, hops: bytes) -> Accepted:
    """What the listener does with a mail."""
    mail = hops + MAIL
    raw = RawContact(world.accounts["email"], keys.transport_key(mail), mail, "message/rfc822")
    (answer,) = world.hooks._acceptor.accept([raw], budget_s=20.0)
    return answer


@contextmanager
def started(folder: Path, factory: DatabaseFactory, log: LocalLog, clock: ManualClock) -> Iterator[World]:
    world = make_world(folder, factory("intake"), log, clock)
    yield world
    for close in world.service.on_stop:
        close()
    world.parts.database.close()


def test_a_mail_whose_250_was_lost_is_one_contact_after_new_hops_and_a_restart(
    tmp_path: Path, database_factory: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    with started(tmp_path, database_factory, log, clock) as world:
        first = take(world, HOPS[0])
        at_once = take(world, HOPS[1])
    clock.advance(days=3)

    with started(tmp_path, database_factory, log, clock) as world:
        later = take(world, HOPS[1])
        events = world.events(topics.CONTACTS)

    assert [first.duplicate, at_once.duplicate, later.duplicate] == [False, True, True]
    assert {first.id, at_once.id, later.id} == {event.envelope.aggregate_id for event in events}
    assert len(events) == 1
