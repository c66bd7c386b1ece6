"""From the owners' events and rows to what is indexed, and from hits to the answer's messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.common.v1.envelope_pb2 import Blob, Envelope, Identity
from ascolto.social.v1 import events_pb2 as social
from ascolto.tickets.v1 import events_pb2 as tickets
from services.kit import topics
from services.kit.blobs import Blobs
from services.kit.bus import Record
from services.kit.errors import NotFound
from services.search.domain.document import CUSTOMER, MENTION, MESSAGE, NOTE, TICKET, Change, Document, Facts

CONSUMES = {
    topics.TICKETS: frozenset({"TicketOpened", "TicketChanged", "InteractionRecorded", "InteractionChanged"}),
    topics.CUSTOMERS: frozenset({"CustomerChanged"}),
    topics.MENTIONS: frozenset({"MentionSeen", "MentionScored", "MentionRemoved"}),
}
PRODUCES: dict[str, frozenset[str]] = {}

_INDEXED = frozenset({MESSAGE, NOTE})
_STATES = {value.number: value.name.removeprefix("STATE_").lower() for value in tickets.State.DESCRIPTOR.values}
_DIRECTIONS = {tickets.DIRECTION_IN: "in", tickets.DIRECTION_OUT: "out", tickets.DIRECTION_INTERNAL: "internal"}
_TONES = {social.TONE_NEGATIVE: "negative", social.TONE_NEUTRAL: "neutral", social.TONE_POSITIVE: "positive"}
_MOST_BYTES = 1_000_000  # of one text that are searched


def changes(record: Record, blobs: Blobs) -> list[Change]:
    """What one event says. Raises what protobuf raises for bytes that are none of its own."""
    return _READERS[record.kind](Envelope.FromString(record.data).payload, blobs)


def of_interaction(interaction: tickets.Interaction, ticket: tickets.Ticket | None, blobs: Blobs) -> list[Change]:
    """A message or note with its ticket; of an event only the ticket."""
    found = [of_ticket(ticket)] if ticket is not None and ticket.id else []
    if interaction.kind in _INDEXED:
        found.append(Change(_interaction(interaction, blobs), ticket_id=interaction.ticket_id))
    return found


def of_ticket(ticket: tickets.Ticket) -> Change:
    """A ticket, and what its messages share with it."""
    document = Document(
        id=ticket.id,
        kind=TICKET,
        rev=ticket.rev,
        ticket_id=ticket.id,
        title=ticket.subject,
        language=ticket.language,
        codes=(str(ticket.number),),
        occurred_us=_us(ticket.last_interaction_at) or _us(ticket.opened_at),
        channel=ticket.channel,
        brand_ids=(ticket.brand_id,) if ticket.brand_id else (),
        flags=("attachment",) if ticket.has_attachments else (),
    )
    return Change(document, facts_of(ticket), ticket.id)


def facts_of(ticket: tickets.Ticket) -> Facts:
    """What a ticket's messages share with it."""
    return Facts(
        rev=ticket.rev,
        number=ticket.number,
        subject=ticket.subject,
        state=_STATES.get(ticket.state, ""),
        assignee=ticket.assignee,
        team=ticket.team,
        tags=tuple(ticket.tags),
        customer_id=ticket.customer_id,
        channel=ticket.channel,
        brand_id=ticket.brand_id,
        account_id=ticket.account_id,
        tone=ticket.tone,
        opened_us=_us(ticket.opened_at),
        solved_us=_us(ticket.solved_at),
        due_us=_us(ticket.due_at),
        order=ticket.order_number,
    )


def _interaction(interaction: tickets.Interaction, blobs: Blobs) -> Document:
    author = interaction.author
    flags = []
    if interaction.attachments:
        flags.append("attachment")
    if interaction.automatic:
        flags.append("automatic")
    return Document(
        id=interaction.id,
        kind=interaction.kind,
        rev=interaction.rev,
        deleted=interaction.deleted,
        ticket_id=interaction.ticket_id,
        title=interaction.subject,
        text="" if interaction.deleted else _text(interaction.text, interaction.body, blobs),
        language=interaction.language,
        author=author.name or author.value,
        author_id=interaction.author_id,
        sender=_person(author),
        recipients=_people((*interaction.to, *interaction.cc)) if interaction.to or interaction.cc else "",
        files=" ".join(blob.name for blob in interaction.attachments) if interaction.attachments else "",
        codes=(author.value,) if author.value else (),
        occurred_us=_us(interaction.occurred_at),
        direction=_DIRECTIONS.get(interaction.direction, ""),
        channel=interaction.channel,
        brand_ids=(interaction.brand_id,) if interaction.brand_id else (),
        flags=tuple(flags),
    )


