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


def micros(moment: Timestamp) -> int:
    """Microseconds since 1970 UTC; 0 when unset."""
    return moment.seconds * 1_000_000 + moment.nanos // 1000


def excerpt(text: str) -> str:
    """First words on one line, at most 200 characters."""
    return " ".join(text[: MAX_EXCERPT + 60].split())[:MAX_EXCERPT]


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
    return IdentityMessage(
        kind=value.kind, value=value.value, name=value.name, verified=value.verified, source=value.source
    )


def ticket(value: Ticket, *, customer_name: str = "") -> TicketMessage:
    """A ticket for the contract. What is empty is left out: the constructor pays for each argument it is given."""
    message = TicketMessage(
        id=value.id,
        number=value.number,
        brand_id=value.brand_id,
        account_id=value.account_id,
        channel=value.channel,
        subject=value.subject,
        state=int(value.state),  # type: ignore[arg-type]  # the numbers are those of the contract, held by a test
        customer_id=value.customer_id,
        priority=value.priority,
        version=value.version,
        rev=value.rev,
        opened_at=stamp(value.opened_us),
        changed_at=stamp(value.changed_us),
        due_at=stamp(value.due_us),
        waiting_since=stamp(value.waiting_us),
        last_interaction_id=value.last_interaction_id,
        last_interaction_at=stamp(value.last_us),
        interactions=value.interactions,
        language=value.language,
        capabilities=capabilities_message(value.capabilities.packed),
        excerpt=value.excerpt,
    )
    for name in _SELDOM:
        if seldom := getattr(value, name):
            setattr(message, name, seldom)
    if customer_name:
        message.customer_name = customer_name
    if value.tags:
        message.tags.extend(value.tags)
    for solved, name in ((value.solved_us, "solved_at"), (value.first_response_us, "first_response_at")):
        if moment := stamp(solved):
            getattr(message, name).CopyFrom(moment)
    return message


_SELDOM = (
    "conversation",
    "assignee",
    "team",
    "follows",
    "alert_id",
    "mention_id",
    "tone",
    "has_attachments",
    "delivery_trouble",
    "not_rendered",
    "topic",
    "order_number",
)


def customer(value: Customer) -> CustomerMessage:
    """A customer for the contract."""
    return CustomerMessage(
        id=value.id,
        name=value.name,
        identities=[identity_message(one) for one in value.identities],
        language=value.language,
        notes=value.notes,
        first_seen_at=stamp(value.first_us),
        last_seen_at=stamp(value.last_us),
        version=value.version,
        rev=value.rev,
        brand_ids=value.brands,
    )
