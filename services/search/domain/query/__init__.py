"""The query language: text in, a tree, chips and what was ignored out. It never raises.

`docs/reference/query-language.md` describes it for readers; `fields` names what can be asked, `parser` reads it.
"""

from services.search.domain.query.parser import parse
from services.search.domain.query.tree import (
    EMPTY,
    All,
    And,
    Asked,
    Chip,
    Filter,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Range,
    Reader,
    Scoped,
    Word,
)

__all__ = [
    "EMPTY",
    "All",
    "And",
    "Asked",
    "Chip",
    "Filter",
    "Near",
    "Node",
    "Not",
    "Or",
    "Phrase",
    "Prefix",
    "Range",
    "Reader",
    "Scoped",
    "Word",
    "parse",
]