def of_customer(customer: tickets.Customer) -> Change:
    """A person with their addresses."""
    return Change(
        Document(
            id=customer.id,
            kind=CUSTOMER,
            rev=customer.rev,
            title=customer.name,
            text=customer.notes,
            language=customer.language,
            author=customer.name,
            sender=_people(customer.identities),
            codes=tuple(identity.value for identity in customer.identities),
            occurred_us=_us(customer.last_seen_at),
            brand_ids=tuple(customer.brand_ids),
            customer_id=customer.id,
        )
    )


def of_mention(mention: social.Mention) -> Change:
    """A post; one removed at its source is gone here too."""
    return Change(
        Document(
            id=mention.id,
            kind=MENTION,
            rev=mention.rev,
            deleted=mention.removed,
            ticket_id=mention.ticket_id,
            title="" if mention.removed else mention.title,
            text="" if mention.removed else mention.text,
            language=mention.language,
            author=mention.author_name or mention.author_handle,
            sender=f"{mention.author_name} {mention.author_handle}",
            codes=(mention.author_handle, mention.external_id),
            occurred_us=_us(mention.occurred_at),
            direction="in",
            channel=mention.source,
            brand_ids=tuple(mention.brand_ids),
            state=mention.state,
            agent=mention.assignee,
            tone=_TONES.get(mention.tone, ""),
        )
    )


def _recorded(payload: bytes, blobs: Blobs) -> list[Change]:
    event = tickets.InteractionRecorded.FromString(payload)
    return of_interaction(event.interaction, event.ticket, blobs)


def _changed(payload: bytes, blobs: Blobs) -> list[Change]:
    event = tickets.InteractionChanged.FromString(payload)
    return of_interaction(event.interaction, event.ticket, blobs)


def _ticket(payload: bytes, _blobs: Blobs) -> list[Change]:  # TicketOpened and TicketChanged are alike
    return [of_ticket(tickets.TicketChanged.FromString(payload).ticket)]


def _customer(payload: bytes, _blobs: Blobs) -> list[Change]:
    return [of_customer(tickets.CustomerChanged.FromString(payload).customer)]


def _mention(payload: bytes, _blobs: Blobs) -> list[Change]:  # the three events of a mention are alike
    return [of_mention(social.MentionSeen.FromString(payload).mention)]


_READERS: dict[str, Callable[[bytes, Blobs], list[Change]]] = {
    "InteractionRecorded": _recorded,
    "InteractionChanged": _changed,
    "TicketOpened": _ticket,
    "TicketChanged": _ticket,
    "CustomerChanged": _customer,
    "MentionSeen": _mention,
    "MentionScored": _mention,
    "MentionRemoved": _mention,
}


def _people(identities: Iterable[Identity]) -> str:
    return " ".join(map(_person, identities))


def _person(identity: Identity) -> str:
    return f"{identity.name} {identity.value}".strip()


def _text(text: str, body: Blob, blobs: Blobs) -> str:
    """The whole text: what was cut from an event lies in a blob."""
    if body.inline:
        return body.inline[:_MOST_BYTES].decode("utf-8", "replace")
    if not body.key:
        return text
    try:
        return blobs.get(body.key)[:_MOST_BYTES].decode("utf-8", "replace")
    except NotFound:  # erased meanwhile: the excerpt is what there is
        return text


def _us(moment: Timestamp) -> int:
    return moment.seconds * 1_000_000 + moment.nanos // 1000


def documents(found: Sequence[Change]) -> list[Document]:
    """The documents among changes."""
    return [change.document for change in found if change.document is not None]
