"""Other spellings of a word, as they occur in the index.

tantivy finds documents by likeness but does not say by which word, and makes no snippets of them. So a few documents
are fetched, their words compared, the found ones excluded, and again until nothing new comes: the terms themselves,
which then are sought and marked like any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import tantivy

from services.search.domain import words
from services.search.index.analysis import Analysis, Variant
from services.search.index.local.queries import Must, MustNot, Query, Should
from services.search.index.local.writing import kept
from services.search.index.spelling import MOST_SEEDS, plausible, variants

_ROUNDS, _FETCHED, _MOST_FOUND = 6, 12, 24
_REMEMBERED, _STALE_S = 1000, 0.3


class Spellings:
    """Finds and remembers spellings; what was found is asked anew 0.3 s after the index changed."""

    def __init__(self, schema: tantivy.Schema, analysis: Analysis, searcher: Callable[[], tantivy.Searcher]) -> None:
        self._schema, self._analysis, self._searcher = schema, analysis, searcher
        self._known: dict[str, tuple[float, int, list[Variant]]] = {}
        self.commits = 0

    def of(self, word: str) -> list[Variant]:
        """Spellings of a folded word that occur in the index, best first."""
        if not words.typos_allowed(word):
            return []
        known = self._known.get(word)
        now = time.monotonic()
        if known is not None and (known[1] == self.commits or now - known[0] < _STALE_S):
            return known[2]
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        found = self._find(word)
        self._known[word] = (now, self.commits, found)
        return found

    def _find(self, word: str) -> list[Variant]:
        searcher = self._searcher()
        own = searcher.doc_freq("words", word)
        seeds = [word, *self._inflected(searcher, word)]
        found: dict[str, int] = {}
        excluded = set(seeds)
        for _ in range(_ROUNDS):
            fresh = self._round(searcher, seeds, excluded)
            if not fresh:
                break
            for other in fresh:
                excluded.add(other)
                if plausible(word, other):
                    found[other] = searcher.doc_freq("words", other)
            if len(found) >= _MOST_FOUND:
                break
        return variants(word, own, found, self._analysis)

    def _inflected(self, searcher: tantivy.Searcher, word: str) -> list[str]:
        """Other forms of the word in use, whose misspellings count as its own."""
        stems = dict(self._analysis.stems(word))
        options = [
            (Should, Query.term_query(self._schema, f"text_{language}", stem, "basic"))
            for language, stem in stems.items()
        ]
        query = Query.boolean_query(
            [(Must, Query.boolean_query(options)), (MustNot, Query.term_query(self._schema, "words", word, "basic"))]
        )
        forms: list[str] = []
        for found in self._words_of(searcher, query):
            if found not in forms and found != word and self._analysis.stem_set(found) & set(stems.values()):
                forms.append(found)
            if len(forms) >= MOST_SEEDS:
                break
        return forms

    def _round(self, searcher: tantivy.Searcher, seeds: list[str], excluded: set[str]) -> set[str]:
        fuzzy = [
            (Should, Query.fuzzy_term_query(self._schema, "words", seed, distance=words.typos_allowed(seed)))
            for seed in seeds
            if words.typos_allowed(seed)
        ]
        query = Query.boolean_query(
            [
                (Must, Query.boolean_query(fuzzy)),
                (MustNot, Query.term_set_query(self._schema, "words", sorted(excluded))),
            ]
        )
        return {
            found
            for found in self._words_of(searcher, query)
            if found not in excluded
            and any(
                words.distance(seed, found, words.typos_allowed(seed)) <= words.typos_allowed(seed) for seed in seeds
            )
        }

    def _words_of(self, searcher: tantivy.Searcher, query: tantivy.Query) -> Iterable[str]:
        for _, address in searcher.search(query, _FETCHED, count=False).hits:
            document = kept(searcher, address)
            yield from dict.fromkeys(words.split(f"{document.title}\n{document.text}"))
