"""Tickets, interactions, customers and hits as JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from ascolto.common.v1.envelope_pb2 import Blob, Identity
from ascolto.search.v1.service_pb2 import FindResponse, Hit
from ascolto.tickets.v1 import events_pb2 as events
from ascolto.tickets.v1.service_pb2 import CustomerWithHistory
from services.desk.clients.base import moment
from services.desk.clients.intake import delivery_word
from services.desk.clients.tickets import state_word

__all__ = [
    "PRIORITIES",
    "Read",
    "blob_bytes",
    "customer",
    "delivery_word",
    "found",
    "hit",
    "identity",
    "interaction",
    "ticket",
    "when",
]

_DIRECTIONS: Mapping[int, str] = {
    events.DIRECTION_IN: "in",
    events.DIRECTION_OUT: "out",
    events.DIRECTION_INTERNAL: "internal",
}
PRIORITIES = ("low", "normal", "high", "urgent")  # 1 to 4 on the wire
Read = Callable[[Blob], bytes]


def when(owner: object, field: str) -> str | None:
    """A moment in RFC 3339, UTC; None when it is unset."""
    found = moment(owner, field)
    return found.isoformat().replace("+00:00", "Z") if found else None


def ticket(message: events.Ticket) -> dict[str, Any]:
    """A ticket without its interactions."""
    return {
        "id": message.id,
        "number": message.number,
        "brand": message.brand_id,
        "account": message.account_id,
        "channel": message.channel,
        "conversation": message.conversation,
        "subject": message.subject,
        "state": state_word(message.state),
        "customer": message.customer_id or None,
        "assignee": message.assignee or None,
        "team": message.team or None,
        "tags": list(message.tags),
        "priority": PRIORITIES[message.priority - 1] if 1 <= message.priority <= len(PRIORITIES) else "normal",
        "version": message.version,
        "opened_at": when(message, "opened_at"),
        "changed_at": when(message, "changed_at"),
        "solved_at": when(message, "solved_at"),
        "due_at": when(message, "due_at"),
        "first_response_at": when(message, "first_response_at"),
        "waiting_since": when(message, "waiting_since"),
        "last_interaction": message.last_interaction_id or None,
        "last_interaction_at": when(message, "last_interaction_at"),
        "interaction_count": message.interactions,
        "language": message.language or None,
        "topic": message.topic or None,
        "order_number": message.order_number or None,
        "follows": message.follows or None,
        "alert": message.alert_id or None,
        "mention": message.mention_id or None,
        "tone": message.tone or None,
    }


def files(message: events.Interaction, read: Read) -> list[Blob]:
    """The attachments; of what could not be rendered the contact as it arrived, last, is one too."""
    found = list(message.attachments)
    if message.not_rendered and message.HasField("raw"):
        raw = type(message.raw)()
        raw.CopyFrom(message.raw)
        raw.name = raw.name or ("message.eml" if raw.media_type == "message/rfc822" else "contact.txt")
        raw.sha256 = raw.sha256 or hashlib.sha256(blob_bytes(raw, read)).hexdigest()
        found.append(raw)
    return found


def interaction(message: events.Interaction, read: Read) -> dict[str, Any]:
    """One interaction, whole: long texts and HTML are read from the blob store."""
    text = message.text
    if message.HasField("body"):
        text = blob_bytes(message.body, read).decode("utf-8", "replace")
    html = blob_bytes(message.html, read).decode("utf-8", "replace") if message.HasField("html") else None
    return {
        "id": message.id,
        "ticket_id": message.ticket_id,
        "direction": _DIRECTIONS.get(message.direction, "internal"),
        "kind": message.kind,
        "channel": message.channel,
        "author": {
            "kind": message.author_kind,
            "id": message.author_id or None,
            "name": message.author.name or None,
            "address": message.author.value or None,
        },
        "subject": message.subject or None,
        "text": text,
        "quoted_text": message.quoted_text,
        "html": html,
        "attachments": [
            {"name": blob.name, "media_type": blob.media_type, "size": blob.size_bytes, "sha256": blob.sha256}
            for blob in files(message, read)
        ],
        "external_id": message.external_id or None,
        "occurred_at": when(message, "occurred_at"),
        "recorded_at": when(message, "recorded_at"),
        "delivery": delivery_word(message.delivery) or None,
        "delivery_error": message.delivery_error or None,
        "automatic": message.automatic,
        "deleted": message.deleted,
        "edited_at": when(message, "edited_at"),
        "language": message.language or None,
        "event": {"name": message.event_name, "data": dict(message.event_data)} if message.event_name else None,
        "not_rendered": message.not_rendered or None,
        "mentioned": list(message.mentioned),
    }


def identity(message: Identity) -> dict[str, Any]:
    """One address of a customer."""
    return {
        "kind": message.kind,
        "value": message.value,
        "name": message.name or None,
        "verified": message.verified,
        "source": message.source or None,
    }


def customer(message: CustomerWithHistory, read: Read) -> dict[str, Any]:
    """A customer with identities and history."""
    who = message.customer
    return {
        "id": who.id,
        "name": who.name,
        "language": who.language or None,
        "notes": who.notes,
        "identities": [identity(item) for item in who.identities],
        "brands": list(who.brand_ids),
        "first_seen_at": when(who, "first_seen_at"),
        "last_seen_at": when(who, "last_seen_at"),
        "version": who.version,
        "tickets": [ticket(item) for item in message.tickets],
        "tickets_total": message.tickets_total,
        "interactions": [interaction(item, read) for item in message.interactions],
        "next": message.next or None,
    }


def hit(message: Hit) -> dict[str, Any]:
    """One hit."""
    return {
        "kind": message.kind,
        "id": message.id,
        "ticket_id": message.ticket_id or None,
        "number": message.number or None,
        "title": message.title,
        "snippet_html": message.snippet_html,
        "occurred_at": when(message, "occurred_at"),
        "channel": message.channel or None,
    }


def found(message: FindResponse) -> dict[str, Any]:
    """A page of hits with facets and what was not understood."""
    return {
        "items": [hit(item) for item in message.hits],
        "next": message.next or None,
        "total": message.total,
        "facets": {
            facet.field: [{"value": value.value, "count": value.count} for value in facet.values]
            for facet in message.facets
        },
        "ignored": list(message.ignored),
        "degraded": message.degraded,
    }


def blob_bytes(blob: Blob, read: Read) -> bytes:
    """The bytes of a blob, wherever they are."""
    return read(blob) if blob.key else blob.inline
