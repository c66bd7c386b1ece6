"""Small values both ways: moments, identities, capabilities, tickets, customers."""

from __future__ import annotations

from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.common.v1.envelope_pb2 import Identity as IdentityMessage
from ascolto.intake.v1.events_pb2 import Capabilities as CapabilitiesMessage
from ascolto.tickets.v1.events_pb2 import Customer as CustomerMessage
from ascolto.tickets.v1.events_pb2 import Ticket as TicketMessage
from services.tickets.domain.contact import Capabilities, Identity
from services.tickets.domain.customer import Customer
from services.tickets.domain.ticket import NEVER, Ticket

MAX_EXCERPT = 200


@lru_cache(maxsize=4096)
def stamp(micros: int) -> Timestamp | None:
    """A moment of the contract, or none for 0 and never. Shared, so never changed: one batch has few moments."""
    if not 0 < micros < NEVER:
        return None
    seconds, rest = divmod(micros, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def put(moment: Timestamp, micros: int) -> None:
    """Sets a moment of a message; what is 0 or never stays unset."""
    if made := stamp(micros):
        moment.CopyFrom(made)


def micros(moment: Timestamp) -> int:
    """Microseconds since 1970 UTC; 0 when unset."""
    return moment.seconds * 1_000_000 + moment.nanos // 1000


def excerpt(text: str) -> str:
    """First words on one line, at most 200 characters."""
    head = text[: MAX_EXCERPT + 60]
    if "  " not in head and head.isprintable():  # one line with single blanks, as most are: half the time
        return head.strip(" ")[:MAX_EXCERPT]
    return " ".join(head.split())[:MAX_EXCERPT]


@lru_cache(maxsize=1024)
def unpack(packed: bytes) -> Capabilities:
    """Capabilities from the bytes rows keep."""
    return capabilities(CapabilitiesMessage.FromString(packed))


def capabilities(message: CapabilitiesMessage) -> Capabilities:
    """What a channel can do, from the contract."""
    return Capabilities(
        replies=message.replies,
        replies_by=message.replies_by,
        public=message.public,
        recipients=message.recipients,
        live=message.live,
        letters=message.letters,
        html=message.html,
        subject=message.subject,
        max_length=message.max_length,
        length_unit=message.length_unit or "characters",
        max_attachments=message.max_attachments,
        max_attachment_bytes=message.max_attachment_bytes,
        undo_s=message.undo_s,
        packed=message.SerializeToString(deterministic=True),
    )


@lru_cache(maxsize=1024)
def capabilities_message(packed: bytes) -> CapabilitiesMessage:
    """The contract's form again; shared, so never changed."""
    return CapabilitiesMessage.FromString(packed)


def identity(message: IdentityMessage, scope: str = "") -> Identity:
    """An address from the contract."""
    return Identity(message.kind, message.value, scope, message.name, message.verified, message.source)


def identity_message(value: Identity) -> IdentityMessage:
    """An address for the contract."""
    message = IdentityMessage()
    _fill(message, value)
    return message


def _fill(message: IdentityMessage, value: Identity) -> None:
    message.kind = value.kind
    message.value = value.value
    message.name = value.name
    message.verified = value.verified
    message.source = value.source


def ticket(value: Ticket, *, customer_name: str = "") -> TicketMessage:
    """A ticket for the contract, filled field by field: the constructor costs twice as much for each argument."""
    message = TicketMessage()
    message.id = value.id
    message.number = value.number
    message.brand_id = value.brand_id
    message.account_id = value.account_id
    message.channel = value.channel
    message.conversation = value.conversation
    message.subject = value.subject
    message.state = value.state  # type: ignore[assignment]  # the numbers are those of the contract, held by a test
    message.customer_id = value.customer_id
    message.assignee = value.assignee
    message.team = value.team
    message.priority = value.priority
    message.version = value.version
    message.rev = value.rev
    message.last_interaction_id = value.last_interaction_id
    message.interactions = value.interactions
    message.language = value.language
    message.follows = value.follows
    message.alert_id = value.alert_id
    message.mention_id = value.mention_id
    message.tone = value.tone
    message.capabilities.CopyFrom(capabilities_message(value.capabilities.packed))
    message.has_attachments = value.has_attachments
    message.delivery_trouble = value.delivery_trouble
    message.excerpt = value.excerpt
    message.not_rendered = value.not_rendered
    message.topic = value.topic
    message.order_number = value.order_number
    if customer_name:
        message.customer_name = customer_name
    if value.tags:
        message.tags.extend(value.tags)
    put(message.opened_at, value.opened_us)
    put(message.changed_at, value.changed_us)
    put(message.solved_at, value.solved_us)
    put(message.due_at, value.due_us)
    put(message.first_response_at, value.first_response_us)
    put(message.waiting_since, value.waiting_us)
    put(message.last_interaction_at, value.last_us)
    return message


def customer(value: Customer) -> CustomerMessage:
    """A customer for the contract."""
    message = CustomerMessage()
    message.id = value.id
    message.name = value.name
    for one in value.identities:
        _fill(message.identities.add(), one)
    message.language = value.language
    message.notes = value.notes
    put(message.first_seen_at, value.first_us)
    put(message.last_seen_at, value.last_us)
    message.version = value.version
    message.rev = value.rev
    message.brand_ids.extend(value.brands)
    return message
