"""What a mail says once it is understood: plain values, fit to cross a process border."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime

from services.kit.spool import Spooled


class Unparsable(Exception):
    """No parser understands this mail, or not within the limits. `reason` is for people; the raw bytes are kept."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Automatic(enum.StrEnum):
    """Who wrote it. Values are the names of the contract's enum without its prefix."""

    PERSON = "PERSON"
    OUT_OF_OFFICE = "OUT_OF_OFFICE"
    SYSTEM = "SYSTEM"
    LIST = "LIST"
    BOUNCE = "BOUNCE"
    OWN = "OWN"


class Outcome(enum.StrEnum):
    """What a bounce says of one recipient."""

    HARD = "hard"  # the address is dead
    SOFT = "soft"  # may work later
    FULL = "full"  # mailbox full
    POLICY = "policy"  # refused for what or who we are, not for the address
    DELAYED = "delayed"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"  # marked as spam by the reader


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox. `name` is a claim; `address` has a lower-case domain, and is empty only when none was given."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class MailFile:
    """An attachment or inline picture, bytes as decoded. `name` is safe to show and to save under."""

    name: str
    media_type: str
    content: bytes | Spooled
    content_id: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class BounceRecipient:
    """One recipient of a bounce; `status` is the enhanced code (RFC 3463), possibly empty."""

    address: str
    outcome: Outcome
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery report. `kind` is dsn, arf or text; ids have no angle brackets."""

    kind: str
    recipients: tuple[BounceRecipient, ...] = ()
    original_message_id: str = ""


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """Everything the channel needs of one mail. Ids carry no angle brackets; texts have LF line ends and no NUL."""

    message_id: str = ""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()  # oldest first
    date: datetime | None = None
    sender: Address = field(default_factory=lambda: Address("", ""))  # From, else Sender
    sender_header: Address | None = None  # Sender, when it differs
    original_sender: Address | None = None  # X-Original-Sender: lists and forms
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    delivered_to: tuple[str, ...] = ()  # Delivered-To, X-Original-To, Envelope-To, X-Forwarded-To, …
    return_path: str | None = None  # "" is the null sender, None is not told
    subject: str = ""
    subject_base: str = ""
    subject_number: int = 0  # [#10234]
    text: str = ""  # whole
    reply: str = ""  # what is new
    quoted: str = ""
    signature: str = ""
    forward: bool = False
    forwarded_from: Address | None = None
    html: str = ""  # sanitised; remote pictures moved to data-remote-src
    files: tuple[MailFile, ...] = ()
    automatic: Automatic = Automatic.PERSON
    never_answer: bool = False  # null sender, daemon, no-reply, X-Auto-Response-Suppress
    bounce: Bounce | None = None
    loop_marks: tuple[str, ...] = ()  # X-Loop
    authentication: tuple[tuple[str, str], ...] = ()  # Authentication-Results: server, rest; topmost first
    language: str = ""
    thread_index: str = ""  # Outlook's conversation, a hint
    reaction: str = ""  # an emoji, when the mail is only that
    flags: tuple[str, ...] = ()  # what was repaired or left out
    not_rendered: str = ""  # reason, when only the outline was read
