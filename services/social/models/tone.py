"""Tone of a text: calibrated probabilities of negative, neutral and positive, by weights fitted beforehand.

Weights are 8-bit numbers per hashed feature and language, made by `models.fit`; numpy is all that is needed here. A
language without weights of its own is judged by the mean of all, with its confidence drawn towards "do not know".
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.social.models.features import Extractor

LANGUAGES: Final = ("it", "en", "de", "fr", "es", "pt")
CLASSES: Final = ("negative", "neutral", "positive")
WEIGHTS: Final = Path(__file__).parent / "weights"
_BATCH = 256
_STRANGE_LANGUAGE_TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Probabilities that sum to one. `tone` is the likeliest of `CLASSES`, `confidence` its probability."""

    negative: float
    neutral: float
    positive: float

    @property
    def tone(self) -> str:
        """The likeliest tone; on a tie the calmer one."""
        best = max(self.neutral, self.negative, self.positive)
        return "neutral" if best == self.neutral else "negative" if best == self.negative else "positive"

    @property
    def confidence(self) -> float:
        """How often such a verdict is right, as measured when the weights were fitted."""
        return max(self.negative, self.neutral, self.positive)


@dataclass(frozen=True, slots=True)
class _Weights:
    steps: NDArray[np.int8]  # (features, classes)
    scale: NDArray[np.float32]  # (classes,): size of one step
    bias: NDArray[np.float32]
    temperature: float


class ToneModel:
    """Loads each language's weights when first asked for it; safe to share between threads."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        self._folder = folder
        self._loaded: dict[str, tuple[Extractor, _Weights]] = {}
        self._lock = threading.Lock()

    def judge(self, texts: Sequence[str], languages: Sequence[str]) -> list[Verdict]:
        """A verdict for each text, in order; batches are about ten times cheaper than single texts.

        `languages` are two-letter codes, one a text; an unknown one is judged by the likeliest neighbour, less surely.
        """
        verdicts: list[Verdict] = [Verdict(1 / 3, 1 / 3, 1 / 3)] * len(texts)
        groups: dict[str, list[int]] = {}
        for place, language in enumerate(languages):
            groups.setdefault(language[:2].lower(), []).append(place)
        for language, places in groups.items():
            for start in range(0, len(places), _BATCH):
                chosen = places[start : start + _BATCH]
                probabilities = self.probabilities([texts[place] for place in chosen], language)
                for place, row in zip(chosen, probabilities.tolist(), strict=True):
                    verdicts[place] = Verdict(*row)
        return verdicts

    def probabilities(self, texts: Sequence[str], language: str) -> NDArray[np.float64]:
        """Array of (texts, 3) in the order of `CLASSES`; rows sum to one."""
        if language in LANGUAGES:
            logits, temperature = self.logits(texts, language)
            return _softmax(logits / temperature)
        parts = [logits / temperature for logits, temperature in (self.logits(texts, known) for known in LANGUAGES)]
        return _softmax(np.mean(parts, axis=0) / _STRANGE_LANGUAGE_TEMPERATURE)

    def logits(self, texts: Sequence[str], language: str) -> tuple[NDArray[np.float64], float]:
        """Raw sums of weights, and the temperature that makes them honest."""
        extractor, weights = self._weights(language)
        features = extractor.extract(texts)
        gathered = weights.steps[features.columns]
        out = np.empty((len(texts), len(CLASSES)))
        for place in range(len(CLASSES)):
            sums = np.bincount(features.rows, gathered[:, place] * features.values, minlength=len(texts))
            out[:, place] = sums * weights.scale[place] + weights.bias[place]
        return out, weights.temperature

    def _weights(self, language: str) -> tuple[Extractor, _Weights]:
        with self._lock:
            known = self._loaded.get(language)
            if known is None:
                with np.load(self._folder / f"tone-{language}.npz", allow_pickle=False) as stored:
                    weights = _Weights(
                        stored["steps"], stored["scale"], stored["bias"], float(stored["temperature"][0])
                    )
                known = self._loaded[language] = Extractor(language), weights
            return known


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
