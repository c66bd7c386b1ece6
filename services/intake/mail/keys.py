"""The transport key of a mail: the same for a resend and for a copy in another mailbox, whatever hops it took."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import chain, islice

from services.intake.mail import limits
from services.kit.spool import Content, pieces

# Fields that hops add or change. `X-…` too: a mail that differs in nothing else is the same mail.
_TRACE = re.compile(
    rb"(?:received|return-path|delivered-to|envelope-to|received-spf|authentication-results|arc-[a-z-]+|x-[!-9;-~]+|status|lines|content-length|dkim-signature|domainkey-signature|delivery-date|resent-[a-z-]+|from (?=\S+ )|>from )",
    re.IGNORECASE,
)
_ID = re.compile(rb"^message-id[ \t]*:[ \t\r\n]*<?([^\s<>]{1,900})", re.IGNORECASE | re.MULTILINE)


def transport_key(raw: Content) -> str:
    """`<Message-ID>#<hash>`; without a Message-ID, or with an endless one, `#<hash>`. Reads the header block only once.

    The hash is SHA-256 of the mail with LF line ends and without trace fields. No full parse: some 10 µs for a
    small mail, a hash's speed for a large one, which is read piece by piece.
    """
    rest = _plain(raw)
    first = b"".join(islice(rest, 2))  # no shorter than the longest header block
    end = first.find(b"\n\n")
    head = first[: min(end if end >= 0 else len(first), limits.HEADER_BYTES)]
    digest = hashlib.sha256()
    trace = False
    for line in head.split(b"\n"):
        if line[:1] not in (b" ", b"\t"):
            trace = bool(_TRACE.match(line))
        if not trace:
            digest.update(line.strip())
            digest.update(b"\n")
    ends = 0  # line ends at the end of the mail do not count
    for piece in chain((first[len(head) :],), rest):
        if text := piece.rstrip(b"\n"):
            digest.update(b"\n" * ends)
            digest.update(text)
            ends = 0
        ends += len(piece) - len(text)
    match = _ID.search(head)
    name = match.group(1).decode("utf-8", "replace") if match and len(match.group(1)) <= 300 else ""
    return f"{name}#{digest.hexdigest()[:40]}"


def _plain(raw: Content) -> Iterator[bytes]:
    """The mail with LF line ends, in the pieces it comes in."""
    held = b""
    for piece in pieces(raw):
        text = held + piece
        held = b"\r" if text.endswith(b"\r") else b""
        yield text[: len(text) - len(held)].replace(b"\r\n", b"\n")
    if held:
        yield held


def hops(raw: Content) -> int:
    """How many servers the mail says it passed."""
    head = raw[: limits.HEADER_BYTES]
    end = head.find(b"\r\n\r\n")
    return len(re.findall(rb"^received[ \t]*:", head[: end if end >= 0 else None], re.IGNORECASE | re.MULTILINE))
