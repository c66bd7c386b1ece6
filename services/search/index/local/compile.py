"""From a plan to tantivy's query objects, never through its query parser (which overflows the stack)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import tantivy

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
from services.search.index.local.analysis import Analysis, Typos
from services.search.ports import Plan, Scope

Query = tantivy.Query
Must, Should, MustNot = tantivy.Occur.Must, tantivy.Occur.Should, tantivy.Occur.MustNot
_PARTS = {"subject": "title", "body": "words", "files": "files", "from": "sender", "to": "recipient"}
_EXACT_BOOST, _TITLE_BOOST, _TYPO_BOOST = 1.3, 2.0, 0.2
_LEAST_STEM = 4


class Compiler:
    """Compiles for one schema. `typos` gives the words each word may be misspelt as, or be a misspelling of."""

    def __init__(self, schema: tantivy.Schema, analysis: Analysis, typos: Typos) -> None:
        self.schema, self._analysis, self._typos = schema, analysis, typos

    def plan(self, plan: Plan, *, without: str = "") -> tantivy.Query:
        """The whole query: what is asked, what was chosen (but of the field `without`), what may be seen."""
        clauses = [(Must, self.node(plan.node, typos=plan.typos))]
        clauses.extend((Must, part) for part in self.scope(plan.scope))
        for field in sorted({filter_.field for filter_ in plan.chosen} - {without}):
            values = [value for filter_ in plan.chosen if filter_.field == field for value in filter_.values]
            clauses.append((Must, self._terms(field, values)))
        if not plan.spam:
            clauses.append((MustNot, self._term("state", "spam")))
        if plan.after is not None and plan.after.top:
            clauses.append((Must, self.order_range(None, plan.after.top)))
        return Query.boolean_query(clauses)

    def scope(self, scope: Scope) -> list[tantivy.Query]:
        """The caller's rights, as part of the query."""
        found = [Query.const_score_query(self._terms("kind", scope.kinds), 0.0)]
        if scope.brand_ids is not None:
            found.append(Query.const_score_query(self._terms("brand", scope.brand_ids), 0.0))
        return found

    def order_range(self, low: int | None, high: int | None) -> tantivy.Query:
        """Documents from `low` to `high` in the order of time, both included."""
        query = Query.range_query(self.schema, "order", tantivy.FieldType.Integer, low, high)
        return Query.const_score_query(query, 0.0)

    def ids(self, ids: Sequence[str]) -> tantivy.Query:
        """The documents of these ids."""
        return Query.term_set_query(self.schema, "id", list(ids))

    def node(self, node: Node, *, typos: bool) -> tantivy.Query:
        """One node of the tree."""
        if isinstance(node, All):
            return Query.const_score_query(Query.all_query(), 1.0)
        if isinstance(node, Word):
            return self.word(node.text, typos=typos)
        if isinstance(node, Phrase):
            return self._phrase(node.text, ("words", "sender", "recipient", "files"))
        if isinstance(node, Prefix):
            return _any([self._prefix(field, node.text) for field in ("words", "sender", "codes")])
        if isinstance(node, Near):
            return self._near(node)
        if isinstance(node, Filter):
            return Query.const_score_query(self._terms(node.field, _spellings(node.values)), 0.0)
        if isinstance(node, Range):
            return self._range(node)
        if isinstance(node, Scoped):
            return self._scoped(node, typos=typos)
        if isinstance(node, Not):
            return Query.boolean_query([(Must, Query.all_query()), (MustNot, self.node(node.node, typos=False))])
        if isinstance(node, Or):
            return _any([self.node(child, typos=typos) for child in node.nodes])
        return self._all(node, typos=typos)

    def _all(self, node: And, *, typos: bool) -> tantivy.Query:
        clauses = []
        for child in node.nodes:
            if isinstance(child, Not):
                clauses.append((MustNot, self.node(child.node, typos=False)))
            else:
                clauses.append((Must, self.node(child, typos=typos)))
        if all(occur == MustNot for occur, _ in clauses):
            clauses.append((Must, Query.all_query()))
        return Query.boolean_query(clauses)

    def word(self, text: str, *, typos: bool) -> tantivy.Query:
        """A word in all its forms; a code as it stands, or as the words it is made of."""
        parts = _parts(text)
        if codes.looks_like_code(text):
            forms = codes.forms(text)
            options = [self._term("codes", form) for form in forms] + [self._term("id", form) for form in forms[:1]]
            if phone := codes.phone_form(text):
                options.append(self._term("codes", phone))
            options.append(self._phrase(text, ("words", "sender", "recipient", "files")))
            return _any(options)
        if not parts:
            return Query.empty_query()
        if len(parts) > 1:
            return Query.boolean_query([(Must, self._forms(part, typos=typos)) for part in parts])
        return self._forms(parts[0], typos=typos)

    def _forms(self, word: str, *, typos: bool) -> tantivy.Query:
        options = self.inflections(word)
        if typos:
            for other in self._typos.of(word):
                boosted = [Query.boost_query(query, _TYPO_BOOST) for query in (
                    self.inflections(other.text) if other.is_correction else [self._term("words", other.text)]
                )]  # fmt: skip
                options.extend(boosted)
        return Query.disjunction_max_query(options, 0.1)

    def inflections(self, word: str) -> list[tantivy.Query]:
        """A folded word by its stem in each language, as it stands, and in names and titles."""
        options = [self._term(f"text_{language}", stem) for language, stem in self._analysis.kept_stems(word)]
        options.append(Query.boost_query(self._term("words", word), _EXACT_BOOST))
        options.append(Query.boost_query(self._term("title", word), _TITLE_BOOST))
        options.extend(self._term(field, word) for field in ("sender", "files", "codes"))
        return options

    def _phrase(self, text: str, fields: Iterable[str]) -> tantivy.Query:
        parts = words.split(text)
        if not parts:
            return Query.empty_query()
        if len(parts) == 1:
            return _any([self._term(field, parts[0]) for field in fields])
        return _any([Query.phrase_query(self.schema, field, list(parts)) for field in fields])

    def _prefix(self, field: str, text: str) -> tantivy.Query:
        return Query.fuzzy_term_query(self.schema, field, text, distance=0, prefix=True)

    def _near(self, node: Near) -> tantivy.Query:
        left, right = self._pattern(node.left), self._pattern(node.right)
        if not left or not right:
            return Query.empty_query()
        return _any(
            [
                Query.regex_phrase_query(self.schema, "words", [*pair], slop=node.distance)
                for pair in (left + right, right + left)
            ]
        )

    def _pattern(self, text: str) -> list[str]:
        """Words as patterns of letters and digits: the stem and what may follow it."""
        patterns = []
        for part in words.split(text):
            stems = [
                stem for _, stem in self._analysis.stems(part) if part.startswith(stem) and len(stem) >= _LEAST_STEM
            ]
            shortest = min(stems, key=len, default="")
            patterns.append(f"{shortest}.{{0,8}}" if shortest else part)
        return patterns

    def _scoped(self, node: Scoped, *, typos: bool) -> tantivy.Query:
        inner = node.node
        if isinstance(inner, Or):
            return _any([self._scoped(Scoped(node.part, child), typos=typos) for child in inner.nodes])
        if node.part == "order":
            text = inner.text if isinstance(inner, Word | Phrase | Prefix) else ""
            return _any([self._term("codes", form) for form in codes.forms(text)] or [Query.empty_query()])
        field = _PARTS.get(node.part)
        if field is None:
            return Query.empty_query()
        if isinstance(inner, Word):
            return self._word_in(field, inner.text, typos=typos)
        if isinstance(inner, Prefix):
            return self._prefix(field, inner.text)
        if isinstance(inner, Phrase):
            return self._phrase(inner.text, (field,))
        return self.node(inner, typos=typos)

    def _word_in(self, field: str, text: str, *, typos: bool) -> tantivy.Query:
        if field == "words":
            return self.word(text, typos=typos)
        parts = _parts(text)
        if not parts:
            return Query.empty_query()
        if len(parts) > 1:
            return self._phrase(text, (field,))
        options = [self._term(field, parts[0])]
        if typos and words.typos_allowed(parts[0]):
            fuzzy = Query.fuzzy_term_query(self.schema, field, parts[0], distance=1)
            options.append(Query.boost_query(fuzzy, _TYPO_BOOST))
        return _any(options)

    def _range(self, node: Range) -> tantivy.Query:
        last = None if node.high is None else node.high - 1
        first = 1 if node.low is None and node.field != "at" else node.low  # 0 stands for "never"
        query = Query.range_query(self.schema, node.field, tantivy.FieldType.Integer, first, last)
        return Query.const_score_query(query, 0.0)

    def _term(self, field: str, value: str) -> tantivy.Query:
        return Query.term_query(self.schema, field, value, "basic" if field in {"id", "codes", "state"} else "freq")

    def _terms(self, field: str, values: Iterable[str]) -> tantivy.Query:
        return Query.term_set_query(self.schema, field, list(values))


def _any(options: list[tantivy.Query]) -> tantivy.Query:
    return options[0] if len(options) == 1 else Query.boolean_query([(Should, option) for option in options])


def _parts(text: str) -> list[str]:
    """The folded words of what was typed as one; an elided article (l', d') is left out."""
    parts = words.split(text)
    longer = [part for part in parts if len(part) > 1]
    return longer or parts


def _spellings(values: Iterable[str]) -> list[str]:
    return sorted({form for value in values for form in (value, value.lower(), words.fold(value))})
