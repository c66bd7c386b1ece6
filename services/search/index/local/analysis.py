"""Stems of single words, remembered; and how typos are given to the compiler."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import tantivy

from services.search.domain.words import LANGUAGES

_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Variant:
    """Another spelling found in the index; a correction is the commoner one, sought in all its forms."""

    text: str
    count: int
    is_correction: bool


class Typos(Protocol):
    """Where the compiler asks for other spellings."""

    def of(self, word: str) -> list[Variant]:
        """Spellings of a folded word that occur in the index."""
        ...


class Analysis:
    """Stems by the index's own analyzers."""

    def __init__(self, analyzers: dict[str, tantivy.TextAnalyzer]) -> None:
        self._analyzers = {language: analyzers[f"stem_{language}"] for language in LANGUAGES}
        self.stem = lru_cache(maxsize=_REMEMBERED)(self._stem)

    def _stem(self, language: str, word: str) -> str:
        found = self._analyzers[language].analyze(word)
        return str(found[0]) if found else word

    def stems(self, word: str) -> list[tuple[str, str]]:
        """The word's stem in each language."""
        return [(language, self.stem(language, word)) for language in LANGUAGES]

    def stem_set(self, word: str) -> frozenset[str]:
        """All stems of a word."""
        return frozenset(stem for _, stem in self.stems(word))
