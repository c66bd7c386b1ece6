"""What is done with a contact before the transaction: parse, keep files, build the event. No row is written here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.intake import wire
from services.intake.domain.channel import Account, Capabilities
from services.intake.domain.contact import Act, Attachment, Inbound, RawContact, Threading
from services.intake.domain.delivery import Delivery
from services.intake.ports import OverBudget, Unparsable
from services.intake.usecases.directory import Directory
from services.kit import log, privacy, spool
from services.kit.blobs import Blobs
from services.kit.clock import Clock
from services.kit.errors import Invalid
from services.kit.ids import new_id
from services.kit.secrets import Keys
from services.kit.uow import Event

RAW_ROW_BYTES = 256 * 1024
RAW_INLINE_BYTES = 48 * 1024
EVENT_BYTES = 200 * 1024  # of the 256 KB the log takes; the rest is the envelope's
_MANY = 200  # addresses and ids of one contact that travel in its event
_NAME_CHARS = 255
_SUBJECT_CHARS = 998  # a header line's length in RFC 5322


@dataclass(slots=True)
class Item:
    """One thing found in a raw contact, ready to be written."""

    event_key: str  # with its scope
    contact_id: str
    inbound: Inbound
    frame: wire.ContactFrame
    event: Event | None = None  # of a message
    parent_key: str = ""  # of an amendment


@dataclass(slots=True)
class Prepared:
    """One raw contact, ready to be written. `row` is empty when the raw bytes are stored already."""

    raw_id: str
    raw_key: str
    account: Account
    channel: str
    items: list[Item]
    received_us: int
    row: dict[str, str | int | bytes] = field(default_factory=dict)
    reason: str = ""  # why it could not be read; goes to quarantine
    pending: bool = False
    amends: str = ""  # replay: external id of the contact whose text is now known
    bounced: Sequence[Delivery] = ()


class Preparer:
    """Prepares raw contacts of every channel. Raises `NotFound` and `Forbidden` of the account; never for the bytes."""

    def __init__(self, *, directory: Directory, blobs: Blobs, keys: Keys, clock: Clock) -> None:
        self.directory, self._blobs, self._clock = directory, blobs, clock
        self._keys = keys

    def handed_over(self, key: str) -> bytes:
        """A file too large for a call, which the desk stored before it. Raises `NotFound`, `Invalid` for any other key."""
        if not key.startswith("desk/"):
            raise Invalid("An attachment's key is not one the desk gives.", field="attachments")
        return self._blobs.get(key)

    def prepare(self, raw: RawContact, *, budget_s: float) -> Prepared:
        """Parses within the budget; what is not understood or not in time is prepared as such."""
        account = self.directory.open_account(raw.account_id)
        try:
            found = self.parse(raw, account, budget_s=budget_s)
        except OverBudget:
            return self.of(raw, account, [], pending=True)
        except Unparsable as error:
            return self.of(raw, account, [unreadable(raw, error.message)], reason=error.message)
        return self.of(raw, account, found)

    def parse(self, raw: RawContact, account: Account, *, budget_s: float) -> Sequence[Inbound]:
        """What the channel finds. Raises `Unparsable` for whatever goes wrong in it, `OverBudget`."""
        try:
            return self.directory.channels[account.channel].parse(raw, account, budget_s=budget_s)
        except (OverBudget, Unparsable):
            raise
        except Exception as error:
            log.logger("intake").exception("parse.failed", channel=account.channel, account_id=account.id)
            raise Unparsable(f"The reader of {account.channel} failed: {type(error).__name__}.") from error

    def of(
        self,
        raw: RawContact,
        account: Account,
        found: Sequence[Inbound],
        *,
        reason: str = "",
        pending: bool = False,
        raw_id: str = "",
        with_row: bool = True,
    ) -> Prepared:
        """A prepared contact from what was found in it."""
        capabilities = self.directory.channels[account.channel].capabilities
        scope = account.brand_id if capabilities.unique_per_brand else account.id
        received = raw.received_at or self._clock.now()
        first = raw_id or new_id("con")
        prepared = Prepared(
            raw_id=first,
            raw_key=f"{scope}|{raw.transport_key}".replace("\x00", ""),
            account=account,
            channel=account.channel,
            items=[],
            received_us=int(received.timestamp() * 1_000_000),
            reason=reason or next((one.not_rendered for one in found if one.not_rendered), ""),
            pending=pending,
        )
        raw_file = self._raw_file(
            raw, first, wanted=bool(prepared.reason) or capabilities.keeps_original, pending=pending
        )
        for number, inbound in enumerate(found):
            contact_id = first if number == 0 else new_id("con")
            prepared.items.append(self._item(raw, account, scope, inbound, contact_id, received, raw_file))
        if with_row:
            prepared.row = _raw_row(prepared, raw, raw_file)
        return prepared

    def _item(
        self,
        raw: RawContact,
        account: Account,
        scope: str,
        inbound: Inbound,
        contact_id: str,
        received: datetime,
        raw_file: wire.StoredFile | None,
    ) -> Item:
        inbound = _bounded(inbound, received)
        capabilities = self.directory.channels[account.channel].capabilities
        sender = inbound.sender
        frame = wire.ContactFrame(
            contact_id=contact_id,
            account=account,
            capabilities=capabilities,
            received_at=received,
            mode=raw.mode,
            threading=_threading(capabilities, inbound),
            log_key=f"{account.id}:{inbound.conversation or inbound.external_id}",
            subject=privacy.subject(self._keys, sender.kind, sender.value) if sender else b"",
            trace_id=log.trace_id() or log.fresh_trace(),  # mail and polls begin theirs here
        )
        item = Item(f"{scope}|{inbound.event_key}", contact_id, inbound, frame)
        if inbound.act is Act.MESSAGE:
            if inbound.attachments or inbound.html or raw_file or len(inbound.text) > wire.EXCERPT_BYTES // 4:
                item.frame = frame = self._with_files(inbound, frame, raw_file)
            item.event = wire.contact_received(inbound, frame)
            if len(raw.body) > EVENT_BYTES // 4 and item.event.payload.ByteSize() > EVENT_BYTES:
                item.event = wire.contact_received(replace(inbound, quoted_text="", cc=inbound.cc[:20]), frame)
        elif inbound.act is not Act.BOUNCE:
            item.parent_key = f"{scope}|{inbound.external_id}"
        return item

    def _with_files(
        self, inbound: Inbound, frame: wire.ContactFrame, raw_file: wire.StoredFile | None
    ) -> wire.ContactFrame:
        files = [
            self._keep(f"intake/{frame.contact_id}/{number}", file) for number, file in enumerate(inbound.attachments)
        ]
        body = html = None
        if len(text := inbound.text.encode("utf-8", "replace")) > wire.EXCERPT_BYTES:
            body = self._keep(f"intake/{frame.contact_id}/text", Attachment("text.txt", "text/plain", text))
        if inbound.html:
            data = inbound.html.encode("utf-8", "replace")
            page = Attachment("page.html", "text/html", data)
            html = self._keep(f"intake/{frame.contact_id}/html", page, inline=len(data) <= wire.INLINE_BYTES)
        return replace(frame, files=files, body=body, html=html, raw=raw_file)

    def _keep(self, key: str, file: Attachment, *, inline: bool = False) -> wire.StoredFile:
        name = file.name.replace("\x00", "")[:_NAME_CHARS]
        media_type = file.media_type[:_NAME_CHARS] or "application/octet-stream"
        digest = spool.sha256(file.data)
        if inline:
            return wire.StoredFile(name, media_type, len(file.data), digest, inline=bytes(file.data))
        self._blobs.put(key, file.data)
        return wire.StoredFile(
            name, media_type, len(file.data), digest, key=key, content_id=file.content_id[:_NAME_CHARS]
        )

    def _raw_file(self, raw: RawContact, contact_id: str, *, wanted: bool, pending: bool) -> wire.StoredFile | None:
        """The bytes as the log names them: in a blob when they are large, inline when they are shown; else only in the row."""
        size = len(raw.body)
        if size > RAW_ROW_BYTES or (wanted and size > RAW_INLINE_BYTES):
            key = f"intake/{contact_id}/raw"
            self._blobs.put(key, raw.body)
            return wire.StoredFile(_raw_name(raw), raw.media_type, size, key=key)
        if wanted and not pending:
            return wire.StoredFile(_raw_name(raw), raw.media_type, size, inline=bytes(raw.body))
        return None


def unreadable(raw: RawContact, reason: str) -> Inbound:
    """What stands for bytes nobody could read: a contact without words, the raw file beside it."""
    return Inbound(event_key=f"raw:{raw.transport_key}", external_id=f"raw:{raw.transport_key}", not_rendered=reason)


def _raw_name(raw: RawContact) -> str:
    return {"message/rfc822": "original.eml", "application/json": "original.json"}.get(raw.media_type, "original.bin")


def _raw_row(prepared: Prepared, raw: RawContact, file: wire.StoredFile | None) -> dict[str, str | int | bytes]:
    in_blob = file.key if file else ""
    state = "pending" if prepared.pending else "unparsed" if prepared.reason else "parsed"
    return {
        "id": prepared.raw_id,
        "raw_key": prepared.raw_key,
        "account_id": prepared.account.id,
        "body": b"" if in_blob else bytes(raw.body),
        "blob_key": in_blob,
        "media_type": raw.media_type,
        "meta": _meta(raw.meta),
        "size_bytes": len(raw.body),
        "state": state,
        "mode": raw.mode.value,
        "due_us": prepared.received_us if prepared.pending else 0,
        "received_us": prepared.received_us,
    }


def _meta(meta: Mapping[str, str]) -> str:
    return json.dumps(dict(meta)) if meta else "{}"


def _threading(capabilities: Capabilities, inbound: Inbound) -> Threading:
    if capabilities.threading is Threading.CONVERSATION and not inbound.conversation:
        return Threading.ALWAYS_NEW
    return capabilities.threading


def _bounded(inbound: Inbound, received: datetime) -> Inbound:
    """The contact with what is too long to travel cut; the raw bytes keep it all. The sender's clock is clamped."""
    changes: dict[str, object] = {}
    for name in ("to", "cc", "identities", "ancestors", "references"):
        if len(getattr(inbound, name)) > _MANY:
            changes[name] = getattr(inbound, name)[:_MANY]
    for name in ("event_key", "external_id", "conversation"):
        if "\x00" in getattr(inbound, name):  # what a database keeps otherwise than it was given finds nothing again
            changes[name] = getattr(inbound, name).replace("\x00", "")
    if len(inbound.subject) > _SUBJECT_CHARS:
        changes["subject"] = inbound.subject[:_SUBJECT_CHARS]
    if inbound.occurred_at is not None:
        latest = received + timedelta(days=1)
        if not datetime(1990, 1, 1, tzinfo=UTC) <= inbound.occurred_at <= latest:
            changes["occurred_at"] = received
    return replace(inbound, **changes) if changes else inbound  # type: ignore[arg-type]  # names and types are the fields'
