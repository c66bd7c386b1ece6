"""What intake needs from a channel, and what a channel may use of intake. Implemented in `channels/` and `app`.

Errors a channel raises, and what is done:

Unparsable    the bytes cannot be understood     stored, a ticket "not rendered", a row in quarantine, replay after a fix
OverBudget    not within the time given          stored as pending, parsed later by a worker with a larger budget
NotSent       surely not accepted                tried again (`retry`) or failed
Elsewhere     the customer is to be reached by another  sent by the brand's account of that channel
Uncertain     may have been accepted             `unknown`: a person decides. So is every other exception of `send`
Forbidden, Unauthenticated (kit.errors)          401 or 403, nothing stored
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from services.intake.domain.channel import (
    Account,
    Capabilities,
    Notice,
    Outbound,
    Receipt,
    SettingField,
    Step,
)
from services.intake.domain.contact import (
    Accepted,
    Act,
    Attachment,
    Automatic,
    Bounce,
    Identity,
    Inbound,
    Mode,
    RawContact,
    Threading,
)
from services.kit.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

    from services.kit.blobs import Blobs
    from services.kit.clock import Clock
    from services.kit.config import Settings
    from services.kit.egress import Egress
    from services.kit.secrets import Keys

__all__ = [
    "Accepted",
    "Account",
    "Act",
    "Attachment",
    "Automatic",
    "Bounce",
    "Capabilities",
    "Channel",
    "Door",
    "Elsewhere",
    "Feed",
    "Identity",
    "Inbound",
    "Listens",
    "Mode",
    "NotSent",
    "Notice",
    "Notifies",
    "Outbound",
    "OverBudget",
    "Presence",
    "RawContact",
    "RawRequest",
    "Receipt",
    "Route",
    "SettingField",
    "Step",
    "Stops",
    "Threading",
    "Tools",
    "Uncertain",
    "Unparsable",
    "Verifies",
    "Visitors",
]


class Unparsable(Invalid):
    """The one error of `parse`. `field` names the part at fault, the message says what is wrong with it."""


class OverBudget(Exception):
    """`parse` did not finish in its time."""


class NotSent(Exception):
    """The provider surely did not accept it. Safe to try again when `retry`; otherwise it failed for good."""

    def __init__(
        self,
        message: str,
        *,
        retry: bool,
        after_s: float = 0.0,
        recipients_gone: Sequence[str] = (),
        account: bool = False,
    ) -> None:
        super().__init__(message)
        self.message, self.retry, self.after_s = message, retry, after_s
        self.recipients_gone = tuple(recipients_gone)  # addresses that do not exist: automatic mail stops going there
        self.account = account  # the account is at fault (login, permission): shown on it


class Uncertain(Exception):
    """The answer of the provider was lost after the message left: nobody knows."""


class Elsewhere(Exception):
    """The customer has left this channel and gave an address: `channel` carries the answer to `to`."""

    def __init__(self, channel: str, to: Sequence[Identity]) -> None:
        super().__init__(f"to be sent by {channel}")
        self.channel, self.to = channel, tuple(to)


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a visitor is there, and how else to reach them."""

    connected: bool
    gone_s: float = 0.0
    email: str = ""
    name: str = ""


class Visitors(Protocol):
    """Where a live channel puts an answer: into the conversation's history, and before the visitor's eyes."""

    def post(self, conversation: str, *, client_id: str, author: str, text: str, automatic: bool) -> Presence:
        """Stores the message once per `client_id`, shows it to who is connected. Raises `NotFound`."""
        ...


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One HTTP request to `/hooks/{channel}/{account}`, body whole. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a channel is built with. No database, no bus, no ticket."""

    settings: Settings
    keys: Keys
    clock: Clock
    egress: Egress
    blobs: Blobs
    data: Path
    visitors: Visitors | None = None


class Channel(Protocol):
    """One file of `channels/`; its name is the id. The file has `build(tools) -> Channel`."""

    id: str
    capabilities: Capabilities
    fields: Sequence[SettingField]

    def parse(self, raw: RawContact, account: Account, *, budget_s: float) -> Sequence[Inbound]:
        """What is in the bytes, in order. Pure: the same bytes give the same keys. Raises `Unparsable`, `OverBudget`."""
        ...

    def send(self, outbound: Outbound, account: Account) -> Receipt:
        """Sends once, blocking. Raises `NotSent` or `Uncertain`. Bounded in time: 60 s."""
        ...

    def test(self, account: Account) -> Sequence[Step]:
        """Tries the account without writing to a customer; stops at the first step that fails. Raises nothing."""
        ...


class Verifies(Protocol):
    """A channel that is called by HTTP at `/hooks/{channel}/{account}`."""

    def verify(self, request: RawRequest, account: Account) -> None:
        """Raises `Unauthenticated` or `Forbidden` unless the request is the platform's, in constant time."""
        ...

    def transport_key(self, request: RawRequest) -> str:
        """What a resend of this request repeats; empty: the hash of the body."""
        ...


class Feed(Protocol):
    """What a listening channel is given for one account: a way in, a cursor, a place to report."""

    def accept(self, raws: Sequence[RawContact]) -> list[Accepted]:
        """Stores and answers after the commit, in order. Raises `Unavailable`: keep the cursor, try later."""
        ...

    def cursor(self) -> str:
        """What `move` stored last for this account; empty at first."""
        ...

    def move(self, cursor: str) -> None:
        """Stores the cursor: after the data it stands for."""
        ...

    def succeeded(self) -> None:
        """Says the account works: its last success is now."""
        ...

    def failed(self, reason: str) -> None:
        """Says what is wrong, for the operations page; no secret, no personal data."""
        ...


class Listens(Protocol):
    """A channel that fetches or holds a connection (IMAP). One thread per account, under a lease."""

    def listens_to(self, account: Account) -> bool:
        """Whether this account is set up for it."""
        ...

    def listen(self, account: Account, feed: Feed, stop: threading.Event) -> None:
        """Works until `stop`; returns within 5 s of it. Raises on failure: begun again with back-off, `failed` shown."""
        ...


class Notifies(Protocol):
    """A channel that can write to somebody of the staff, who is no customer."""

    def notifies(self, account: Account) -> bool:
        """Whether this account has a way out."""
        ...

    def notify(self, notice: Notice, account: Account) -> None:
        """Sends once, blocking; what comes back leads to nobody's ticket. Raises `NotSent` or `Uncertain`."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail to an address goes. `account_id` is empty for an address of ours that belongs to no single account."""

    account_id: str
    brand_id: str


class Door(Protocol):
    """What a listener of its own (SMTP, LMTP) is given: who is at an address, and the way in."""

    def accept(self, raws: Sequence[RawContact]) -> list[Accepted]:
        """As `Feed.accept`, for any account. Thread-safe, blocks until the commit."""
        ...

    def accounts_for_address(self, address: str) -> Sequence[Route]:
        """Accounts whose address this is: any case, any `+suffix`; the bounce address and `postmaster` too. None: 550."""
        ...


class Stops(Protocol):
    """A channel that keeps something open (a parser's process)."""

    def close(self) -> None:
        """Ends it."""
        ...
