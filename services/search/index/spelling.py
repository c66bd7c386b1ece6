"""Which of the words found near a word are other spellings of it, and which it may be a misspelling of."""

from __future__ import annotations

from collections.abc import Mapping

from services.search.domain import words
from services.search.index.analysis import Analysis, Variant

MOST_SEEDS = 4  # the word itself aside, so many of its forms are misspelt too
_MOST_KEPT = 12
_IN_USE, _MOST_CORRECTIONS = 2, 3
_RARE = 0.2  # a spelling at most this common beside the word sought is taken for a typo of it


def variants(word: str, own: int, found: Mapping[str, int], analysis: Analysis) -> list[Variant]:
    """Of the words `found` near `word`, with how many documents each is in, those that are meant; best first.

    `own` is how many documents the word itself is in.
    """
    stems = analysis.stem_set(word)
    corrections = _corrections(word, own, found)
    corrected = {variant.text for variant in corrections}
    rare = [
        Variant(text, count, is_correction=False)
        for text, count in found.items()
        if text not in corrected and count <= max(1, own * _RARE) and not stems & analysis.stem_set(text)
    ]
    return corrections + sorted(rare, key=lambda variant: -variant.count)[:_MOST_KEPT]


def _corrections(word: str, own: int, found: Mapping[str, int]) -> list[Variant]:
    """The commoner words a seldom one may stand for, nearest first; a word in use is not itself a typo."""
    if own > _IN_USE:
        return []
    commoner = [(words.distance(word, text, 2), -count, text) for text, count in found.items() if count > own * 2]
    return [Variant(text, -count, is_correction=True) for _, count, text in sorted(commoner)[:_MOST_CORRECTIONS]]


def plausible(word: str, other: str) -> bool:
    """People seldom miss the first letter, but they swap it with the second."""
    return other[:1] == word[:1] or other[:2] == word[1::-1]
