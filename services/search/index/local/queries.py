"""tantivy's query objects, never made by its query parser (which overflows the stack)."""

from __future__ import annotations

from collections.abc import Sequence

import tantivy

from services.search.domain import words
from services.search.index.analysis import Analysis

Query = tantivy.Query
Must, Should, MustNot = tantivy.Occur.Must, tantivy.Occur.Should, tantivy.Occur.MustNot
_LEAST_STEM = 4
_UNRANKED = frozenset({"id", "codes", "state"})


class TantivyQueries:
    """`compile.Queries` for one schema."""

    def __init__(self, schema: tantivy.Schema, analysis: Analysis) -> None:
        self.schema, self._analysis = schema, analysis

    def everything(self) -> tantivy.Query:
        """All documents, each with score 1."""
        return Query.const_score_query(Query.all_query(), 1.0)

    def nothing(self) -> tantivy.Query:
        """None."""
        return Query.empty_query()

    def term(self, field: str, value: str) -> tantivy.Query:
        """A word of a field, or its whole value where it has exact ones."""
        return Query.term_query(self.schema, field, value, "basic" if field in _UNRANKED else "freq")

    def terms(self, field: str, values: Sequence[str]) -> tantivy.Query:
        """Any of some exact values, without a score."""
        return Query.const_score_query(Query.term_set_query(self.schema, field, list(values)), 0.0)

    def form(self, language: str, word: str) -> tantivy.Query:
        """The word in any form of a language, in texts of that language."""
        return self.term(f"text_{language}", self._analysis.stem(language, word))

    def phrase(self, field: str, parts: Sequence[str]) -> tantivy.Query:
        """Two words or more next to each other, in this order."""
        return Query.phrase_query(self.schema, field, list(parts))

    def prefix(self, field: str, text: str) -> tantivy.Query:
        """Words that begin so."""
        return Query.fuzzy_term_query(self.schema, field, text, distance=0, prefix=True)

    def fuzzy(self, field: str, word: str) -> tantivy.Query:
        """Words one edit away."""
        return Query.fuzzy_term_query(self.schema, field, word, distance=1)

    def near(self, left: str, right: str, distance: int) -> tantivy.Query:
        """Two words in any form, in either order, at most `distance` words apart."""
        one, other = self._pattern(left), self._pattern(right)
        return self.any_of(
            [
                Query.regex_phrase_query(self.schema, "words", [*pair], slop=distance)
                for pair in (one + other, other + one)
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

    def between(self, field: str, low: int | None, high: int | None) -> tantivy.Query:
        """A number within bounds, both included, without a score."""
        query = Query.range_query(self.schema, field, tantivy.FieldType.Integer, low, high)
        return Query.const_score_query(query, 0.0)

    def boosted(self, query: tantivy.Query, factor: float) -> tantivy.Query:
        """The same with its score multiplied."""
        return Query.boost_query(query, factor)

    def best_of(self, options: Sequence[tantivy.Query]) -> tantivy.Query:
        """Any of them; the score is that of the best, and a tenth of the others'."""
        return Query.disjunction_max_query(list(options), 0.1)

    def any_of(self, options: Sequence[tantivy.Query]) -> tantivy.Query:
        """Any of them; scores are added."""
        return Query.boolean_query([(Should, option) for option in options])

    def all_of(self, wanted: Sequence[tantivy.Query], unwanted: Sequence[tantivy.Query] = ()) -> tantivy.Query:
        """All of the first and none of the second."""
        return Query.boolean_query([(Must, one) for one in wanted] + [(MustNot, one) for one in unwanted])
