"""What the use cases of listening need from outside, in two or three methods each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Scored:
    """Language and tone of a text. `tone` is 0 unknown, 1 negative, 2 neutral, 3 positive; probabilities are calibrated."""

    language: str
    tone: int
    confidence: float
    negative: float


class Scorer(Protocol):
    """Reads the tone of texts."""

    def score(self, texts: Sequence[str], languages: Sequence[str]) -> list[Scored]:
        """One result a text; a language that is not empty is the platform's own word and is believed."""
        ...
