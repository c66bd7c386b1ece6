"""A document as lines of a bulk body, and as it comes back.

The version is the owner's rev (`external_gte`): an older one is refused by the server, whoever sends it and whenever;
the same one may be written again, with other facts of its ticket. What is deleted stays as a tombstone with its rev,
since the server itself forgets a deleted id's version after a minute (`index.gc_deletes`).
"""

from __future__ import annotations

import time
from dataclasses import MISSING, fields
from typing import Any

import msgspec

from services.search.domain.document import Document
from services.search.domain.words import composed
from services.search.index.analysis import Analysis, whole_text
from services.search.index.derived import author_of, codes_of, flags_of, order_key, title_of
from services.search.ports import IndexDamaged

_DEFAULTS = {field.name: None if field.default is MISSING else field.default for field in fields(Document)}
_ENCODE = msgspec.json.Encoder().encode


def lines(document: Document, analysis: Analysis) -> bytes:
    """The two lines of a bulk body that put a document, or its tombstone, in place of an older one."""
    action = {"index": {"_id": document.id, "version": document.rev, "version_type": "external_gte"}}
    made = {"gone": time.time_ns() // 1000} if document.deleted else _fields(document, analysis)
    return _ENCODE(action) + b"\n" + _ENCODE(made) + b"\n"


def forgetting(id_: str, version: int) -> bytes:
    """The line that removes a tombstone, unless something newer has come."""
    return _ENCODE({"delete": {"_id": id_, "version": version, "version_type": "external_gte"}}) + b"\n"


def _fields(document: Document, analysis: Analysis) -> dict[str, Any]:
    title, text = composed(document.title), composed(document.text)
    whole = whole_text(title, text)
    runs = whole.split()
    made = {
        "kind": document.kind,
        "words": whole,
        "order": order_key(document),
        "at": document.occurred_us,
        "channel": document.channel,
        "state": document.state,
        "agent": document.agent,
        "team": document.team,
        "lang": document.language,
        "tone": document.tone,
        "account": document.account_id,
        "direction": document.direction,
        "customer_id": document.customer_id,
        "author_id": author_of(document),
        "created": document.opened_us,
        "solved": document.solved_us,
        "due": document.due_us,
        "number": document.number,
        "group": str(document.number or document.id),
        "brand": document.brand_ids,
        "tag": document.tags,
        "flag": flags_of(document),
        "codes": codes_of(document, whole, runs, analysis.telling(runs)),
        "title": title_of(document, title),
        "sender": composed(document.sender),
        "recipient": composed(document.recipients),
        "files": composed(document.files),
        "source": {name: value for name, default in _DEFAULTS.items() if (value := getattr(document, name)) != default},
    }
    for language in analysis.languages_of(document, runs, len(whole)):
        made[f"text_{language}"] = whole
    return {name: value for name, value in made.items() if value or name in {"order", "at"}}


def kept(hit: dict[str, Any]) -> Document:
    """A document as it was given. Raises `IndexDamaged` when it is not whole."""
    try:
        return msgspec.convert(hit["_source"]["source"], Document)
    except (KeyError, msgspec.ValidationError) as error:
        raise IndexDamaged("The index gave back a document without its source.") from error
