"""The fields of the tantivy index, their tokenizers, and a document as tantivy takes it.

Accents are folded before stemming; each language has its own stemmed field; `words` holds the plain words for
phrases, names and typos; `codes` what is found as typed. Exact fields are fast, for facets.
"""

from __future__ import annotations

import zlib
from operator import attrgetter
from typing import Any

import msgspec
import tantivy

from services.search.domain import codes
from services.search.domain.document import CUSTOMER, OF_A_TICKET, TICKET, Document
from services.search.domain.words import LANGUAGES, composed, guess_language
from services.search.ports import IndexDamaged

VERSION = 1  # of the schema: an index with another is built anew
_STEMMERS = {"it": "Italian", "en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese"}
_LONGEST_TOKEN = 64
_SHORT = 400  # characters: a short text whose language is not known is stemmed in all
EXACT = (
    "kind", "channel", "state", "agent", "team", "lang", "tone", "brand", "account", "tag", "flag", "direction",
    "ticket_id", "customer_id", "author_id",
)  # fmt: skip
MOMENTS = {"at": "at", "created": "created", "solved": "solved", "due": "due"}
WORDS = ("title", "words", "sender", "recipient", "files", "codes")
_SINGLE = (
    "state", "agent", "team", "lang", "tone", "account", "direction", "ticket_id", "customer_id", "author_id",
    "created", "solved", "due", "number",
)  # fmt: skip
_SINGLE_OF = attrgetter(
    "state", "agent", "team", "language", "tone", "account_id", "direction", "ticket_id", "customer_id", "author_id",
    "opened_us", "solved_us", "due_us", "number",
)  # fmt: skip
_UNSOLVED = frozenset({"new", "open", "waiting"})
_DECODER = msgspec.msgpack.Decoder(Document)
_ENCODER = msgspec.msgpack.Encoder()


def build() -> tantivy.Schema:
    """The schema."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    for name in EXACT:
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("codes", tokenizer_name="raw", index_option="basic")
    for name in ("title", "words", "sender", "recipient", "files"):
        builder.add_text_field(name, tokenizer_name="folded")
    for language in LANGUAGES:
        builder.add_text_field(f"text_{language}", tokenizer_name=f"stem_{language}", index_option="freq")
    for name in ("order", "at", "created", "solved", "due"):
        builder.add_integer_field(name, indexed=True, fast=True)
    builder.add_unsigned_field("number", indexed=True, fast=True)
    builder.add_bytes_field("source", stored=True)
    return builder.build()


def analyzers() -> dict[str, tantivy.TextAnalyzer]:
    """Tokenizers by name; to be registered each time an index is opened."""
    found = {"folded": _analyzer("")}
    for language in LANGUAGES:
        found[f"stem_{language}"] = _analyzer(_STEMMERS[language])
    return found


def _analyzer(stemmer: str) -> tantivy.TextAnalyzer:
    builder = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(_LONGEST_TOKEN))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
    )
    if stemmer:
        builder = builder.filter(tantivy.Filter.stemmer(stemmer))
    return builder.build()


def order_key(document: Document) -> int:
    """Newest-first order that is the same for ever: microseconds, then ten bits of the id."""
    return (max(document.occurred_us, 0) << 10) | (zlib.crc32(document.id.encode()) & 1023)


def languages_of(document: Document, text: str) -> tuple[str, ...]:
    """In which languages a text is stemmed: its own, or all when it is short and nobody can tell. Names are not."""
    if document.kind == CUSTOMER and not document.text:
        return ()
    known = document.language[:2]
    if known in LANGUAGES:
        return (known,)
    guess = guess_language(text)
    if guess:
        return (guess,)
    return LANGUAGES if len(text) <= _SHORT else ("it", "en")


def to_tantivy(document: Document, schema: tantivy.Schema) -> tantivy.Document:
    """A document with all its fields; measured at 25 µs for one of 1 KB."""
    title, text = composed(document.title), composed(document.text)
    whole = f"{title}\n{text}" if title else text
    flags = list(document.flags)
    if document.order:
        flags.append("order")
    if not document.agent and document.state in _UNSOLVED:
        flags.append("unassigned")
    order = order_key(document)
    fields: dict[str, Any] = {
        "id": document.id,
        "kind": document.kind,
        "channel": document.channel,
        "brand": list(document.brand_ids),
        "words": whole,
        "at": document.occurred_us,
        "order": order,
        "source": _ENCODER.encode(document),
    }
    for language in languages_of(document, whole):
        fields[f"text_{language}"] = whole
    _add_exact(document, fields, flags)
    if title:
        fields["title"] = title
    elif document.subject and document.kind in OF_A_TICKET:
        fields["title"] = composed(document.subject)
    if document.sender:
        fields["sender"] = composed(document.sender)
    if document.recipients:
        fields["recipient"] = composed(document.recipients)
    if document.files:
        fields["files"] = composed(document.files)
    if found := _codes(document, whole):
        fields["codes"] = found
    return tantivy.Document.from_dict(fields, schema)


def _add_exact(document: Document, fields: dict[str, Any], flags: list[str]) -> None:
    fields.update({name: value for name, value in zip(_SINGLE, _SINGLE_OF(document), strict=True) if value})
    if document.tags:
        fields["tag"] = list(document.tags)
    if flags:
        fields["flag"] = flags


def _codes(document: Document, whole: str) -> list[str]:
    found = codes.extract(whole)
    for code in (*document.codes, document.order) if document.kind == TICKET else document.codes:
        found.extend(codes.forms(code))
        if code.startswith("+") and (phone := codes.phone_form(code)):
            found.append(phone)
    found.append(document.id)
    return found


def kept(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> Document:
    """A document as it was given. Raises `IndexDamaged` when the engine gives back something else."""
    source = searcher.doc(address).get_first("source")
    if not isinstance(source, bytes):
        raise IndexDamaged("The index gave back a document without its source.")
    return _DECODER.decode(source)
