"""What arrived, as far as rules need it: the contact, its sender, what its channel can do.

Times are microseconds since 1970 UTC, as the rows hold them; calendar work happens in `hours`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Automatic(enum.IntEnum):
    """Whether a person wrote it; only what a person wrote is acknowledged or reopens a ticket."""

    PERSON = 1
    OUT_OF_OFFICE = 2
    SYSTEM = 3
    LIST = 4
    BOUNCE = 5
    OWN = 6


class Threading(enum.IntEnum):
    """How a channel's contacts find their ticket."""

    MAIL = 1
    CONVERSATION = 2
    ALWAYS_NEW = 3


@dataclass(slots=True)
class Identity:
    """One address of a person as a contact shows it. `scope` limits where the value is unique.

    A value like the others; not frozen only because making a frozen one costs twice as much on the hot path.
    """

    kind: str
    value: str
    scope: str = ""
    name: str = ""
    verified: bool = False
    source: str = ""

    @property
    def key(self) -> str:
        """What is unique of it, as one string; the unit separator occurs in no address."""
        return f"{self.kind}\x1f{self.value}\x1f{self.scope}"


def scope_of(kind: str, *, channel: str, account_id: str, brand_id: str) -> str:
    """Where a value of this kind means one person: empty for e-mail and phone, which mean it everywhere.

    Platform-wide names are unique by channel, visitors by account, a shop's own customer numbers by brand.
    """
    if kind == "handle":
        return channel
    if kind == "visitor":
        return account_id
    return brand_id if kind == "customer" else ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the channel can do with an answer; `packed` is the wire form that rows keep."""

    replies: bool = False
    replies_by: str = ""
    public: bool = False
    recipients: bool = False
    live: bool = False
    letters: bool = False
    html: bool = False
    subject: bool = False
    max_length: int = 0
    length_unit: str = "characters"
    max_attachments: int = 0
    max_attachment_bytes: int = 0
    undo_s: int = 0
    packed: bytes = b""


@dataclass(slots=True)
class Contact:
    """One inbound thing. `source` is the message it came in, which only `wire` opens.

    A value like the others; not frozen only because making a frozen one of so many fields costs 4 µs on the hot path.
    """

    id: str
    brand_id: str
    account_id: str
    channel: str
    conversation: str
    external_id: str
    sender: Identity
    identities: tuple[Identity, ...]
    subject: str
    excerpt: str
    automatic: Automatic
    threading: Threading
    received_us: int
    capabilities: Capabilities
    live: bool = True
    token_ticket_id: str = ""
    ancestors: tuple[str, ...] = ()
    subject_number: int = 0
    language: str = ""
    topic: str = ""
    not_rendered: str = ""
    order_number: str = ""
    has_attachments: bool = False
    suspicious: bool = False
    message_id: str = ""
    acknowledge_by: str = ""
    trace_id: str = ""
    cause_id: str = ""
    person_hash: bytes = b""
    suffix: str = ""  # part of the id that the ids of what it opens share: a second try makes the same ones
    interaction_id: str = ""
    source: object = field(default=None, compare=False, repr=False)

    @property
    def by_person(self) -> bool:
        """Whether a person wrote it."""
        return self.automatic is Automatic.PERSON
