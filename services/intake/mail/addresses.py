"""Address lists as they are in the wild, read without being fooled: one mailbox is exactly one `addr-spec`.

A tokeniser of our own: the standard library's `getaddresses` had spoofing bugs, and is slow on hostile input.
"""

from __future__ import annotations

import re

from services.intake.mail import limits
from services.intake.mail.headers import words
from services.intake.mail.parsed import Address

_SPEC = re.compile(r"[^\s<>()\[\]\\,;:\"@\x00-\x1f\x7f]{1,64}@[^\s<>()\\,;:\"@\x00-\x1f\x7f]{1,253}\Z")
_QUOTED_SPEC = re.compile(r'"(?:[^"\\\r\n]|\\.){1,62}"@[^\s<>()\\,;:"@\x00-\x1f\x7f]{1,253}\Z')
_OVERRIDES = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u0000-\u001f\u007f-\u009f]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|\((?:[^()\\]|\\.)*\)?|<[^>]*>?|[,;:]|[^",;:<(]+', re.DOTALL)


def is_address(text: str) -> bool:
    """Whether `text` is one plain `addr-spec` we would store and answer."""
    return bool(_SPEC.match(text)) and ".." not in text.rpartition("@")[2] and not text.endswith(".")


def normal(address: str) -> str:
    """The address with its domain in lower case, or an empty string when it is none."""
    text = address.strip().strip("\u200b")
    if not (is_address(text) or _QUOTED_SPEC.match(text)):
        return ""
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def shown(name: str) -> str:
    """A display name fit to show: no line ends, no direction overrides, at most 200 characters."""
    return " ".join(_OVERRIDES.sub("", name).split())[:200]


def parse(value: str) -> tuple[Address, ...]:
    """The mailboxes of a header, groups opened, duplicates dropped; at most the limit of recipients.

    `a@good <b@evil>` is b@evil, with the claim as its name. What is no address is left out.
    """
    if not value:
        return ()
    found: dict[str, Address] = {}
    phrase: list[str] = []
    comment = angle = ""
    for token in [*_TOKEN.findall(value[: limits.HEADER_LINE_BYTES]), ","]:
        first = token[0]
        if first == '"' or (first not in "(<,;:" and token.strip()):
            phrase.append(token)
        elif first == "(":
            comment = comment or token.strip("()")
        elif first == "<":
            angle = angle or token
        elif first == ":" and not angle:
            phrase = []  # the name of a group
        elif first in ",;":
            one = _mailbox(phrase, comment, angle)
            if one is not None:
                found.setdefault(one.address.lower(), one)
            phrase, comment, angle = [], "", ""
            if len(found) >= limits.RECIPIENTS:
                break
    return tuple(found.values())


def _mailbox(phrase: list[str], comment: str, angle: str) -> Address | None:
    if angle:
        address = normal(angle.strip("<> \t").rpartition(":")[2] if angle.startswith("<@") else angle.strip("<> \t"))
        name = " ".join(_unquoted(part) for part in phrase)
    else:
        text = "".join(phrase).strip()
        address = normal(text) or next((one for part in text.split() if (one := normal(part))), "")
        name = comment
    return Address(shown(words(name)), address) if address else None


def _unquoted(text: str) -> str:
    text = text.strip()
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text.strip('"'))
    return text
