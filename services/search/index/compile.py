"""From a plan to an engine's queries: what each node means, once for every engine.

`Queries` is what an engine can be asked; each has its own beside its index (`local/queries`, `elastic/queries`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from services.search.domain import codes, words
from services.search.domain.query import (
    All,
    And,
    Filter,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Range,
    Scoped,
    Word,
)
from services.search.domain.words import LANGUAGES
from services.search.index.analysis import Typos
from services.search.ports import Plan, Scope

_PARTS = {"subject": "title", "body": "words", "files": "files", "from": "sender", "to": "recipient"}
_ANYWHERE = ("words", "sender", "recipient", "files")
_EXACT_BOOST, _TITLE_BOOST, _TYPO_BOOST = 1.3, 2.0, 0.2
Q = TypeVar("Q")


class Queries(Protocol[Q]):
    """How an engine is asked. Words come folded."""

    def everything(self) -> Q:
        """All documents, each with score 1."""
        ...

    def nothing(self) -> Q:
        """None."""
        ...

    def term(self, field: str, value: str) -> Q:
        """A word of a field, or its whole value where it has exact ones."""
        ...

    def terms(self, field: str, values: Sequence[str]) -> Q:
        """Any of some exact values, without a score."""
        ...

    def form(self, language: str, word: str) -> Q:
        """The word in any form of a language, in texts of that language."""
        ...

    def phrase(self, field: str, parts: Sequence[str]) -> Q:
        """Two words or more next to each other, in this order."""
        ...

    def prefix(self, field: str, text: str) -> Q:
        """Words that begin so."""
        ...

    def fuzzy(self, field: str, word: str) -> Q:
        """Words one edit away."""
        ...

    def near(self, left: str, right: str, distance: int) -> Q:
        """Two words in any form, in either order, at most `distance` words apart."""
        ...

    def between(self, field: str, low: int | None, high: int | None) -> Q:
        """A number within bounds, both included, without a score."""
        ...

    def boosted(self, query: Q, factor: float) -> Q:
        """The same with its score multiplied."""
        ...

    def best_of(self, options: Sequence[Q]) -> Q:
        """Any of them; the score is that of the best, and a tenth of the others'."""
        ...

    def any_of(self, options: Sequence[Q]) -> Q:
        """Any of them; scores are added."""
        ...

    def all_of(self, wanted: Sequence[Q], unwanted: Sequence[Q] = ()) -> Q:
        """All of the first and none of the second."""
        ...


