"""Contacts by other programs: JSON in by hook or call, answers out by a signed webhook or kept for polling.

The body is checked strictly: a field nobody knows, a wrong type or an absurd date is refused by name.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from services.intake import signatures
from services.intake.domain.channel import Account, Capabilities, Outbound, Receipt, SettingField, Step
from services.intake.domain.contact import Attachment, Identity, Inbound, RawContact, Threading
from services.intake.mail import html as markup
from services.intake.ports import NotSent, RawRequest, Tools, Unparsable
from services.kit.errors import AscoltoError, Unavailable

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = timedelta(days=1)  # clocks that run ahead, zones that were forgotten
_TIMEOUT_S = 20.0
_MAX_SUBJECT = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,255}")  # one address, nothing that could become a second header
_AT_FIELD = re.compile(r"`\$\.?([^`]*)`$")  # msgspec: … - at `$.from.email`
_NAMED_FIELD = re.compile(r"field `([^`]+)`")  # msgspec: missing required, unknown

_MEDIA_TYPE = re.compile(r"\s*([\w.+-]{1,100}/[\w.+-]{1,100})\s*(?:;.*)?", re.ASCII)  # RFC 2045; parameters are dropped
_MAX_FILES = 100  # 300,000 empty ones fit in 15 MiB, and each is a row and a blob

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
Line = Annotated[str, msgspec.Meta(max_length=998)]


class _From(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    email: Line = ""
    phone: Line = ""
    name: Line = ""
    handle: Line = ""


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    content_base64: bytes
    name: Line = "file"
    media_type: Line = "application/octet-stream"


class _Contact(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename={"sender": "from"}):
    external_id: Key
    sender: _From
    conversation: Annotated[str, msgspec.Meta(max_length=512)] = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    attachments: Annotated[list[_File], msgspec.Meta(max_length=_MAX_FILES)] = []


_DECODER = msgspec.json.Decoder(_Contact)


def decode(body: bytes, *, now: datetime) -> Inbound:
    """One contact from its JSON. Raises `Unparsable`; its `field` is empty when the bytes are no JSON at all."""
    try:
        found = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        message = str(error)
        named, place = _NAMED_FIELD.search(message), _AT_FIELD.search(message)
        inside = place[1].replace("[", ".").replace("]", "") if place else ""
        field = ".".join(part for part in (inside, named[1] if named else "") if part) or "body"
        raise Unparsable(f"{field}: {message.partition(' - at ')[0]}.", field=field) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unparsable(f"The body is not valid JSON in UTF-8: {error}.") from error
    sender = found.sender
    return inbound(
        external_id=found.external_id,
        conversation=found.conversation,
        people=(sender.email, sender.phone, sender.handle, sender.name),
        subject=found.subject,
        text=found.text,
        html=found.html,
        occurred_at=found.occurred_at,
        attachments=[Attachment(f.name, f.media_type, f.content_base64) for f in found.attachments],
        now=now,
    )


def inbound(  # noqa: PLR0913 (the fields of the contract)
    *,
    external_id: str,
    conversation: str,
    people: tuple[str, str, str, str],
    subject: str,
    text: str,
    html: str,
    occurred_at: datetime | None,
    attachments: Sequence[Attachment],
    now: datetime,
) -> Inbound:
    """A contact from fields already of the right type; `people` is email, phone, handle, name. Raises `Unparsable`."""
    email, phone, handle, name = people
    if not external_id or len(external_id) > 512:
        raise Unparsable("external_id: it must have 1 to 512 characters.", field="external_id")
    _check_lines(
        ("external_id", external_id),
        ("conversation", conversation),
        ("from.email", email),
        ("from.phone", phone),
        ("from.handle", handle),
    )
    for field, value in (("text", text), ("html", html)):
        if "\0" in value:
            raise Unparsable(f"{field}: it holds a NUL character.", field=field)
    if len(subject) > _MAX_SUBJECT:
        raise Unparsable(f"subject: it has more than {_MAX_SUBJECT} characters.", field="subject")
    if email and not _ADDRESS.fullmatch(email):
        raise Unparsable("from.email: this is not one e-mail address.", field="from.email")
    if not (email or phone or handle):
        raise Unparsable("from: give at least one of email, phone, handle.", field="from")
    if not (text or html or attachments):
        raise Unparsable("text: give at least one of text, html, attachments.", field="text")
    if occurred_at is not None and not _EARLIEST <= occurred_at <= now + _LATEST:
        raise Unparsable("occurred_at: it lies before 1990 or more than a day ahead.", field="occurred_at")
    shown = name.translate(_CONTROLS)[:200]
    identities = [
        Identity(kind, value, shown)
        for kind, value in (("email", email.lower()), ("phone", _phone(phone)), ("handle", handle.strip().lstrip("@")))
        if value
    ]
    if not identities:
        raise Unparsable("from: the phone number or handle is empty.", field="from")
    return Inbound(
        event_key=external_id,
        external_id=external_id,
        conversation=conversation,
        sender=identities[0],
        identities=tuple(identities[1:]),
        subject=subject.translate(_CONTROLS) if subject else "",
        text=text or (markup.as_text(html) if html else ""),
        html=markup.sanitise(html) if html else "",
        attachments=tuple(_file(one, at) for at, one in enumerate(attachments)),
        occurred_at=occurred_at,
    )


def _check_lines(*lines: tuple[str, str]) -> None:
    for field, line in lines:
        if not line.isprintable() and _CONTROL.search(line):
            raise Unparsable(f"{field}: it holds a control character.", field=field)


def _file(given: Attachment, at: int) -> Attachment:
    """The attachment with its media type bare."""
    plain = _MEDIA_TYPE.fullmatch(given.media_type)
    if plain is None:
        field = f"attachments.{at}.media_type"
        raise Unparsable(f"{field}: write it as type/subtype, such as image/png.", field=field)
    return replace(given, media_type=plain[1].lower())


_CONTROLS = dict.fromkeys([*range(32), 127, 0x2028, 0x2029], " ")


def _phone(text: str) -> str:
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    return f"+{digits}" if digits and text.strip().startswith(("+", "00")) else digits


class ApiChannel:
    """See the module."""

    id = "api"
    capabilities = Capabilities(
        threading=Threading.CONVERSATION,
        html=True,
        subject=True,
        max_attachments=50,
        max_attachment_bytes=15 * 1024 * 1024,
    )
    fields = (
        SettingField("callback_url", "Where answers are sent (empty: kept for polling)", kind="url"),
        SettingField("webhook_secret", "Secret of signatures (whsec_…)", secret=True),
        SettingField("webhook_secret_old", "Secret that is being replaced", secret=True),
        SettingField("allow_hosts", "Private hosts the callback may reach"),
    )

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def verify(self, request: RawRequest, account: Account) -> None:
        """Raises `Unauthenticated` unless one of the account's secrets signed the request."""
        secrets = [account.secrets.get("webhook_secret", ""), account.secrets.get("webhook_secret_old", "")]
        signatures.verify(secrets, request.headers, request.body, now_s=self._tools.clock.now().timestamp())

    def transport_key(self, request: RawRequest) -> str:
        """The hash of the body: the contact's own id is what makes a repeat a repeat."""
        del request
        return ""

    def decode(self, body: bytes, now: datetime) -> Inbound:
        """One contact, for the way in that is called most. Raises `Unparsable`."""
        return decode(body, now=now)

    def parse(self, raw: RawContact, account: Account, *, budget_s: float) -> Sequence[Inbound]:
        """One contact. Raises `Unparsable`."""
        del account, budget_s
        return [decode(bytes(raw.body), now=raw.received_at or self._tools.clock.now())]

    def send(self, outbound: Outbound, account: Account) -> Receipt:
        """Posts the answer, signed, with the delivery's id as `webhook-id` on every attempt; without a URL it is kept."""
        url = account.setting("callback_url")
        if not url:
            return Receipt(outbound.delivery_id)
        now = self._tools.clock.now()
        body = json.dumps(
            {
                "type": "reply.created",
                "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "data": {
                    "id": outbound.reply_id,
                    "ticket_id": outbound.ticket_id,
                    "number": outbound.ticket_number,
                    "conversation": outbound.conversation,
                    "in_reply_to": outbound.in_reply_to,
                    "text": outbound.text,
                    "html": outbound.html,
                    "attachments": [
                        {
                            "name": one.name,
                            "media_type": one.media_type,
                            "content_base64": base64.b64encode(bytes(one.data)).decode("ascii"),
                        }
                        for one in outbound.attachments
                    ],
                    "author": outbound.author_name,
                    "automatic": outbound.automatic,
                },
            },
            ensure_ascii=False,
        ).encode()
        headers = {"content-type": "application/json", "user-agent": "Ascolto"} | signatures.signed_headers(
            account.secrets.get("webhook_secret", ""),
            message_id=outbound.delivery_id,
            timestamp_s=int(now.timestamp()),
            body=body,
        )
        allow = [host for host in account.setting("allow_hosts").split(",") if host.strip()]
        try:
            self._tools.egress.check(url, allow=allow)
        except Unavailable as error:
            raise NotSent(error.message, retry=True) from error
        except AscoltoError as error:
            raise NotSent(error.message, retry=False, account=True) from error
        try:
            answer = self._tools.egress.request(
                "POST", url, headers=headers, content=body, timeout_s=_TIMEOUT_S, max_bytes=65_536, allow=allow
            )
        except Unavailable as error:  # `webhook-id` is the receiver's key: a repeat is safe by the scheme
            raise NotSent(error.message, retry=True) from error
        if 200 <= answer.status < 300:
            return Receipt(outbound.delivery_id, delivered=True)
        wait = answer.headers.get("retry-after", "")
        raise NotSent(
            f"The callback answered {answer.status}.",
            retry=answer.status >= 500 or answer.status in {408, 425, 429},
            after_s=float(wait) if wait.isdigit() else 0.0,
            account=answer.status in {401, 403, 404, 410},
        )

    def test(self, account: Account) -> Sequence[Step]:
        """Looks whether the callback's host may be reached."""
        url = account.setting("callback_url")
        if not url:
            return [Step("callback", ok=True, detail="No callback: answers are kept for polling.")]
        try:
            self._tools.egress.check(url, allow=account.setting("allow_hosts").split(","))
        except AscoltoError as error:
            return [Step("callback", ok=False, detail=error.message)]
        signed = bool(account.secrets.get("webhook_secret"))
        detail = "" if signed else "Set a secret: without it the callback cannot know that we call."
        return [Step("callback", ok=True, detail=url), Step("secret", ok=signed, detail=detail)]


def build(tools: Tools) -> ApiChannel:
    """The channel."""
    return ApiChannel(tools)
