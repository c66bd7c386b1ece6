"""The fields of an Elasticsearch index and their analyzers. Strict: a field nobody declared is refused.

Words are what `domain.words` takes for words, folded, then stemmed by Snowball in the field's language: the same stems
as the local index has. Only names and parameters of Elasticsearch's own analysis module are used; for the small
distribution without it, `deploy/local/elasticsearch-analysis` has them.
"""

from __future__ import annotations

from typing import Any

from services.search.domain.words import LANGUAGES

VERSION = 101  # of the fields: an index with another is built anew. Apart from the local index's, below a hundred
_LONGEST_TOKEN = 64
_LONGEST_VALUE = 256
_STEMMERS = {"it": "Italian", "en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese"}
_EXACT = (
    "kind", "channel", "state", "agent", "team", "lang", "tone", "brand", "account", "tag", "flag", "author_id",
    "direction", "customer_id", "codes", "group",
)  # fmt: skip
_FOLDED = ("title", "words", "sender", "recipient", "files")
_NUMBERS = ("order", "at", "created", "solved", "due", "number", "gone")
DEEPEST_WINDOW = 11_000  # hits a list by relevance may skip and show


def index(*, shards: int, alias: str) -> dict[str, Any]:
    """What a generation is created with. `alias` is the one it is written to by."""
    folded = ["short", "lowercase", "asciifolding"]
    stems = {f"stems_{language}": {"type": "snowball", "language": _STEMMERS[language]} for language in LANGUAGES}
    analyzers = {f"text_{one}": {"tokenizer": "words", "filter": [*folded, f"stems_{one}"]} for one in LANGUAGES}
    return {
        "settings": {
            "number_of_shards": shards,
            "auto_expand_replicas": "0-1",
            "refresh_interval": "-1",  # each batch is made visible when it is complete
            "max_result_window": DEEPEST_WINDOW,
            "analysis": {
                "tokenizer": {"words": {"type": "pattern", "pattern": r"[^\p{L}\p{N}]+"}},
                "filter": {"short": {"type": "length", "max": _LONGEST_TOKEN}, **stems},
                "analyzer": {"folded": {"tokenizer": "words", "filter": folded}, **analyzers},
            },
        },
        "mappings": {
            "dynamic": "strict",
            "_source": {"includes": ["source"]},
            "properties": {
                **{name: {"type": "keyword", "ignore_above": _LONGEST_VALUE} for name in _EXACT},
                **{name: {"type": "text", "analyzer": "folded"} for name in _FOLDED},
                **{f"text_{one}": {"type": "text", "analyzer": f"text_{one}"} for one in LANGUAGES},
                **{name: {"type": "long"} for name in _NUMBERS},
                "source": {"type": "object", "enabled": False},
            },
        },
        "aliases": {alias: {}},
    }


def analyzers() -> dict[str, dict[str, Any]]:
    """Each analyzer spelled out as `_analyze` takes it, without an index."""
    analysis = index(shards=1, alias="")["settings"]["analysis"]
    return {
        name: {
            "tokenizer": analysis["tokenizer"][one["tokenizer"]],
            "filter": [analysis["filter"].get(part, part) for part in one["filter"]],
        }
        for name, one in analysis["analyzer"].items()
    }
