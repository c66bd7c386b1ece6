"""What arrives: raw bytes as they came, and what a channel found in them. Values only."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class Automatic(enum.Enum):
    """Whether a person wrote it; values are those of `ascolto.intake.v1.Automatic`."""

    PERSON = 1
    OUT_OF_OFFICE = 2
    SYSTEM = 3
    LIST = 4
    BOUNCE = 5
    OWN = 6


class Threading(enum.Enum):
    """Which ticket a contact enters; values are those of `ascolto.intake.v1.Threading`."""

    MAIL = 1
    CONVERSATION = 2
    ALWAYS_NEW = 3


class Act(enum.Enum):
    """What one inbound thing does."""

    MESSAGE = "message"
    EDITED = "edited"
    DELETED = "deleted"
    REACTION = "reaction"
    BOUNCE = "bounce"  # applied to the delivery it is about; opens no ticket


class Mode(enum.Enum):
    """Whether it may touch people; values are those of `ascolto.common.v1.Mode`."""

    LIVE = 1
    IMPORT = 2
    REPLAY = 3


@dataclass(frozen=True, slots=True)
class Identity:
    """One address of a person. `kind` is email, phone, handle, visitor or customer (the shop's own id)."""

    kind: str
    value: str
    name: str = ""  # a claim
    verified: bool = False


class Content(Protocol):
    """Bytes wherever they lie: in memory, or in a file when they are too many (`kit.spool`)."""

    def __len__(self) -> int: ...
    def __getitem__(self, wanted: slice, /) -> bytes: ...
    def __bytes__(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as the sender named it; nothing in it is trusted."""

    name: str
    media_type: str
    data: Content
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery report. `delivery_id` from our signed bounce address or Message-ID when there was one."""

    delivery_id: str = ""
    message_id: str = ""  # of the mail that came back
    recipients: tuple[str, ...] = ()
    hard: bool = True  # False: it may yet arrive; the delivery stays as it is
    reason: str = ""  # in words for the agent, with the status code


@dataclass(slots=True)
class RawContact:
    """Bytes from one end of a channel, before anybody looked into them.

    `transport_key` makes a resend a no-op (header id, UIDVALIDITY + UID, hash of the body). `meta` holds what the
    transport knew beside the bytes (envelope sender, recipients, peer); it is kept with them.
    """

    account_id: str
    transport_key: str
    body: Content
    media_type: str = "application/octet-stream"
    meta: Mapping[str, str] = field(default_factory=dict)
    received_at: datetime | None = None  # None: now
    mode: Mode = Mode.LIVE


@dataclass(slots=True, kw_only=True)
class Inbound:
    """One thing found in a raw contact, in the words every channel shares.

    A value, never changed; `frozen` alone would cost 4 µs at each making of so many fields.

    `event_key` makes a repeat a repeat, within the account (or the brand, see `Capabilities.unique_per_brand`).
    `html` is already sanitised. `text` is the new text, `quoted_text` what it quotes.
    """

    event_key: str
    external_id: str
    conversation: str = ""
    act: Act = Act.MESSAGE
    sender: Identity | None = None
    identities: tuple[Identity, ...] = ()
    to: tuple[Identity, ...] = ()
    cc: tuple[Identity, ...] = ()
    subject: str = ""
    text: str = ""
    quoted_text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    automatic: Automatic = Automatic.PERSON
    token_ticket_id: str = ""
    ancestors: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    message_id: str = ""
    reply_to: str = ""
    subject_number: int = 0
    topic: str = ""
    language: str = ""
    locale: str = ""
    occurred_at: datetime | None = None
    sender_verdict: str = ""
    suspicious: bool = False
    order_number: str = ""
    not_rendered: str = ""  # parsed only in part: the reason; the raw file is shown beside it
    bounce: Bounce | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of one raw contact, after the commit. One raw may hold several contacts: `id` is the first's."""

    id: str
    duplicate: bool = False
    pending: bool = False  # stored, not yet parsed
    error: str = ""  # set: this item was refused and nothing was stored
    field: str = ""
    kind: str = ""  # of `kit.errors`
