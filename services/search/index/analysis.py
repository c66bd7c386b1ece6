"""Stems and languages, remembered: texts are made of few different words. And how typos are given to the compiler.

The stems are Snowball's, made by tantivy whatever the engine; Elasticsearch makes the same ones of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

import tantivy

from services.search.domain import codes, words
from services.search.domain.document import CUSTOMER, Document
from services.search.domain.words import LANGUAGES

_REMEMBERED = 20_000  # words of each kind; 3 MB when full
_LONGEST = 32  # characters of what is remembered; no language's words are longer often
_SHORT = 400  # characters: a short text whose language is not known is stemmed in all
_VOTERS = 100  # runs without blanks that are asked for the language of their text
_LONGEST_TOKEN = 64
_STEMMERS = {"it": "Italian", "en": "English", "de": "German", "fr": "French", "es": "Spanish", "pt": "Portuguese"}
_DIGIT = re.compile(r"\d")
Known = TypeVar("Known")


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


class _Remembered(dict[str, Known], Generic[Known]):
    """What a run without blanks turned out to be. Runs with a digit are seldom met twice and not kept."""

    def __init__(self, find: Callable[[str], Known]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, run: str) -> Known:
        found = self._find(run)
        if len(run) <= _LONGEST and not _DIGIT.search(run):
            if len(self) >= _REMEMBERED:
                self.clear()
            self[run] = found
        return found


class Analysis:
    """Stems and languages of words and texts. Safe from any thread."""

    def __init__(self) -> None:
        self._analyzers = {language: analyzer(language) for language in LANGUAGES}
        self._stems = {language: self._remembered(language) for language in LANGUAGES}
        self._plain: set[str] = set()
        self._votes = _Remembered(_votes_of)
        self.stem = lru_cache(maxsize=_REMEMBERED)(self._stem)

    def _remembered(self, language: str) -> _Remembered[str]:
        return _Remembered(lambda run: self._stemmed(language, run))

    def _stemmed(self, language: str, run: str) -> str:
        if not _DIGIT.search(run):
            return " ".join(self._analyzers[language].analyze(run))
        return " ".join(map(self._stems[language].__getitem__, _spelled(run)))

    def _stem(self, language: str, word: str) -> str:
        found = self._analyzers[language].analyze(word)
        return str(found[0]) if found else word

    def stems(self, word: str) -> list[tuple[str, str]]:
        """The word's stem in each language."""
        return [(language, self.stem(language, word)) for language in LANGUAGES]

    def stem_set(self, word: str) -> frozenset[str]:
        """All stems of a word."""
        return frozenset(stem for _, stem in self.stems(word))

    def stemmed(self, languages: Sequence[str], runs: Sequence[str]) -> list[str]:
        """The stems of a text split at its blanks, as the index keeps them: words with a digit are left out."""
        if len(languages) > 1:  # what is not remembered is looked at once
            runs = [part for run in runs for part in ((run,) if run in self._plain else _spelled(run))]
        return [" ".join(map(self._stems[language].__getitem__, runs)) for language in languages]

    def telling(self, runs: Sequence[str]) -> list[str]:
        """Which of a text's runs may be codes; they are found by setting aside what is known to be none."""
        unknown = set(runs).difference(self._plain)
        if not unknown:
            return []
        telling = set(filter(codes.tells, unknown))
        if plain := unknown - telling:
            if len(self._plain) >= _REMEMBERED:
                self._plain.clear()
            self._plain.update(run for run in plain if len(run) <= _LONGEST)
        return sorted(telling)

    def languages_of(self, document: Document, runs: Sequence[str], length: int) -> tuple[str, ...]:
        """In which languages a document's text, split at its blanks, is stemmed.

        Its own, or all when it is short and nobody can tell. Names are not.
        """
        if document.kind == CUSTOMER and not document.text:
            return ()
        known = document.language[:2]
        if known in LANGUAGES:
            return (known,)
        guess = words.elected(map(self._votes.__getitem__, runs[:_VOTERS]))
        if guess:
            return (guess,)
        return LANGUAGES if length <= _SHORT else ("it", "en")


def analyzer(language: str) -> tantivy.TextAnalyzer:
    """Folded words, stemmed in a language if one is given. Accents are folded before stemming."""
    builder = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(_LONGEST_TOKEN))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
    )
    if language:
        builder = builder.filter(tantivy.Filter.stemmer(_STEMMERS[language]))
    return builder.build()


def _votes_of(run: str) -> tuple[str, ...]:
    return () if _DIGIT.search(run) else words.votes_of(run)


def _spelled(run: str) -> list[str]:
    """The words of a run that have no digit in them."""
    return [word for word in words.split(run) if not _DIGIT.search(word)]


def whole_text(title: str, text: str) -> str:
    """What is read together: the title, and the text below it."""
    return f"{title}\n{text}" if title and text else title or text
