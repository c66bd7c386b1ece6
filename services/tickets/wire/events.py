"""Events for the outbox: full state after the change, keyed so that one ticket's stay in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ascolto.common.v1.envelope_pb2 import Blob
from ascolto.tickets.v1.events_pb2 import (
    Interaction,
    InteractionChanged,
    InteractionRecorded,
    ReplyRequested,
    TicketChanged,
    TicketOpened,
)
from services.kit import topics
from services.kit.uow import Event, Mode
from services.tickets.domain.contact import Contact
from services.tickets.domain.customer import Customer
from services.tickets.domain.ticket import Ticket
from services.tickets.wire import packed
from services.tickets.wire.interactions import Written
from services.tickets.wire.values import customer, identity_message, stamp, ticket


@dataclass(frozen=True, slots=True)
class Way:
    """How an answer leaves: its account, that account's channel, and what it answers."""

    account_id: str
    channel: str
    in_reply_to: str = ""
    references: Sequence[str] = ()


def moment(micros: int) -> datetime:
    """A moment of a row for an envelope."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def contact_recorded(contact: Contact, interaction: bytes, on: Ticket, *, opened: bool) -> Event:
    """The one event of a contact, with its interaction packed; it carries the ticket too."""
    return Event(
        topic=topics.TICKETS,
        key=on.id,
        aggregate_id=on.id,
        rev=on.rev,
        payload=packed.interaction_recorded(interaction, ticket(on).SerializeToString(), opened=opened),
        brand_id=on.brand_id,
        received_at=moment(contact.received_us),
        mode=Mode.LIVE if contact.live else Mode.IMPORT,
        cause_id=contact.cause_id,
        subject=contact.person_hash or on.person,
        trace_id=contact.trace_id,
    )


def interaction_recorded(interaction: Interaction, on: Ticket, *, opened: bool = False) -> Event:
    """Something staff or we ourselves put on a ticket."""
    payload = InteractionRecorded(interaction=interaction, ticket=ticket(on), opened=opened)
    return _of_ticket(on, interaction.rev, payload)


def interaction_changed(interaction: Interaction, on: Ticket) -> Event:
    """An edit, a deletion, a delivery's progress."""
    return _of_ticket(on, interaction.rev, InteractionChanged(interaction=interaction, ticket=ticket(on)))


def ticket_changed(on: Ticket) -> Event:
    """State, owner, tags, priority."""
    return _of_ticket(on, on.rev, TicketChanged(ticket=ticket(on)))


def ticket_opened(on: Ticket) -> Event:
    """A ticket opened without a contact."""
    return _of_ticket(on, on.rev, TicketOpened(ticket=ticket(on)))


def _of_ticket(
    on: Ticket,
    rev: int,
    payload: InteractionRecorded | InteractionChanged | TicketChanged | TicketOpened,
) -> Event:
    return Event(
        topic=topics.TICKETS,
        key=on.id,
        aggregate_id=on.id,
        rev=rev,
        payload=payload,
        brand_id=on.brand_id,
        received_at=moment(on.changed_us) if on.changed_us else None,
        subject=on.person,
    )


def customer_changed(of: Customer, *, live: bool = True, trace_id: str = "") -> Event:
    """A customer as they are now."""
    return Event(
        topic=topics.CUSTOMERS,
        key=of.id,
        aggregate_id=of.id,
        rev=of.rev,
        payload=packed.customer_changed(customer(of).SerializeToString()),
        received_at=moment(of.last_us) if of.last_us else None,
        mode=Mode.LIVE if live else Mode.IMPORT,
        subject=of.person,
        trace_id=trace_id,
    )


def reply_requested(
    written: Written,
    on: Ticket,
    *,
    rev: int,
    now_us: int,
    way: Way,
) -> Event:
    """What intake is asked to send, exactly once, under the interaction's id."""
    payload = ReplyRequested(
        reply_id=written.id,
        ticket_id=on.id,
        ticket_number=on.number,
        brand_id=on.brand_id,
        account_id=way.account_id,
        channel=way.channel,
        conversation=on.conversation,
        to=[identity_message(one) for one in written.to],
        cc=[identity_message(one) for one in written.cc],
        subject=written.subject,
        text=written.text,
        attachments=[Blob.FromString(one) for one in written.files],
        in_reply_to=way.in_reply_to,
        references=way.references,
        automatic=written.automatic,
        not_before=stamp(written.not_before_us),
        author_name=written.author_name,
        language=written.language,
        requested_at=stamp(now_us),
    )
    if written.html:
        payload.html.CopyFrom(Blob.FromString(written.html))
    if written.body:
        payload.body.CopyFrom(Blob.FromString(written.body))
    return Event(
        topic=topics.REPLIES,
        key=on.id,
        aggregate_id=on.id,
        rev=rev,
        payload=payload,
        brand_id=on.brand_id,
        received_at=moment(now_us),
        subject=on.person,
    )
