"""A document as tantivy takes it, and as it is kept to be shown.

It goes to the engine as JSON: made in one call here and read in one there, it costs half of what filling a document
field by field does.
"""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec
import tantivy

from services.search.domain.document import Document
from services.search.domain.words import LANGUAGES, composed
from services.search.index.analysis import Analysis, whole_text
from services.search.index.derived import author_of, codes_of, flags_of, order_key, title_of
from services.search.ports import IndexDamaged

_FIELD_OF = {language: f"text_{language}" for language in LANGUAGES}

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
        author_of(document),
        document.opened_us,
        document.solved_us,
        document.due_us,
        document.number,
        document.brand_ids,
        document.tags,
        flags_of(document),
        codes_of(document, whole, runs, analysis.telling(runs)),
        title_of(document, title),
        composed(document.sender),
        document.recipients and composed(document.recipients),
        document.files and composed(document.files),
    )
    languages = analysis.languages_of(document, runs, len(whole))
    for language, stems in zip(languages, analysis.stemmed(languages, runs), strict=True):
        setattr(made, _FIELD_OF[language], stems)
    return _ENCODER.encode(made).decode()


def kept(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> Document:
    """A document as it was given. Raises `IndexDamaged` when the engine gives back something else."""
    source = searcher.doc(address).get_first("source")
    if not isinstance(source, bytes):
        raise IndexDamaged("The index gave back a document without its source.")
    return Document(*_READER.decode(source))
