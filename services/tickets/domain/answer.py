"""What an answer may hold and whom it goes to: length in the channel's unit, personal data in public, recipients."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

from services.kit.errors import Invalid
from services.tickets.domain.contact import Capabilities, Identity
from services.tickets.domain.ticket import Ticket

MAX_UNDO_S = 30
MAX_TEXT = 500_000
_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_URL_WEIGHT = 23
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[a-z]{2,}", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w#])\+?\d(?:[ ./()-]{0,2}\d){7,14}(?!\w)")  # 8 to 15 digits, usual separators (E.164)
_ADDRESS = re.compile(r"[^\s@<>,;\x00-\x1f]+@[^\s@<>,;\x00-\x1f]+")
# Code points of weight one; all others weigh two. Source: developer.x.com, "Counting characters", configuration v3.
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_JOINERS = {0x200D, 0xFE0E, 0xFE0F}


def weighted_length(text: str) -> int:
    """Length as X counts it: a link 23, an emoji 2 however it is made, CJK 2, the rest 1."""
    total = len(_URL.findall(text)) * _URL_WEIGHT
    joined = False
    for character in unicodedata.normalize("NFC", _URL.sub("", text)):
        code = ord(character)
        if code in _JOINERS or 0x1F3FB <= code <= 0x1F3FF:  # joiner, variation, skin tone: part of the emoji before
            joined = code == 0x200D
            continue
        if joined:
            joined = False
            continue
        total += 1 if any(low <= code <= high for low, high in _LIGHT) else 2
    return total


def check_text(text: str, capabilities: Capabilities, *, attachments: int) -> None:
    """Raises `Invalid` when the answer is empty or longer than its channel carries, saying by how much."""
    if not text.strip() and not attachments:
        raise Invalid("The answer is empty.", field="text")
    if len(text) > MAX_TEXT:
        raise Invalid(f"The answer is longer than {MAX_TEXT} characters.", field="text")
    if not capabilities.max_length:
        return
    length = weighted_length(text) if capabilities.length_unit == "x_weighted" else len(text)
    if length > capabilities.max_length:
        over = length - capabilities.max_length
        raise Invalid(f"The answer has {length} of {capabilities.max_length} characters: cut {over}.", field="text")


def check_html(text: str, capabilities: Capabilities) -> None:
    """Raises `Invalid` when HTML, which says `text` again, cannot go this way or stands alone."""
    if not capabilities.html:
        raise Invalid("This channel carries plain text alone: leave html out.", field="html")
    if not text.strip():
        raise Invalid("Give the text of the html too, for those who read plain text.", field="text")


def check_files(sizes: Sequence[int], capabilities: Capabilities) -> None:
    """Raises `Invalid` when the channel does not carry so many files, or so large ones together."""
    if not sizes:
        return
    if not capabilities.max_attachments:
        raise Invalid("This channel carries no attachments.", field="attachments")
    if len(sizes) > capabilities.max_attachments:
        raise Invalid(f"This channel carries {capabilities.max_attachments} attachments at most.", field="attachments")
    if 0 < capabilities.max_attachment_bytes < sum(sizes):
        raise Invalid(
            f"The attachments have {sum(sizes)} bytes together; this channel carries {capabilities.max_attachment_bytes}.",
            field="attachments",
        )


def personal_data(text: str, *, order_number: str = "") -> str:
    """What in a public text belongs to one person: `an e-mail address`, `a phone number`, `an order number` or empty."""
    if _EMAIL.search(text):
        return "an e-mail address"
    if order_number and order_number.lower() in text.lower():
        return "an order number"
    if _PHONE.search(_URL.sub("", text)):
        return "a phone number"
    if re.search(
        r"(?:ordine|order|bestellung|commande|pedido|encomenda)\W{0,6}(?:n\W{0,3})?#?[a-z-]{0,4}\d{4,}",
        text,
        re.IGNORECASE,
    ):
        return "an order number"
    return ""


def check_address(text: str) -> str:
    """A mail address as it is kept. Raises `Invalid` for anything that could add a header or a recipient."""
    address = text.strip()
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        raise Invalid(f"{address!r} is not a mail address.", field="to")
    return address


def without_own(
    addresses: Iterable[Identity], own: Collection[str], *, besides: Sequence[Identity] = ()
) -> list[Identity]:
    """Addresses less ours (plus-suffixes included) and those in `besides`, each once, in order."""
    seen = {identity.value.lower() for identity in besides}
    kept: list[Identity] = []
    for identity in addresses:
        value = identity.value.lower()
        if not value or value in seen or _bare(value) in own:
            continue
        seen.add(value)
        kept.append(identity)
    return kept


def _bare(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def reply_subject(ticket: Ticket) -> str:
    """`Re: …` with the ticket's number, once each; no line break survives."""
    subject = " ".join(ticket.subject.split())[:200]
    mark = f"[#{ticket.number}]"
    prefixed = subject if subject.lower().startswith("re:") else f"Re: {subject}".strip()
    return prefixed if mark in prefixed else f"{prefixed} {mark}"
