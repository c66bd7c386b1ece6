"""What an index derives from a document beside its own fields: its place in time, flags, codes, title."""

from __future__ import annotations

import zlib

from services.search.domain import codes
from services.search.domain.document import OF_A_TICKET, TICKET, Document
from services.search.domain.words import composed

_UNSOLVED = frozenset({"new", "open", "waiting"})
_FROM_US = frozenset({"out", "internal"})


def order_key(document: Document) -> int:
    """Newest-first order that is the same for ever: microseconds, then ten bits of the id."""
    return (max(document.occurred_us, 0) << 10) | (zlib.crc32(document.id.encode()) & 1023)


def last_key(moment_us: int) -> int:
    """The greatest key of a moment."""
    return (moment_us << 10) | 1023


def flags_of(document: Document) -> tuple[str, ...]:
    """Its own, and those that follow from its ticket."""
    flags = document.flags
    if document.order:
        flags = (*flags, "order")
    if not document.agent and document.state in _UNSOLVED:
        flags = (*flags, "unassigned")
    return flags


def codes_of(document: Document, whole: str, runs: list[str], telling: list[str]) -> tuple[str, ...]:
    """Its own codes and those of its text, in the forms they are sought by."""
    found = codes.extract(whole, runs, telling) if telling else []
    for code in (*document.codes, document.order) if document.kind == TICKET else document.codes:
        found.extend(codes.forms(code))
        if code.startswith("+") and (phone := codes.phone_form(code)):
            found.append(phone)
    return tuple(found)


def title_of(document: Document, title: str) -> str:
    """Its own title, which `title` is, or that of its ticket."""
    return title or (composed(document.subject) if document.kind in OF_A_TICKET else "")


def author_of(document: Document) -> str:
    """Who of us wrote it."""
    return document.author_id if document.direction in _FROM_US else ""
