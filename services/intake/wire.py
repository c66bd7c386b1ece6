"""Domain ↔ proto, and what intake produces and consumes. The only module, with `rpc` and `consumer`, that knows proto."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.common.v1.envelope_pb2 import Blob, Identity
from ascolto.intake.v1 import events_pb2 as events
from ascolto.intake.v1 import service_pb2 as pb
from ascolto.tickets.v1.events_pb2 import ReplyRequested
from services.intake.domain import channel as domain_channel
from services.intake.domain import contact as domain
from services.intake.domain.brand import Brand, Holiday, Hours, Opening
from services.intake.domain.delivery import Delivery
from services.kit import topics
from services.kit.blobs import Blobs
from services.kit.uow import Event, Mode

PRODUCES: Mapping[str, tuple[str, ...]] = {
    topics.CONTACTS: ("ContactReceived", "ContactAmended"),
    topics.DELIVERIES: ("DeliveryChanged",),
}
CONSUMES: Mapping[str, tuple[str, ...]] = {topics.REPLIES: ("ReplyRequested",)}
IGNORES: Mapping[str, tuple[str, ...]] = {}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXCERPT_BYTES = 64 * 1024
INLINE_BYTES = 32 * 1024
_MODES = {domain.Mode.LIVE: Mode.LIVE, domain.Mode.IMPORT: Mode.IMPORT, domain.Mode.REPLAY: Mode.REPLAY}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the log names it: in the blob store, or inline when small."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str = ""
    key: str = ""
    inline: bytes = b""
    content_id: str = ""


@dataclass(slots=True, kw_only=True)
class ContactFrame:
    """What intake knows of a contact beside what the channel found in it."""

    contact_id: str
    account: domain_channel.Account
    capabilities: domain_channel.Capabilities
    received_at: datetime
    mode: domain.Mode
    threading: domain.Threading
    log_key: str
    subject: bytes = b""
    trace_id: str = ""
    files: Sequence[StoredFile] = ()
    raw: StoredFile | None = None
    body: StoredFile | None = None
    html: StoredFile | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def contact_received(inbound: domain.Inbound, frame: ContactFrame, rev: int = 0) -> Event:
    """The event of one contact."""
    account = frame.account
    message = events.ContactReceived(
        contact_id=frame.contact_id,
        account_id=account.id,
        brand_id=account.brand_id,
        channel=account.channel,
        conversation=inbound.conversation,
        external_id=inbound.external_id,
        text=excerpt(inbound.text),
        automatic=inbound.automatic.value,  # type: ignore[arg-type]  # the stubs want the enum's own type
        threading=frame.threading.value,  # type: ignore[arg-type]  # as above
        capabilities=capabilities(frame.capabilities),
        acknowledge_by=frame.capabilities.acknowledge_by,
    )
    for name in _TEXTS:
        if value := getattr(inbound, name):
            setattr(message, name, value)
    if inbound.quoted_text:
        message.quoted_text = excerpt(inbound.quoted_text)
    if inbound.sender is not None:
        _identity(getattr(message, "from"), inbound.sender, account.id)
    for name in ("identities", "to", "cc"):
        for one in getattr(inbound, name):
            _identity(getattr(message, name).add(), one, account.id)
    message.ancestors.extend(inbound.ancestors)
    message.references.extend(inbound.references)
    message.attachments.extend(blob(file) for file in frame.files)
    for name, file in (("raw", frame.raw), ("body", frame.body), ("html", frame.html)):
        if file is not None:
            getattr(message, name).CopyFrom(blob(file))
    message.suspicious = inbound.suspicious
    received_us = micros(frame.received_at)
    _stamp(message.occurred_at, micros(inbound.occurred_at) if inbound.occurred_at else received_us)
    _stamp(message.received_at, received_us)
    return Event(
        topic=topics.CONTACTS,
        key=frame.log_key,
        aggregate_id=frame.contact_id,
        rev=rev,
        payload=message,
        brand_id=account.brand_id,
        received_at=frame.received_at,
        mode=_MODES[frame.mode],
        subject=frame.subject,
        trace_id=frame.trace_id,
    )


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def _stamp(target: Timestamp, us: int) -> None:
    """Writes a moment; protobuf's own `FromDatetime` costs six times as much."""
    target.seconds, rest = divmod(us, 1_000_000)
    target.nanos = rest * 1000


_TEXTS = (
    "subject", "topic", "language", "locale", "token_ticket_id", "subject_number", "sender_verdict", "order_number",
    "message_id", "reply_to", "not_rendered",
)  # fmt: skip


def contact_amended(inbound: domain.Inbound, frame: ContactFrame) -> events.ContactAmended:
    """The change of a contact taken in before; `inbound.external_id` names that contact."""
    message = events.ContactAmended(
        amendment_id=frame.contact_id,
        account_id=frame.account.id,
        brand_id=frame.account.brand_id,
        conversation=inbound.conversation,
        external_id=inbound.external_id,
        act=inbound.act.value,
        text=excerpt(inbound.text),
    )
    message.occurred_at.FromDatetime(inbound.occurred_at or frame.received_at)
    return message


def amended_event(
    message: events.ContactAmended, log_key: str, *, rev: int, mode: domain.Mode, received_at: datetime
) -> Event:
    """The event of one amendment."""
    return Event(
        topic=topics.CONTACTS,
        key=log_key,
        aggregate_id=message.amendment_id,
        rev=rev,
        payload=message,
        brand_id=message.brand_id,
        received_at=received_at,
        mode=_MODES[mode],
    )


