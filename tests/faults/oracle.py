"""Judges what is left after a fault: what was promised against the databases, the index, the blobs and the mails sent.

Eight rules, numbered as in `docs/reference/faults.md`. Each function returns the violations it found, as sentences that
begin with the rule's number. Nothing is written: the stores are only read (`tests/faults/stores.py`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ascolto.intake.v1.events_pb2 import DeliveryChanged
from ascolto.tickets.v1.events_pb2 import Interaction, ReplyRequested
from services.intake import wire as intake_wire
from services.kit.backends import SERVICES
from services.kit.bus import Part
from services.social import wire as social_wire
from services.tickets import wire as tickets_wire
from tests.faults.installation import UNSETTLED, Installation
from tests.faults.traffic import Contact, Ledger

SENT = frozenset({"sent", "delivered", "read"})
_CONSUMES: Mapping[str, Mapping[str, Any]] = {
    "intake": intake_wire.CONSUMES,
    "tickets": tickets_wire.CONSUMES,
    "social": social_wire.CONSUMES,
}
_DELIVERY_ID = re.compile(rb"^Message-ID:\s*<(dlv_[0-9a-z]+)\.", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Said:
    """One interaction as stored."""

    ticket: str
    brand: str
    kind: str
    incoming: bool
    account: str
    external: str
    seq: int
    rev: int
    delivery_state: int
    message: Interaction


class World:
    """Everything a judgement needs, read once from a drained installation."""

    def __init__(self, installation: Installation) -> None:
        self.installation, self.store = installation, installation.store
        self.brand_of = {account: shop.brand_id for shop in installation.shops for account in shop.accounts.values()}
        self.inbound = self.rows("intake", "SELECT external_id, account_id, contact_id FROM inbound_event")
        self.tickets = dict(self.rows("tickets", "SELECT id, brand_id FROM tickets"))
        self.said = {
            str(row[0]): Said(
                row[1], row[2], row[3], row[4] == 1, row[5], row[6], row[7], row[8], row[9],
                Interaction.FromString(row[10]),
            )
            for row in self.rows(
                "tickets",
                "SELECT id, ticket_id, brand_id, kind, direction, account_id, external_id, seq, rev, delivery_state,"
                " data FROM interactions",
            )
        }  # fmt: skip
        self.events = list(self.store.events())
        self.deliveries = {
            str(reply): (str(own), str(state), str(channel), str(brand))
            for reply, own, state, channel, brand in self.rows(
                "intake", "SELECT reply_id, id, state, channel, brand_id FROM deliveries"
            )
        }

    def rows(self, service: str, statement: str) -> list[tuple[Any, ...]]:
        """What a query of one database finds."""
        return self.store.rows(service, statement)


def judge(installation: Installation, ledger: Ledger) -> list[str]:
    """All violations; empty when every promise was kept. The installation is drained and stopped."""
    world = World(installation)
    return [
        *promised(world, ledger),
        *one_interaction_each(world, ledger),
        *applied_once(world),
        *index_equals_store(world),
        *sent_once(world, ledger),
        *files_equal(world, ledger),
        *brands_apart(world, ledger),
        *nothing_left(world),
    ]


def promised(world: World, ledger: Ledger) -> list[str]:
    """(1) What was acknowledged is in the inbox, once, under the id the sender was told."""
    found: dict[str, list[str]] = defaultdict(list)
    for external, _, contact in world.inbound:
        found[external.rpartition(":")[2]].append(contact)
    wrong = []
    for key, named in ledger.acked.items():
        contacts = found.get(key, [])
        if len(contacts) != 1:
            wrong.append(f"(1) {key} was acknowledged and is in the inbox {len(contacts)} times")
        elif ledger.contacts[key].kind == "api" and named - set(contacts):
            wrong.append(f"(1) {key} was acknowledged as {sorted(named)} and is stored as {contacts[0]}")
    return wrong


def one_interaction_each(world: World, ledger: Ledger) -> list[str]:
    """(2) Every inbound contact is one interaction on one ticket, with its text, in intake order."""
    incoming = {own for own, said in world.said.items() if said.incoming and said.kind == "message"}
    expected = {"int_" + str(contact).partition("_")[2]: external for external, _, contact in world.inbound}
    wrong = [f"(2) contact {expected[own]} has no interaction" for own in expected.keys() - incoming]
    wrong += [f"(2) interaction {own} has no contact" for own in incoming - expected.keys()]
    twice = Counter((world.said[own].account, world.said[own].external) for own in incoming)
    wrong += [f"(2) {external} is there {count} times" for (_, external), count in twice.items() if count > 1]
    wrong += [f"(2) {own} stands on no ticket" for own in incoming if world.said[own].ticket not in world.tickets]
    return wrong + _in_order(world, ledger) + _same_text(world, ledger)


def _in_order(world: World, ledger: Ledger) -> list[str]:
    wrong: list[str] = []
    last: dict[tuple[str, str], int] = {}  # by lane and ticket: between lanes there is no order
    home: dict[tuple[str, int, str], str] = {}
    where: dict[str, tuple[str, int, str]] = {}
    for event in world.events:
        if event.kind != "ContactReceived":
            continue
        own = "int_" + event.envelope.aggregate_id.partition("_")[2]
        said = world.said.get(own)
        if said is None:
            continue
        lane = (event.lane, said.ticket)
        if (before := last.get(lane, 0)) >= said.seq:
            wrong.append(f"(2) {own} is number {said.seq} on {said.ticket}, after number {before}")
        last[lane] = said.seq
        key = said.external.rpartition(":")[2]
        where[key] = (event.lane, event.offset, said.ticket)
        contact = ledger.contacts.get(key)
        if contact and contact.kind != "mail":
            place = home.setdefault((contact.kind, contact.shop, contact.conversation), said.ticket)
            if place != said.ticket:
                wrong.append(f"(2) the conversation {contact.conversation} is on {place} and on {said.ticket}")
    for key, (lane, offset, ticket) in where.items():
        contact = ledger.contacts.get(key)
        asked = where.get(contact.answers) if contact and contact.answers else None
        if asked and asked[0] == lane and asked[1] < offset and asked[2] != ticket:
            wrong.append(f"(2) the mail {key} is on {ticket}, what it answers on {asked[2]}")
    return wrong


def _same_text(world: World, ledger: Ledger) -> list[str]:
    wrong = []
    for own, said in world.said.items():
        contact = ledger.contacts.get(said.external.rpartition(":")[2]) if said.incoming else None
        if contact and said.message.text.strip() != contact.text:
            wrong.append(f"(2) {own} says {said.message.text[:60]!r} instead of {contact.text[:60]!r}")
    return wrong


def applied_once(world: World) -> list[str]:
    """(3) Every event was applied once by every group that reads it, and its effect is there."""
    wrong = []
    for service, consumed in _CONSUMES.items():
        groups = world.rows(service, "SELECT DISTINCT group_name, topic FROM positions")
        done = {(row[0], row[1]) for row in world.rows(service, "SELECT group_name, event_id FROM applied")}
        done |= {(row[0], row[1]) for row in world.rows(service, "SELECT group_name, event_id FROM dead_letters")}
        for group, topic in groups:
            wanted = consumed.get(topic, ())
            events = [event for event in world.events if event.topic == topic and event.kind in wanted]
            missed = [event for event in events if (group, event.event_id) not in done]
            wrong += [f"(3) {group} did not apply {event.kind} {event.event_id}" for event in missed]
    for event in world.events:
        if event.kind == "ReplyRequested":
            reply = ReplyRequested.FromString(event.envelope.payload).reply_id
            if reply not in world.deliveries:
                wrong.append(f"(3) {reply} was asked for and has no delivery")
    news: dict[str, tuple[int, int]] = {}
    for event in world.events:
        if event.kind == "DeliveryChanged":
            delivery = DeliveryChanged.FromString(event.envelope.payload).delivery
            news[delivery.reply_id] = max(news.get(delivery.reply_id, (0, 0)), (delivery.rev, int(delivery.state)))
    for reply, (_, state) in news.items():
        said = world.said.get(reply)
        if said is None or said.delivery_state != state:
            wrong.append(
                f"(3) the delivery of {reply} is in state {state}, its ticket says {said and said.delivery_state}"
            )
    return wrong


def index_equals_store(world: World) -> list[str]:
    """(4) The index holds what the owners hold: the same ids, the newest of each, nothing besides."""
    expected = {own: said.rev for own, said in world.said.items() if said.kind in {"message", "note"}}
    others = set(world.tickets)
    others |= {row[0] for row in world.rows("tickets", "SELECT id FROM customers")}
    others |= {row[0] for row in world.rows("social", "SELECT id FROM mentions WHERE removed_us = 0")}
    generations = world.rows("search", "SELECT id FROM generations WHERE state = 'live'")
    if len(generations) != 1:
        return [f"(4) there are {len(generations)} live indexes"]
    with world.store.index(generations[0][0]) as index:
        there = {document.id: document for document in index.sources([*expected, *others])}
        total = index.documents()
    wrong = [f"(4) {own} is not in the index" for own in (expected.keys() | others) - there.keys()]
    if total != len(there):
        wrong.append(f"(4) the index holds {total} documents, {len(there)} of them with an owner")
    wrong += [
        f"(4) the index has revision {there[own].rev} of {own}, the store {rev}"
        for own, rev in expected.items()
        if own in there and there[own].rev != rev
    ]
    brand = {own: said.brand for own, said in world.said.items()} | world.tickets
    wrong += [
        f"(7) {own} is of {brand[own]} and indexed for {document.brand_ids}"
        for own, document in there.items()
        if own in brand and tuple(document.brand_ids) != (brand[own],)
    ]
    return wrong


def sent_once(world: World, ledger: Ledger) -> list[str]:
    """(5) Each answer left exactly once, or it is to be seen that it did not, or may not have."""
    arrived: Counter[str] = Counter()
    wrong = []
    for mail in world.installation.sink.delivered:
        found = _DELIVERY_ID.search(mail.raw)
        if found is None:
            wrong.append(f"(5) a mail without our Message-ID reached {mail.recipients}")
        else:
            arrived[found.group(1).decode()] += 1
    known = {own: (state, channel) for own, state, channel, _ in world.deliveries.values()}
    for own, count in arrived.items():
        if own not in known:
            wrong.append(f"(5) {own} arrived and nobody asked for it")
        elif count > 1:
            wrong.append(f"(5) {own} arrived {count} times")
    for own, (state, channel) in known.items():
        if channel == "email" and state in SENT and not arrived[own]:
            wrong.append(f"(5) {own} is {state} and never arrived")
        if channel == "email" and arrived[own] and state not in SENT | {"unknown", "bounced"}:
            wrong.append(f"(5) {own} arrived and is {state}")
    for key, interactions in ledger.replies.items():
        if len(interactions) != 1:
            wrong.append(f"(5) the answer {key} became {sorted(interactions)}")
        wrong += [f"(5) the answer {one} has no delivery" for one in interactions if one not in world.deliveries]
    return wrong


def files_equal(world: World, ledger: Ledger) -> list[str]:
    """(6) What was attached is kept byte for byte."""
    blobs = world.store.blobs()
    wrong = []
    for own, said in world.said.items():
        contact: Contact | None = ledger.contacts.get(said.external.rpartition(":")[2]) if said.incoming else None
        if contact is None:
            continue
        sent = [hashlib.sha256(data).hexdigest() for _, data in contact.files]
        kept = [hashlib.sha256(one.inline or blobs.get(one.key)).hexdigest() for one in said.message.attachments]
        told = [one.sha256 for one in said.message.attachments]
        if not sent == kept == told:
            wrong.append(f"(6) {own} has {len(kept)} files instead of {len(sent)}, or other bytes")
    return wrong


def brands_apart(world: World, ledger: Ledger) -> list[str]:
    """(7) Nothing of one brand stands on a ticket, or in a delivery, of another."""
    wrong = []
    for own, said in world.said.items():
        contact = ledger.contacts.get(said.external.rpartition(":")[2]) if said.incoming else None
        of = {said.brand, world.tickets.get(said.ticket, said.brand)}
        if contact:
            of.add(world.installation.shops[contact.shop].brand_id)
        if said.account:
            of.add(world.brand_of.get(said.account, ""))
        if len(of) != 1:
            wrong.append(f"(7) {own} belongs to {sorted(of)}")
    for reply, (own, _, _, brand) in world.deliveries.items():
        if reply in world.said and world.said[reply].brand != brand:
            wrong.append(f"(7) {own} is sent for {brand}")
    return wrong


def nothing_left(world: World) -> list[str]:
    """(8) Nothing waits, or it waits as a dead letter with its reason; every database is sound."""
    wrong = [f"(8) {count} events of {service} are in no log" for service, count in world.store.unpublished().items()]
    ends = world.store.ends()
    for service in SERVICES:
        sound = world.store.sound(service)
        if sound != "ok":
            wrong.append(f"(8) the database of {service} is damaged: {sound}")
        places = world.rows(service, "SELECT group_name, topic, part, next_offset FROM positions")
        for group, topic, part, following in places:
            if following < ends.get(Part(topic, part), 0):
                wrong.append(f"(8) {group} stands at {following} of {topic}, which ends at {ends[Part(topic, part)]}")
        for own, reason in world.rows(service, "SELECT id, reason FROM dead_letters WHERE handled_us = 0"):
            wrong.append(f"(8) {own} waits in {service} {'because ' + reason if reason else 'without a reason'}")
    return wrong + [f"(8) {own} is still {state}" for own, state in world.rows("intake", UNSETTLED)]
