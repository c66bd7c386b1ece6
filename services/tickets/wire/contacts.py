"""From the log to what use cases take: contacts, amendments, deliveries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ascolto.common.v1.envelope_pb2 import MODE_LIVE, Envelope
from ascolto.intake.v1.events_pb2 import ContactAmended, ContactReceived, DeliveryChanged
from services.kit.bus import Record
from services.kit.errors import Invalid
from services.tickets.domain.contact import Automatic, Contact, Identity, Threading, scope_of
from services.tickets.wire.values import excerpt, identity, micros, unpack

_MAX_ANCESTORS = 20
# What is unset counts as a person's, and as one that opens a ticket. A table: an enum's call costs five times as much.
_AUTOMATIC = {0: Automatic.PERSON, **{int(one): one for one in Automatic}}
_THREADING = {0: Threading.ALWAYS_NEW, **{int(one): one for one in Threading}}
Sign = Callable[[str, str], bytes]  # kind and value of an address to its keyed hash


@dataclass(frozen=True, slots=True)
class Amendment:
    """An edit, deletion or reaction by the customer."""

    id: str
    account_id: str
    external_id: str
    act: str
    text: str
    occurred_us: int


@dataclass(frozen=True, slots=True)
class DeliveryNews:
    """How the sending of an answer stands."""

    reply_id: str
    delivery_id: str
    ticket_id: str
    brand_id: str
    account_id: str
    state: int
    external_id: str
    error: str
    rev: int


def bare_id(message_id: str) -> str:
    """A Message-ID as it is compared: without brackets and spaces around it."""
    return message_id.strip().strip("<>").strip()


def contact(record: Record, sign: Sign) -> Contact:
    """A contact with its envelope. `sign` stands in when its producer gave no keyed hash of the person. Raises `Invalid` when it lacks what a ticket needs."""
    envelope = record.envelope
    return contact_of(envelope, ContactReceived.FromString(envelope.payload), sign)


def contact_of(envelope: Envelope, message: ContactReceived, sign: Sign) -> Contact:
    """A contact from its parsed message; the message travels along for the interaction made of it."""
    contact_id, brand_id = message.contact_id, message.brand_id
    if not contact_id or not brand_id:
        raise Invalid("A contact without id or brand cannot be put on a ticket.", event_id=envelope.event_id)
    sender = getattr(message, "from")
    channel, account_id = message.channel, message.account_id
    others: tuple[Identity, ...] = ()
    if message.identities:
        others = tuple(
            identity(one, scope_of(one.kind, channel=channel, account_id=account_id, brand_id=brand_id))
            for one in message.identities
        )
    scope = scope_of(sender.kind, channel=channel, account_id=account_id, brand_id=brand_id)
    suffix = contact_id.partition("_")[2] or contact_id
    return Contact(
        id=contact_id,
        suffix=suffix,
        interaction_id=f"int_{suffix}",
        brand_id=brand_id,
        account_id=account_id,
        channel=channel,
        conversation=message.conversation,
        external_id=message.external_id,
        sender=identity(sender, scope),
        identities=others,
        subject=message.subject,
        excerpt=excerpt(message.text),
        automatic=_AUTOMATIC[message.automatic],
        threading=_THREADING[message.threading],
        received_us=micros(message.received_at),
        capabilities=unpack(message.capabilities.SerializeToString()),
        live=envelope.mode == MODE_LIVE,
        token_ticket_id=message.token_ticket_id,
        ancestors=tuple(map(bare_id, message.ancestors[:_MAX_ANCESTORS])) if message.ancestors else (),
        subject_number=message.subject_number,
        language=message.language,
        topic=message.topic,
        not_rendered=message.not_rendered,
        order_number=message.order_number,
        has_attachments=bool(message.attachments),
        suspicious=message.suspicious,
        message_id=bare_id(message.message_id),
        acknowledge_by=message.acknowledge_by,
        trace_id=envelope.trace_id,
        cause_id=envelope.event_id,
        person_hash=envelope.subject or (sign(sender.kind, sender.value) if sender.value else b""),
        source=message,
    )


def amendment(record: Record) -> Amendment:
    """An amendment. Raises `Invalid` when it does not say what it amends."""
    message = ContactAmended.FromString(record.envelope.payload)
    if not message.amendment_id or not message.external_id:
        raise Invalid("An amendment must name itself and what it amends.", event_id=record.event_id)
    return Amendment(
        id=message.amendment_id,
        account_id=message.account_id,
        external_id=message.external_id,
        act=message.act,
        text=message.text,
        occurred_us=micros(message.occurred_at),
    )


def delivery(record: Record) -> DeliveryNews:
    """News of a delivery."""
    message = DeliveryChanged.FromString(record.envelope.payload).delivery
    return DeliveryNews(
        reply_id=message.reply_id,
        delivery_id=message.id,
        ticket_id=message.ticket_id,
        brand_id=message.brand_id,
        account_id=message.account_id,
        state=int(message.state),
        external_id=message.external_id,
        error=message.error,
        rev=message.rev,
    )
