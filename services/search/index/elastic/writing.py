"""A document as lines of a bulk body, and as it comes back.

The version is the owner's rev (`external_gte`): an older one is refused by the server, whoever sends it and whenever;
the same one may be written again, with other facts of its ticket. What is deleted stays as a tombstone with its rev,
since the server itself forgets a deleted id's version after a minute (`index.gc_deletes`).
"""

from __future__ import annotations

import time
from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec

from services.search.domain.document import Document
from services.search.domain.words import LANGUAGES, composed
from services.search.index.analysis import Analysis, whole_text
from services.search.index.derived import author_of, codes_of, flags_of, order_key, title_of
from services.search.ports import IndexDamaged

_FIELD_OF = {language: f"text_{language}" for language in LANGUAGES}
_ENCODE = msgspec.json.Encoder().encode

# What a document is kept as: its own fields, those that are empty left out.
_HINTS = get_type_hints(Document)
_VALUES = attrgetter(*(field.name for field in fields(Document)))
_Source: Any = msgspec.defstruct(
    "_Source",
    [
        (one.name, _HINTS[one.name]) if one.default is MISSING else (one.name, _HINTS[one.name], one.default)
        for one in fields(Document)
    ],
    omit_defaults=True,
    gc=False,
)


class _Fields(msgspec.Struct, omit_defaults=True, gc=False):
    """The fields of the mapping; those that are empty are left out. Made in one call, it costs half of a dictionary."""

    kind: str
    words: str
    order: int
    at: int
    source: Any
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
    group: str = ""
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


def lines(document: Document, analysis: Analysis) -> bytes:
    """The two lines of a bulk body that put a document, or its tombstone, in place of an older one."""
    action = {"index": {"_id": document.id, "version": document.rev, "version_type": "external_gte"}}
    made = {"gone": time.time_ns() // 1000} if document.deleted else _fields(document, analysis)
    return b"%s\n%s\n" % (_ENCODE(action), _ENCODE(made))


def forgetting(id_: str, version: int) -> bytes:
    """The line that removes a tombstone, unless something newer has come."""
    return _ENCODE({"delete": {"_id": id_, "version": version, "version_type": "external_gte"}}) + b"\n"


def _fields(document: Document, analysis: Analysis) -> _Fields:
    title, text = composed(document.title), composed(document.text)
    whole = whole_text(title, text)
    runs = whole.split()
    made = _Fields(
        document.kind,
        whole,
        order_key(document),
        document.occurred_us,
        _Source(*_VALUES(document)),
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
        str(document.number or document.id),
        document.brand_ids,
        document.tags,
        flags_of(document),
        codes_of(document, whole, runs, analysis.telling(runs)),
        title_of(document, title),
        composed(document.sender),
        composed(document.recipients),
        composed(document.files),
    )
    for language in analysis.languages_of(document, runs, len(whole)):
        setattr(made, _FIELD_OF[language], whole)
    return made


def kept(hit: dict[str, Any]) -> Document:
    """A document as it was given. Raises `IndexDamaged` when it is not whole."""
    try:
        return msgspec.convert(hit["_source"]["source"], Document)
    except (KeyError, msgspec.ValidationError) as error:
        raise IndexDamaged("The index gave back a document without its source.") from error