def parse_amended(data: bytes) -> events.ContactAmended:
    """An amendment that was parked."""
    return events.ContactAmended.FromString(data)


def excerpt(text: str) -> str:
    """At most 64 KB of it, cut between characters; NUL is left out."""
    if len(text) <= EXCERPT_BYTES // 4:
        return text.replace("\x00", "") if "\x00" in text else text
    return text.replace("\x00", "").encode("utf-8", "replace")[:EXCERPT_BYTES].decode("utf-8", "ignore")


def blob(file: StoredFile) -> Blob:
    """The file's proto."""
    return Blob(
        key=file.key,
        inline=file.inline,
        name=file.name,
        media_type=file.media_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        content_id=file.content_id,
    )


def read_blob(of: Blob, blobs: Blobs) -> bytes:
    """The file's bytes, from wherever they are; nothing for no file. Raises `NotFound`, `Unavailable`."""
    return blobs.get(of.key) if of.key else of.inline


def _identity(target: Identity, one: domain.Identity, source: str) -> None:
    target.kind, target.value, target.source = one.kind, one.value, source
    if one.name:
        target.name = one.name
    if one.verified:
        target.verified = True


def capabilities(of: domain_channel.Capabilities) -> events.Capabilities:
    """The proto of what a channel can do; made once for each, found by identity: hashing twenty fields costs 10 µs."""
    kept = _CAPABILITIES.get(id(of))
    if kept is None:
        made = events.Capabilities(
            **{name: getattr(of, name) for name in events.Capabilities.DESCRIPTOR.fields_by_name}
        )
        kept = _CAPABILITIES[id(of)] = (of, made)
    return kept[1]


# Of values that live as long as their channel; the value is kept beside, so that its identity is not used twice.
_CAPABILITIES: dict[int, tuple[domain_channel.Capabilities, events.Capabilities]] = {}


def delivery(of: Delivery) -> events.Delivery:
    """The delivery's proto."""
    message = events.Delivery(
        id=of.id,
        reply_id=of.reply_id,
        ticket_id=of.ticket_id,
        brand_id=of.brand_id,
        account_id=of.account_id,
        channel=of.channel,
        conversation=of.conversation,
        state=f"DELIVERY_STATE_{of.state.name}",  # type: ignore[arg-type]  # protobuf takes the value's name
        external_id=of.external_id,
        error=of.error,
        attempts=of.attempts,
        failed_recipients=of.failed_recipients,
        rev=of.rev,
    )
    message.changed_at.FromDatetime(moment(of.changed_us))
    if of.due_us:
        message.next_attempt_at.FromDatetime(moment(of.due_us))
    return message


def delivery_changed(of: Delivery) -> Event:
    """The event that tells how a delivery stands now."""
    return Event(
        topic=topics.DELIVERIES,
        key=of.ticket_id or of.id,
        aggregate_id=of.id,
        rev=of.rev,
        payload=events.DeliveryChanged(delivery=delivery(of)),
        brand_id=of.brand_id,
        received_at=moment(of.changed_us),
        cause_id=of.reply_id,
    )


def reply_request(data: bytes) -> ReplyRequested:
    """A reply as tickets asked for it."""
    return ReplyRequested.FromString(data)


def redirected(data: bytes, to: Sequence[domain.Identity]) -> bytes:
    """The same reply, to be sent to other addresses."""
    request = ReplyRequested.FromString(data)
    del request.to[:]
    for one in to:
        request.to.add(kind=one.kind, value=one.value, name=one.name)
    return request.SerializeToString()


def identities(of: Sequence[Identity]) -> tuple[domain.Identity, ...]:
    """People of a reply."""
    return tuple(domain.Identity(one.kind, one.value, one.name, one.verified) for one in of)


def moment(us: int) -> datetime:
    """Microseconds as a UTC moment."""
    return datetime.fromtimestamp(us / 1_000_000, UTC)


def brand(of: Brand) -> pb.Brand:
    """The brand's proto."""
    message = pb.Brand(
        hours=pb.Hours(
            openings=[
                pb.Opening(weekday=o.weekday, opens_minute=o.opens_minute, closes_minute=o.closes_minute)
                for o in of.hours.openings
            ],
            holidays=[pb.Holiday(date=h.date, name=h.name) for h in of.hours.holidays],
        ),
        languages=of.languages,
    )
    for name in _BRAND:
        setattr(message, name, getattr(of, name))
    return message


def parse_brand(message: pb.Brand) -> Brand:
    """The brand a request describes; numbers left at zero take their defaults."""
    values = {name: getattr(message, name) for name in _BRAND}
    for name in (
        "first_response_minutes",
        "close_after_days",
        "acknowledge_window_minutes",
        "time_zone",
        "language",
        "colour",
    ):
        if not values[name]:
            del values[name]
    hours = Hours(
        tuple(Opening(o.weekday, o.opens_minute, o.closes_minute) for o in message.hours.openings),
        tuple(Holiday(h.date, h.name) for h in message.hours.holidays),
    )
    if message.languages:
        values["languages"] = tuple(message.languages)
    return Brand(**values, hours=hours)


_BRAND = (
    "id", "name", "slug", "time_zone", "language", "formal", "first_response_minutes", "close_after_days",
    "acknowledge_window_minutes", "colour", "shop_origin", "version", "signature",
)  # fmt: skip


def fields(of: Sequence[domain_channel.SettingField]) -> list[pb.SettingField]:
    """What a channel can be told."""
    return [
        pb.SettingField(
            name=f.name, label=f.label, secret=f.secret, default=f.default, required=f.required, kind=f.kind
        )
        for f in of
    ]
