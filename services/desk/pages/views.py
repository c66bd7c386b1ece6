"""What templates show: plain values, so that a page can be drawn, tested and looked at without a service.

`wire` fills them from the services' answers. Texts that come from people are raw: templates escape them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Brand:
    """One shop, as the switch shows it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person at the desk and how they like it."""

    user_id: str
    name: str
    email: str
    permissions: frozenset[str]
    csrf: str
    language: str = "it"
    theme: str = "system"  # system, light, dark
    density: str = "comfortable"  # comfortable, compact
    presence: str = "available"  # available, away, break
    shortcuts: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)  # command to key, where remapped
    undo_s: int = -1  # below 0: the channel's own
    after_send: str = "stay"  # stay, next, list
    sounds: Sequence[str] = ()  # of `CALLS`
    notices: Sequence[str] = ()
    panes: Mapping[str, int] = field(default_factory=dict)  # px, where moved
    roles: frozenset[str] = frozenset()
    brand: Brand | None = None  # None: all
    brands: Sequence[Brand] = ()

    def may(self, permission: str) -> bool:
        """Whether the person has the permission; administrators have all."""
        return permission in self.permissions or "admin" in self.permissions

    @property
    def initials(self) -> str:
        """At most two letters."""
        return initials(self.name or self.email)


def initials(name: str) -> str:
    """First letters of the first and last word."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@dataclass(frozen=True, slots=True)
class Strip:
    """One sentence for everybody, under the top bar."""

    text: str
    href: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What an act did or why it did not; `act` undoes it: an address and its fields."""

    text: str
    kind: str = "success"  # success, warning, danger, info
    href: str = ""
    link: str = ""
    undo: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around every page."""

    viewer: Viewer
    section: str  # inbox, mentions, alerts, search, operations, settings, profile
    title: str
    alerts: int = 0  # to be claimed
    waiting: int = 0  # tickets late
    strips: Sequence[Strip] = ()
    notice: Notice | None = None
    path: str = "/"
    app: bool = False  # panes that scroll by themselves
    nonce: str = ""  # of the one inline style the policy lets in


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that could not be had, in the reader's words, with an id to quote."""

    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A list of tickets with its counts."""

    key: str
    label: str
    count: int
    late: int = 0
    current: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a customer wrote: its word and glyph."""

    label: str
    icon: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A small sign on a row, never without its name."""

    icon: str
    name: str
    bad: bool = False
    others: bool = False  # a colleague is there


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket in a list."""

    id: str
    number: int
    version: int
    customer: str
    channel: Channel
    subject: str
    messages: int
    unread: bool = False
    waiting_since: datetime | None = None
    waiting: str = ""  # words where nobody waits for us
    due: str = ""  # the chip's words
    due_kind: str = ""  # warning, danger
    marks: Sequence[Mark] = ()
    tags: Sequence[str] = ()
    owner: str = ""
    gone: str = ""  # why it no longer belongs to this view
    language: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a control."""

    value: str
    label: str
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """A ticket's properties."""

    id: str
    number: int
    version: int
    subject: str
    state: str
    state_label: str
    state_kind: str
    channel: Channel
    account: str
    owner: str
    owner_id: str
    mine: bool
    team: str
    priority: int
    tags: Sequence[str]
    due: str = ""
    due_kind: str = ""
    due_title: str = ""
    alert: str = ""  # id
    mention: str = ""
    follows: str = ""
    not_rendered: str = ""
    back: str = "/inbox"
    back_label: str = ""
    owners: Sequence[Choice] = ()
    priorities: Sequence[Choice] = ()
    last_seen: str = ""
    live: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file, shown inert."""

    href: str
    name: str
    size_bytes: int
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a message may not have arrived, and what can be done."""

    kind: str  # failed, bounced, unknown
    text: str
    acts: Sequence[Choice] = ()  # decision and its word
    reply_id: str = ""
    delivery_id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One interaction that people read: a letter, bubble, card or note."""

    id: str
    shape: str  # letter, bubble, card, note
    ours: bool
    author: str
    at: datetime
    text: str
    rev: int = 0
    channel: str = ""
    sender: str = ""
    recipients: str = ""
    language: str = ""
    quoted: str = ""
    attachments: Sequence[Attachment] = ()
    html_href: str = ""
    raw_href: str = ""
    text_href: str = ""  # the whole text, where it was cut
    state: str = ""  # sent, delivered, read … in words
    trouble: Trouble | None = None
    undo_until: datetime | None = None
    automatic: bool = False
    edited_at: datetime | None = None
    before: str = ""
    deleted: bool = False
    not_rendered: str = ""
    verdict: str = ""
    origin: str = ""  # address of a public post
    subject: str = ""
    fresh: bool = False  # not seen by this person yet
    named: Sequence[str] = ()  # of a note: what names somebody who was told


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, in one line."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One block of a thread: exactly one of its parts is set."""

    day: datetime | None = None
    seam: datetime | None = None
    messages: Sequence[Message] = ()  # several bubbles of one author within five minutes; else one
    events: Sequence[Event] = ()
    earlier: int = 0  # hidden here


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed and not yet sent."""

    text: str = ""
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    attachments: Sequence[Attachment] = ()
    saved_at: datetime | None = None
    by: str = ""  # a colleague who is writing
    key: str = ""
    caret: int = -1


@dataclass(frozen=True, slots=True)
class Composer:
    """Where an answer and a note are written."""

    channel: Channel
    via: str  # "by e-mail to"
    recipient: str
    replies: bool
    public: bool
    recipients: bool
    max_length: int
    unit: str
    max_attachments: int
    max_attachment_bytes: int
    undo_s: int
    live: bool
    reply: Draft
    note: Draft
    new_recipient: bool = False
    held: bool = False  # something had not been seen when Send was pressed
    open: str = "reply"
    gap: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """One address of a customer."""

    label: str
    value: str
    verified: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """Another ticket, as a line."""

    number: int
    subject: str
    detail: str
    late: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """Who is writing."""

    customer_id: str
    name: str
    facts: str
    identities: Sequence[Known]
    language: str = ""
    notes: str = ""
    version: int = 0
    open: Sequence[Other] = ()
    past: Sequence[Other] = ()
    order: str = ""
    alert: str = ""
    alert_label: str = ""