class Compiler(Generic[Q]):
    """`typos` gives the words each word may be misspelt as, or be a misspelling of."""

    def __init__(self, queries: Queries[Q], typos: Typos) -> None:
        self._queries, self._typos = queries, typos

    def plan(self, plan: Plan, *, without: str = "") -> Q:
        """The whole query: what is asked, what was chosen (but of the field `without`), what may be seen."""
        wanted = [self.node(plan.node, typos=plan.typos), *self.scope(plan.scope)]
        for field in sorted({filter_.field for filter_ in plan.chosen} - {without}):
            values = [value for filter_ in plan.chosen if filter_.field == field for value in filter_.values]
            wanted.append(self._queries.terms(field, values))
        if plan.after is not None and plan.after.top:
            wanted.append(self._queries.between("order", None, plan.after.top))
        return self._queries.all_of(wanted, [] if plan.spam else [self._queries.term("state", "spam")])

    def scope(self, scope: Scope) -> list[Q]:
        """The caller's rights, as part of the query."""
        found = [self._queries.terms("kind", scope.kinds)]
        if scope.brand_ids is not None:
            found.append(self._queries.terms("brand", scope.brand_ids))
        return found

    def node(self, node: Node, *, typos: bool) -> Q:
        """One node of the tree."""
        if isinstance(node, All):
            return self._queries.everything()
        if isinstance(node, Word):
            return self.word(node.text, typos=typos)
        if isinstance(node, Phrase):
            return self._phrase(node.text, _ANYWHERE)
        if isinstance(node, Prefix):
            return self._any([self._queries.prefix(field, node.text) for field in ("words", "sender", "codes")])
        if isinstance(node, Near):
            return self._near(node)
        if isinstance(node, Filter):
            return self._queries.terms(node.field, _spellings(node.values))
        if isinstance(node, Range):
            return self._range(node)
        if isinstance(node, Scoped):
            return self._scoped(node, typos=typos)
        if isinstance(node, Not):
            return self._queries.all_of([self._queries.everything()], [self.node(node.node, typos=False)])
        if isinstance(node, Or):
            return self._any([self.node(child, typos=typos) for child in node.nodes])
        return self._all(node, typos=typos)

    def _all(self, node: And, *, typos: bool) -> Q:
        wanted = [self.node(child, typos=typos) for child in node.nodes if not isinstance(child, Not)]
        unwanted = [self.node(child.node, typos=False) for child in node.nodes if isinstance(child, Not)]
        return self._queries.all_of(wanted or [self._queries.everything()], unwanted)

    def word(self, text: str, *, typos: bool) -> Q:
        """A word in all its forms; a code as it stands, or as the words it is made of."""
        parts = _parts(text)
        if codes.looks_like_code(text):
            forms = codes.forms(text)
            options = [self._queries.term("codes", form) for form in forms]
            options += [self._queries.term("id", form) for form in forms[:1]]
            if phone := codes.phone_form(text):
                options.append(self._queries.term("codes", phone))
            options.append(self._phrase(text, _ANYWHERE))
            return self._any(options)
        if not parts:
            return self._queries.nothing()
        if len(parts) > 1:
            return self._queries.all_of([self._forms(part, typos=typos) for part in parts])
        return self._forms(parts[0], typos=typos)

    def _forms(self, word: str, *, typos: bool) -> Q:
        options = self.inflections(word)
        if typos:
            for other in self._typos.of(word):
                found = (
                    self.inflections(other.text) if other.is_correction else [self._queries.term("words", other.text)]
                )
                options.extend(self._queries.boosted(query, _TYPO_BOOST) for query in found)
        return self._queries.best_of(options)

    def inflections(self, word: str) -> list[Q]:
        """A folded word by its stem in each language, as it stands, and in names and titles."""
        term = self._queries.term
        options = [] if words.has_digit(word) else [self._queries.form(language, word) for language in LANGUAGES]
        options.append(self._queries.boosted(term("words", word), _EXACT_BOOST))
        options.append(self._queries.boosted(term("title", word), _TITLE_BOOST))
        options.extend(term(field, word) for field in ("sender", "files", "codes"))
        return options

    def _phrase(self, text: str, fields: Iterable[str]) -> Q:
        parts = words.split(text)
        if not parts:
            return self._queries.nothing()
        if len(parts) == 1:
            return self._any([self._queries.term(field, parts[0]) for field in fields])
        return self._any([self._queries.phrase(field, parts) for field in fields])

    def _near(self, node: Near) -> Q:
        if not words.split(node.left) or not words.split(node.right):
            return self._queries.nothing()
        return self._queries.near(node.left, node.right, node.distance)

    def _scoped(self, node: Scoped, *, typos: bool) -> Q:
        inner = node.node
        if isinstance(inner, Or):
            return self._any([self._scoped(Scoped(node.part, child), typos=typos) for child in inner.nodes])
        if node.part == "order":
            text = inner.text if isinstance(inner, Word | Phrase | Prefix) else ""
            return self._any([self._queries.term("codes", form) for form in codes.forms(text)])
        field = _PARTS.get(node.part)
        if field is None:
            return self._queries.nothing()
        if isinstance(inner, Word):
            return self._word_in(field, inner.text, typos=typos)
        if isinstance(inner, Prefix):
            return self._queries.prefix(field, inner.text)
        if isinstance(inner, Phrase):
            return self._phrase(inner.text, (field,))
        return self.node(inner, typos=typos)

    def _word_in(self, field: str, text: str, *, typos: bool) -> Q:
        if field == "words":
            return self.word(text, typos=typos)
        parts = _parts(text)
        if not parts:
            return self._queries.nothing()
        if len(parts) > 1:
            return self._phrase(text, (field,))
        options = [self._queries.term(field, parts[0])]
        if typos and words.typos_allowed(parts[0]):
            options.append(self._queries.boosted(self._queries.fuzzy(field, parts[0]), _TYPO_BOOST))
        return self._any(options)

    def _range(self, node: Range) -> Q:
        last = None if node.high is None else node.high - 1
        first = 1 if node.low is None and node.field != "at" else node.low  # 0 stands for "never"
        return self._queries.between(node.field, first, last)

    def _any(self, options: list[Q]) -> Q:
        if not options:
            return self._queries.nothing()
        return options[0] if len(options) == 1 else self._queries.any_of(options)


def words_of(node: Node) -> list[str]:
    """The folded words of a tree whose misspellings are sought too."""
    if isinstance(node, And | Or):
        return [word for child in node.nodes for word in words_of(child)]
    if isinstance(node, Scoped):
        return words_of(node.node)
    return _parts(node.text) if isinstance(node, Word) and not codes.looks_like_code(node.text) else []


def _parts(text: str) -> list[str]:
    """The folded words of what was typed as one; an elided article (l', d') is left out."""
    parts = words.split(text)
    longer = [part for part in parts if len(part) > 1]
    return longer or parts


def _spellings(values: Iterable[str]) -> list[str]:
    return sorted({form for value in values for form in (value, value.lower(), words.fold(value))})
