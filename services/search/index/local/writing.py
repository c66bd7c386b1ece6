"""A document as tantivy takes it, and as it is kept to be shown.

It goes to the engine as JSON: made in one call here and read in one there, it costs half of what filling a document
field by field does.
"""

from __future__ import annotations

import zlib
from dataclasses import fields
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec
import tantivy

from services.search.domain import codes
from services.search.domain.document import OF_A_TICKET, TICKET, Document
from services.search.domain.words import LANGUAGES, composed
from services.search.index.local.analysis import Analysis, whole_text
from services.search.ports import IndexDamaged

_UNSOLVED = frozenset({"new", "open", "waiting"})
_FIELD_OF = {language: f"text_{language}" for language in LANGUAGES}
_FROM_US = frozenset({"out", "internal"})

# Kept as a list of values: the names of so many fields would be as long as most documents.
_NAMES = tuple(field.name for field in fields(Document))
_VALUES = attrgetter(*_NAMES)
_HINTS = get_type_hints(Document)
_SOURCE: Any = tuple.__class_getitem__(tuple(_HINTS[name] for name in _NAMES))
_KEEPER = msgspec.msgpack.Encoder()
_READER = msgspec.msgpack.Decoder(_SOURCE)


class _Fields(msgspec.Struct, omit_defaults=True, gc=False):
    """The fields of the schema; those that are empty are left out."""

    id: str
    kind: str
    words: str
    order: int
    at: int
    source: bytes
    channel: str = ""
    state: str = ""
    agent: str = ""
    team: str = ""
    lang: str = ""
    tone: str = ""
    account: str = ""
    direction: str = ""
    customer_id: str = ""
    author_id: str = ""
    created: int = 0
    solved: int = 0
    due: int = 0
    number: int = 0
    brand: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    flag: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    title: str = ""
    sender: str = ""
    recipient: str = ""
    files: str = ""
    text_it: str = ""
    text_en: str = ""
    text_de: str = ""
    text_fr: str = ""
    text_es: str = ""
    text_pt: str = ""


_ENCODER = msgspec.json.Encoder()


def to_json(document: Document, analysis: Analysis) -> str:
    """A document with all its fields."""
    title, text = composed(document.title), composed(document.text)
    whole = whole_text(title, text)
    runs = whole.split()
    made = _Fields(
        document.id,
        document.kind,
        whole,
        order_key(document),
        document.occurred_us,
        _KEEPER.encode(_VALUES(document)),
        document.channel,
        document.state,
        document.agent,
        document.team,
        document.language,
        document.tone,
        document.account_id,
        document.direction,
        document.customer_id,
        document.author_id if document.direction in _FROM_US else "",
        document.opened_us,
        document.solved_us,
        document.due_us,
        document.number,
        document.brand_ids,
        document.tags,
        _flags(document),
        _codes(document, whole, runs, analysis.telling(runs)),
        title or (composed(document.subject) if document.kind in OF_A_TICKET else ""),
        composed(document.sender),
        document.recipients and composed(document.recipients),
        document.files and composed(document.files),
    )
    languages = analysis.languages_of(document, runs, len(whole))
    for language, stems in zip(languages, analysis.stemmed(languages, runs), strict=True):
        setattr(made, _FIELD_OF[language], stems)
    return _ENCODER.encode(made).decode()


def order_key(document: Document) -> int:
    """Newest-first order that is the same for ever: microseconds, then ten bits of the id."""
    return (max(document.occurred_us, 0) << 10) | (zlib.crc32(document.id.encode()) & 1023)


def last_key(moment_us: int) -> int:
    """The greatest key of a moment."""
    return (moment_us << 10) | 1023


def _flags(document: Document) -> tuple[str, ...]:
    flags = document.flags
    if document.order:
        flags = (*flags, "order")
    if not document.agent and document.state in _UNSOLVED:
        flags = (*flags, "unassigned")
    return flags


def _codes(document: Document, whole: str, runs: list[str], telling: list[str]) -> tuple[str, ...]:
    found = codes.extract(whole, runs, telling) if telling else []
    for code in (*document.codes, document.order) if document.kind == TICKET else document.codes:
        found.extend(codes.forms(code))
        if code.startswith("+") and (phone := codes.phone_form(code)):
            found.append(phone)
    return tuple(found)


def kept(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> Document:
    """A document as it was given. Raises `IndexDamaged` when the engine gives back something else."""
    source = searcher.doc(address).get_first("source")
    if not isinstance(source, bytes):
        raise IndexDamaged("The index gave back a document without its source.")
    return Document(*_READER.decode(source))
