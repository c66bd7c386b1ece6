"""Signed addresses and Message-IDs, by which a mail names its ticket or its delivery without being guessable.

Reply address `local+<ticket id>-<sig>@domain`, bounce address `bounces+<delivery id>-<sig>@domain`, Message-ID
`<delivery id>.<ticket id>.<sig>@domain`. Signatures are HMAC-SHA256 under the purpose "mail-token", base 32, lower
case, compared in constant time; providers may change the case of all of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from services.intake.mail.parsed import ParsedMail

_REPLY = 10  # 50 bits: a guess an attempt is visible long before it hits
_MESSAGE = 13
_BOUNCES = "bounces"
_ADDRESS = re.compile(
    r"(?P<local>[^@+]{1,64})\+(?P<id>[a-z]{3}_[0-9a-z]{6,40})-(?P<sig>[a-z2-7]{10})@(?P<domain>.{1,253})\Z",
    re.IGNORECASE,
)
_MESSAGE_ID = re.compile(
    r"<?(?P<delivery>dlv_[0-9a-z]{6,40})\.(?P<ticket>tkt_[0-9a-z]{6,40})?\.(?P<sig>[a-z2-7]{13})@.{1,253}\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MessageMark:
    """What one of our own Message-IDs says."""

    delivery_id: str
    ticket_id: str  # empty when the mail was about no ticket


class MailTokens:
    """Makes and reads tokens under the present key, and reads those of keys before it."""

    def __init__(self, key: bytes, *, former: tuple[bytes, ...] = ()) -> None:
        self._keys = (key, *former)

    def _sign(self, key: bytes, purpose: str, value: str, length: int) -> str:
        digest = hmac.new(key, f"{purpose}\x00{value}".encode(), hashlib.sha256).digest()
        return base64.b32encode(digest).decode("ascii").lower()[:length]

    def _verify(self, purpose: str, value: str, signature: str) -> bool:
        given = signature.lower()
        good = [hmac.compare_digest(self._sign(key, purpose, value, len(given)), given) for key in self._keys]
        return any(good)

    def reply_address(self, address: str, ticket_id: str) -> str:
        """Where an answer to a ticket is sent: the account's address with the ticket's token."""
        local, _, domain = address.rpartition("@")
        return f"{local.partition('+')[0]}+{ticket_id}-{self._sign(self._keys[0], 'reply', ticket_id, _REPLY)}@{domain}"

    def bounce_address(self, address: str, delivery_id: str) -> str:
        """Envelope sender of a delivery: a bounce to it names the delivery by itself (VERP)."""
        domain = address.rpartition("@")[2]
        return f"{_BOUNCES}+{delivery_id}-{self._sign(self._keys[0], 'bounce', delivery_id, _REPLY)}@{domain}"

    def message_id(self, address: str, delivery_id: str, ticket_id: str) -> str:
        """Our Message-ID for a delivery, without angle brackets; the same on every attempt."""
        signature = self._sign(self._keys[0], "message", f"{delivery_id}.{ticket_id}", _MESSAGE)
        return f"{delivery_id}.{ticket_id}.{signature}@{address.rpartition('@')[2]}"

    def ticket_of_address(self, address: str) -> str:
        """The ticket a reply address names, or an empty string when the signature is not ours."""
        match = _ADDRESS.match(address.strip())
        if not match or match["local"].lower() == _BOUNCES:
            return ""
        ticket_id = match["id"].lower()
        return ticket_id if self._verify("reply", ticket_id, match["sig"]) else ""

    def delivery_of_address(self, address: str) -> str:
        """The delivery a bounce address names, or an empty string."""
        match = _ADDRESS.match(address.strip())
        if not match or match["local"].lower() != _BOUNCES:
            return ""
        delivery_id = match["id"].lower()
        return delivery_id if self._verify("bounce", delivery_id, match["sig"]) else ""

    def of_message_id(self, message_id: str) -> MessageMark | None:
        """What one of our Message-IDs says, or None when it is not ours. The local part may have changed case."""
        match = _MESSAGE_ID.match(message_id.strip().rstrip(">"))
        if not match:
            return None
        delivery_id, ticket_id = match["delivery"].lower(), (match["ticket"] or "").lower()
        signed = self._verify("message", f"{delivery_id}.{ticket_id}", match["sig"])
        return MessageMark(delivery_id, ticket_id) if signed else None

    def ticket_of(self, mail: ParsedMail) -> str:
        """The ticket a mail names by a token: in an address it came to, else in an id it answers. Empty when none.

        Addresses are those of To, Cc and the routing fields; ids those of In-Reply-To, then References from the end.
        """
        for address in (*mail.delivered_to, *(one.address for one in (*mail.to, *mail.cc))):
            if ticket_id := self.ticket_of_address(address):
                return ticket_id
        for message_id in ancestors(mail):
            mark = self.of_message_id(message_id)
            if mark is not None and mark.ticket_id:
                return mark.ticket_id
        return ""

    def delivery_of(self, mail: ParsedMail, *, envelope_to: tuple[str, ...] = ()) -> str:
        """The delivery a bounce is about: by the address it came to, else by the Message-ID it returns. Empty when none."""
        for address in (*envelope_to, *mail.delivered_to, *(one.address for one in mail.to)):
            if delivery_id := self.delivery_of_address(address):
                return delivery_id
        original = (mail.bounce.original_message_id,) if mail.bounce else ()
        for message_id in (*original, *ancestors(mail)):
            if mark := self.of_message_id(message_id):
                return mark.delivery_id
        return ""

    def is_ours(self, mail: ParsedMail) -> bool:
        """Whether this installation wrote the mail: its own Message-ID is signed by us."""
        return self.of_message_id(mail.message_id) is not None


def ancestors(mail: ParsedMail) -> tuple[str, ...]:
    """Ids a mail answers, the strongest first: In-Reply-To, then References from the end. Never the mail's own id."""
    found = dict.fromkeys((*mail.in_reply_to, *reversed(mail.references)))
    return tuple(one for one in found if one and one != mail.message_id)


def plain_address(address: str) -> str:
    """The address without its `+suffix`, in lower case: what an account's address is compared with."""
    local, mark, domain = address.strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}{mark}{domain}"


def is_bounce_address(address: str) -> bool:
    """Whether mail to it is a bounce for us to read, whatever its token."""
    return plain_address(address).startswith(f"{_BOUNCES}@")
