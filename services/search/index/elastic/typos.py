"""Other spellings of words, by the server's term suggester: what is near in its dictionary, with its counts.

All words of a query are looked up at once, in two rounds: forms in use and counts, then what is near any of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from services.search.domain import words
from services.search.domain.words import LANGUAGES
from services.search.index.analysis import Analysis, Variant
from services.search.index.elastic.queries import ElasticQueries
from services.search.index.elastic.writing import kept
from services.search.index.spelling import MOST_SEEDS, plausible, variants

Search = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]
_FETCHED, _MOST_FOUND = 12, 24
_REMEMBERED, _STALE_S, _LONGEST_S = 1000, 1.0, 10.0
_ANY_COUNT = 1_000_000_000


class Spellings:
    """Finds and remembers spellings: for a second, or ten while this process commits nothing."""

    def __init__(self, search: Search, analysis: Analysis) -> None:
        self._search, self._analysis = search, analysis
        self._queries = ElasticQueries()
        self._known: dict[str, tuple[float, int, list[Variant]]] = {}
        self.commits = 0

    def of(self, word: str) -> list[Variant]:
        """Spellings of a folded word that occur in the index, best first."""
        self.learn([word])
        known = self._known.get(word)
        return known[2] if known is not None else []

    def learn(self, wanted: Iterable[str]) -> None:
        """Looks up what is not known of these words, all at once."""
        now = time.monotonic()
        unknown = [word for word in dict.fromkeys(wanted) if words.typos_allowed(word) and not self._fresh(word, now)]
        if not unknown:
            return
        if len(self._known) + len(unknown) > _REMEMBERED:
            self._known.clear()
        for word, found in zip(unknown, self._find(unknown), strict=True):
            self._known[word] = (now, self.commits, found)

    def _fresh(self, word: str, now: float) -> bool:
        known = self._known.get(word)
        if known is None:
            return False
        return now - known[0] < (_LONGEST_S if known[1] == self.commits else _STALE_S)

    def _find(self, unknown: list[str]) -> list[list[Variant]]:
        answers = self._search([body for word in unknown for body in (self._own(word), self._inflected(word))])
        counts = [int(answer["hits"]["total"]["value"]) for answer in answers[::2]]
        seeds = [
            [word, *self._forms(word, answer["hits"]["hits"])]
            for word, answer in zip(unknown, answers[1::2], strict=True)
        ]
        near = self._near(seeds)
        return [
            variants(word, own, found, self._analysis) for word, own, found in zip(unknown, counts, near, strict=True)
        ]

    def _own(self, word: str) -> dict[str, Any]:
        return {"size": 0, "track_total_hits": True, "query": self._queries.term("words", word).body}

    def _inflected(self, word: str) -> dict[str, Any]:
        """Documents with other forms of the word, whose misspellings count as its own."""
        forms = self._queries.any_of([self._queries.form(language, word) for language in LANGUAGES])
        others = self._queries.all_of([forms], [self._queries.term("words", word)])
        return {"size": _FETCHED, "track_total_hits": False, "query": others.body}

    def _forms(self, word: str, hits: list[dict[str, Any]]) -> list[str]:
        stems = self._analysis.stem_set(word)
        found: list[str] = []
        for hit in hits:
            document = kept(hit)
            for other in dict.fromkeys(words.split(f"{document.title}\n{document.text}")):
                if other != word and other not in found and self._analysis.stem_set(other) & stems:
                    found.append(other)
        return [form for form in found if words.typos_allowed(form)][:MOST_SEEDS]

    def _near(self, seeds: list[list[str]]) -> list[dict[str, int]]:
        """For each word, what is near it or one of its forms and is none of them, with how many documents hold it."""
        asked = {f"{place}.{of}": seed for place, some in enumerate(seeds) for of, seed in enumerate(some)}
        suggest = {name: {"text": seed, "term": _suggester(seed)} for name, seed in asked.items()}
        (answer,) = self._search([{"size": 0, "track_total_hits": False, "suggest": suggest}])
        found: list[dict[str, int]] = [{} for _ in seeds]
        for name, seed in asked.items():
            place = int(name.partition(".")[0])
            allowed, word = words.typos_allowed(seed), seeds[place][0]
            for entry in answer["suggest"][name]:
                for option in entry["options"]:
                    other = str(option["text"])
                    if (
                        other not in seeds[place]
                        and plausible(word, other)
                        and words.distance(seed, other, allowed) <= allowed
                    ):
                        found[place][other] = int(option["freq"])
        return found


def _suggester(seed: str) -> dict[str, Any]:
    return {
        "field": "words",
        "suggest_mode": "always",
        "max_edits": words.typos_allowed(seed),
        "prefix_length": 0,
        "size": _MOST_FOUND,
        "max_term_freq": _ANY_COUNT,  # words in use have misspellings too
        "string_distance": "damerau_levenshtein",
    }
