"""Interactions: made from contacts and from what staff write, amended by customers and deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from ascolto.common.v1.envelope_pb2 import Blob
from ascolto.common.v1.envelope_pb2 import Identity as IdentityMessage
from ascolto.intake.v1.events_pb2 import ContactReceived
from ascolto.tickets.v1.events_pb2 import Interaction
from services.tickets.domain.contact import Contact, Identity
from services.tickets.domain.ticket import Ticket
from services.tickets.store.interactions import NewRow
from services.tickets.wire.contacts import DeliveryNews
from services.tickets.wire.values import excerpt, identity, identity_message, micros, put, stamp

_IN, _OUT, _INTERNAL = 1, 2, 3
_REPLY_TO, _MESSAGE_ID = "reply_to", "message_id"  # kept in `event_data` of a message: addresses answers need


@dataclass(frozen=True, slots=True)
class Written:
    """What staff or the system wrote, before it is on its ticket. `files` are attachments as the contract's bytes."""

    id: str
    kind: str
    text: str
    author_kind: str = "agent"
    author_id: str = ""
    author_name: str = ""
    html: bytes = b""  # a Blob, packed
    body: bytes = b""  # a Blob, packed
    files: tuple[bytes, ...] = ()
    to: tuple[Identity, ...] = ()
    cc: tuple[Identity, ...] = ()
    subject: str = ""
    not_before_us: int = 0
    language: str = ""
    automatic: bool = False
    event_name: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    mentioned: tuple[str, ...] = ()


def of_contact(contact: Contact, ticket: Ticket, *, customer_id: str, seq: int, rev: int, now_us: int) -> Interaction:
    """A contact as it stands on its ticket, filled field by field: the constructor costs twice as much an argument."""
    message = cast("ContactReceived", contact.source)
    interaction = Interaction()
    interaction.id = contact.interaction_id
    interaction.ticket_id = ticket.id
    interaction.brand_id = contact.brand_id
    interaction.direction = _IN  # type: ignore[assignment]  # the contract's number
    interaction.kind = "message"
    interaction.channel = contact.channel
    interaction.author_kind = "customer"
    interaction.author_id = customer_id
    interaction.author.CopyFrom(getattr(message, "from"))
    interaction.text = message.text
    interaction.quoted_text = message.quoted_text
    interaction.external_id = contact.external_id
    interaction.occurred_at.CopyFrom(message.occurred_at if message.HasField("occurred_at") else message.received_at)
    put(interaction.recorded_at, now_us)
    interaction.rev = rev
    interaction.language = contact.language
    interaction.subject = contact.subject
    interaction.seq = seq
    interaction.not_rendered = contact.not_rendered
    interaction.sender_verdict = message.sender_verdict
    interaction.suspicious = contact.suspicious
    interaction.automatic = not contact.by_person
    _add_seldom(interaction, message)
    return interaction


_SELDOM_MANY = ("attachments", "to", "cc")
_SELDOM_BLOBS = ("body", "html", "raw")


_MAX_BYTES = 200_000  # an event holds 256 KB, and the ticket travels with the interaction


def packed(interaction: Interaction) -> bytes:
    """A contact's interaction as its row and its event carry it, brought under the limit of an event if need be."""
    data = interaction.SerializeToString()
    if len(data) > _MAX_BYTES:
        _fit(interaction)
        data = interaction.SerializeToString()
    return data


_MAX_QUOTED = 8_000
_MAX_ADDRESSES = 500


