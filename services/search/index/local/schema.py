"""The fields of the tantivy index and their tokenizers; what a document looks like in them is in `writing`.

Each language has its own field of stems, made by our own analyzers before a document is given away: tantivy would stem
every word of every text anew, which was half of its work. `words` holds the plain words for phrases, names and typos;
`codes` what is found as typed. Fields for facets are fast; moments are sought by their columns, so they have no terms.
"""

from __future__ import annotations

import tantivy

from services.search.domain.words import LANGUAGES
from services.search.index.analysis import analyzer

VERSION = 2  # of the schema: an index with another is built anew
_COUNTED = (
    "kind", "channel", "state", "agent", "team", "lang", "tone", "brand", "account", "tag", "flag", "author_id",
)  # fmt: skip
_SOUGHT = ("id", "direction", "customer_id", "codes")
_MOMENTS = ("order", "at", "created", "solved", "due")


def build() -> tantivy.Schema:
    """The schema."""
    builder = tantivy.SchemaBuilder()
    for name in _COUNTED:
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    for name in _SOUGHT:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("title", "words", "sender", "recipient", "files"):
        builder.add_text_field(name, tokenizer_name="folded")
    for language in LANGUAGES:
        builder.add_text_field(f"text_{language}", tokenizer_name="stems", index_option="freq")
    for name in _MOMENTS:
        builder.add_integer_field(name, fast=True)
    builder.add_unsigned_field("number", indexed=True, fast=True)
    builder.add_bytes_field("source", stored=True)
    return builder.build()


def register_tokenizers(index: tantivy.Index) -> None:
    """To be done each time an index is opened."""
    index.register_tokenizer("folded", analyzer(""))
    index.register_tokenizer("stems", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
