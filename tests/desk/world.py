"""What the fake services hold: two brands, a ticket, an alert and a mention of each."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.intake.v1 import service_pb2 as intake_pb
from ascolto.social.v1 import events_pb2 as social_events
from ascolto.tickets.v1 import events_pb2 as ticket_events
from services.kit.errors import NotFound, Unavailable
from services.kit.principal import Person
from services.kit.rpc import person_of

SHOP, OTHER = "brd_shop", "brd_other"
MOMENT = Timestamp(seconds=1_773_306_000)  # 2026-03-12 09:00 UTC


def seen(brand_id: str) -> None:
    if not person_of(None).sees_brand(brand_id):
        raise NotFound("There is no such thing.")


def a_ticket(id_: str, number: int, brand: str = SHOP) -> ticket_events.Ticket:
    return ticket_events.Ticket(
        id=id_,
        number=number,
        brand_id=brand,
        account_id="acc_mail",
        channel="email",
        subject=f"Order {number}",
        state=ticket_events.STATE_OPEN,
        customer_id=f"cus_{brand}",
        priority=2,
        version=3,
        rev=number,
        opened_at=MOMENT,
        changed_at=MOMENT,
    )


def a_message(id_: str, ticket: ticket_events.Ticket) -> ticket_events.Interaction:
    return ticket_events.Interaction(
        id=id_,
        ticket_id=ticket.id,
        brand_id=ticket.brand_id,
        direction=ticket_events.DIRECTION_IN,
        kind="message",
        channel="email",
        author_kind="customer",
        author=common.Identity(kind="email", value="mara@customer.example", name="Mara Customer"),
        text="Where is my parcel?",
        html=common.Blob(
            inline=b'<p onclick="x()">Where?</p><script>alert(1)</script><img src="https://track.example/p.gif">',
            media_type="text/html",
        ),
        attachments=[
            common.Blob(
                inline=b"<svg/>", name="../evil.svg\r\nX: y", media_type="image/svg+xml", size_bytes=6, sha256="ab"
            )
        ],
        raw=common.Blob(inline=b"From: mara\r\n\r\nhello", media_type="message/rfc822"),
        occurred_at=MOMENT,
        recorded_at=MOMENT,
    )


@dataclass
class World:
    """What the fake services hold and were asked."""

    tickets: dict[str, ticket_events.Ticket] = field(default_factory=dict)
    messages: dict[str, list[ticket_events.Interaction]] = field(default_factory=dict)
    alerts: dict[str, social_events.Alert] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)  # of alerts, outside the desk
    changes: list[Any] = field(default_factory=list)  # of alerts, as asked for
    mentions: dict[str, social_events.Mention] = field(default_factory=dict)
    contacts: dict[tuple[str, str], str] = field(default_factory=dict)
    replies: dict[str, ticket_events.Interaction] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    access_keys: list[intake_pb.AccessKey] = field(default_factory=list)
    pushes: int = 0
    notices: list[intake_pb.Notice] = field(default_factory=list)
    can_send: bool = True
    away: set[str] = field(default_factory=set)
    detector_lag_s: float = 0.0
    persons: list[Person] = field(default_factory=list)
    gate: threading.Event | None = None
    replayed: list[str] = field(default_factory=list)
    blobs: Any = None
    file_sizes: list[int] = field(default_factory=list)
    htmls: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def answer(self, service: str) -> None:
        if service in self.away:
            raise Unavailable(f"{service} is away.")
        self.persons.append(person_of(None))


def a_world() -> World:
    world = World()
    for id_, number, brand in (("tkt_one", 101, SHOP), ("tkt_two", 102, OTHER)):
        ticket = a_ticket(id_, number, brand)
        world.tickets[id_] = ticket
        world.messages[id_] = [a_message(f"int_{id_}", ticket)]
    for id_, brand in (("alr_one", SHOP), ("alr_two", OTHER)):
        world.alerts[id_] = social_events.Alert(
            id=id_, number=7, brand_id=brand, watch_name="Courier", state="raised", version=1
        )
    for id_, brand in (("men_one", SHOP), ("men_two", OTHER)):
        world.mentions[id_] = social_events.Mention(
            id=id_, source="x", external_id=id_, text="Late!", brand_ids=[brand]
        )
    return world