def _fit(interaction: Interaction) -> None:
    """Brings an oversized contact under the limit of an event; the raw file on it keeps what is left out."""
    interaction.quoted_text = interaction.quoted_text[:_MAX_QUOTED]
    del interaction.to[_MAX_ADDRESSES:]
    del interaction.cc[_MAX_ADDRESSES:]
    for name in ("html", "raw", "body"):
        if interaction.ByteSize() > _MAX_BYTES and getattr(interaction, name).inline:
            interaction.ClearField(name)
    if interaction.ByteSize() > _MAX_BYTES:
        del interaction.attachments[100:]
        interaction.text = interaction.text[: _MAX_BYTES // 8]
        interaction.not_rendered = interaction.not_rendered or "too large to show whole"


def _add_seldom(interaction: Interaction, message: ContactReceived) -> None:
    """What most contacts lack."""
    for name in _SELDOM_MANY:
        if values := getattr(message, name):
            getattr(interaction, name).extend(values)
    for name in _SELDOM_BLOBS:
        if message.HasField(name):  # type: ignore[arg-type]  # names of the contract
            getattr(interaction, name).CopyFrom(getattr(message, name))
    if message.reply_to:
        interaction.event_data[_REPLY_TO] = message.reply_to
    if message.message_id and message.message_id != message.external_id:
        interaction.event_data[_MESSAGE_ID] = message.message_id


def of_written(written: Written, ticket: Ticket, *, seq: int, rev: int, now_us: int) -> Interaction:
    """A reply, note, acknowledgement or event as it stands on its ticket."""
    interaction = Interaction(
        id=written.id,
        ticket_id=ticket.id,
        brand_id=ticket.brand_id,
        direction=_OUT if written.kind in {"message", "ack"} else _INTERNAL,  # type: ignore[arg-type]  # as above
        kind=written.kind,
        channel=ticket.channel,
        author_kind=written.author_kind,
        author_id=written.author_id,
        author=IdentityMessage(name=written.author_name) if written.author_name else None,
        text=written.text,
        occurred_at=stamp(now_us),
        recorded_at=stamp(now_us),
        automatic=written.automatic,
        rev=rev,
        language=written.language,
        event_name=written.event_name,
        event_data=dict(written.data),
        to=[identity_message(one) for one in written.to],
        cc=[identity_message(one) for one in written.cc],
        subject=written.subject,
        seq=seq,
        not_before=stamp(written.not_before_us),
        delivery=1 if written.kind in {"message", "ack"} else 0,  # type: ignore[arg-type]  # queued
        attachments=[Blob.FromString(one) for one in written.files],
        mentioned=written.mentioned,
    )
    if written.html:
        interaction.html.CopyFrom(Blob.FromString(written.html))
    if written.body:
        interaction.body.CopyFrom(Blob.FromString(written.body))
    return interaction


def parse(data: bytes) -> Interaction:
    """An interaction from its row."""
    return Interaction.FromString(data)


def amend(interaction: Interaction, act: str, text: str, occurred_us: int) -> bool:
    """Applies an edit, deletion or reaction; returns whether anything changed.

    The outcome is the same in whatever order amendments come, and however often: a deletion wins over everything,
    the latest edit wins over earlier ones, and the first text stays as `text_before`.
    """
    if interaction.deleted:
        return False
    if act == "deleted":
        for name in (
            "text",
            "quoted_text",
            "text_before",
            "body",
            "html",
            "raw",
            "attachments",
            "edited_at",
            "event_data",
        ):
            interaction.ClearField(name)
        interaction.deleted = True
        return True
    if act == "reaction":
        newest = (int(interaction.event_data.get("reaction_us", "-1")), interaction.event_data.get("reaction", ""))
        if (occurred_us, text) <= newest:
            return False
        interaction.event_data["reaction"] = text
        interaction.event_data["reaction_us"] = str(occurred_us)
        return True
    edited_us = micros(interaction.edited_at) if interaction.HasField("edited_at") else -1
    if (occurred_us, text) <= (edited_us, interaction.text if edited_us >= 0 else ""):
        return False
    if edited_us < 0:
        interaction.text_before = interaction.text
    interaction.text = text
    interaction.ClearField("html")
    interaction.ClearField("body")
    moment = stamp(max(occurred_us, 1))
    assert moment is not None
    interaction.edited_at.CopyFrom(moment)
    return True


def deliver(interaction: Interaction, news: DeliveryNews) -> None:
    """Writes the present state of its sending on an answer."""
    interaction.delivery = news.state  # type: ignore[assignment]  # the contract's number
    interaction.delivery_error = news.error
    interaction.delivery_id = news.delivery_id
    if news.external_id:
        interaction.external_id = news.external_id


@dataclass(frozen=True, slots=True)
class Heard:
    """The part of a message on a ticket that an answer to it needs."""

    id: str
    inbound: bool
    by_customer_message: bool
    author: Identity
    reply_to: str
    message_id: str
    external_id: str
    to: tuple[Identity, ...]
    cc: tuple[Identity, ...]
    verdict: str
    subject: str
    seq: int


def heard(interactions: Sequence[Interaction]) -> list[Heard]:
    """Messages of a ticket, oldest first, without notes and what was taken back; of events only whom we began to write to."""
    return [
        Heard(
            id=one.id,
            inbound=one.direction == _IN,
            by_customer_message=one.direction == _IN and not one.automatic,
            author=identity(one.author),
            reply_to=one.event_data.get(_REPLY_TO, ""),
            message_id=one.event_data.get(_MESSAGE_ID, "") or one.external_id,
            external_id=one.external_id,
            to=tuple(identity(who) for who in one.to),
            cc=tuple(identity(who) for who in one.cc),
            verdict=one.sender_verdict,
            subject=one.subject,
            seq=one.seq,
        )
        for one in interactions
        if (one.kind in {"message", "ack"} and one.delivery != 10) or one.event_name == "opened"
    ]


def addresses_of(data: bytes) -> set[str]:
    """Everybody on a message, lower case: who takes part in its ticket."""
    one = Interaction.FromString(data)
    return {who.value.lower() for who in (one.author, *one.to, *one.cc) if who.value}


def state_before(interaction: Interaction) -> int:
    """The ticket's state before an answer, as its number; 0 when it was not kept."""
    return int(interaction.event_data.get("state_before", "0") or 0)


def last_words(interaction: Interaction) -> str:
    """What a list shows of it."""
    return excerpt(interaction.text)


def row(interaction: Interaction, *, account_id: str, reply_key: str = "", data: bytes = b"") -> NewRow:
    """An interaction as its new row; `data` when it is packed already."""
    return NewRow(
        interaction.id,
        interaction.ticket_id,
        interaction.brand_id,
        interaction.kind,
        interaction.direction,
        account_id,
        interaction.external_id,
        reply_key,
        interaction.seq,
        micros(interaction.recorded_at),
        interaction.rev,
        interaction.delivery,
        data or interaction.SerializeToString(),
    )


def saved(interaction: Interaction, *, rev: int, delivery_rev: int) -> dict[str, str | int | bytes]:
    """An amended interaction as its row's new values."""
    interaction.rev = rev
    return {
        "id": interaction.id,
        "rev": rev,
        "delivery_rev": delivery_rev,
        "delivery_state": int(interaction.delivery),
        "external_id": interaction.external_id,
        "data": interaction.SerializeToString(),
    }
