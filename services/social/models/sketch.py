"""Near-duplicates: a small signature of a text whose agreement estimates how much two texts share.

MinHash over character 5-shingles of the normalised text; 48 permutations in 16 bands of 3. Memory is fixed.
Source: Broder, On the resemblance and containment of documents, 1997.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS: Final = 48
SAME = 0.6  # share of shingles from which on two short posts count as one
_BANDS, _ROWS = 16, 3
_SHINGLE = 5
_SLOT_BITS = 16
_random = np.random.default_rng(20)
_FACTORS = _random.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _random.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)
_BAND_FACTORS = _random.integers(1, 2**63, (1, _ROWS), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_POWERS = [np.uint64(pow(0x100000001B3, power, 2**64)) for power in range(_SHINGLE)]

Signature = NDArray[np.uint32]


def signature(normalised: str) -> Signature:
    """The signature of a text already through `domain.text.normalise`; texts under five characters are one shingle."""
    points = np.frombuffer(normalised[:2000].ljust(_SHINGLE).encode("utf-32-le", "surrogatepass"), np.uint32)
    count = len(points) - _SHINGLE + 1
    shingles = np.zeros(count, np.uint64)
    for offset, power in enumerate(_POWERS):
        shingles += points[offset : offset + count] * power
    shingles ^= shingles >> np.uint64(31)
    hashed = (shingles[:, None] * _FACTORS[None, :] + _OFFSETS[None, :]) >> np.uint64(32)
    return np.asarray(hashed.min(axis=0), np.uint32)


def likeness(left: Signature, right: Signature) -> float:
    """Estimate of the share of shingles two texts have in common (standard error 0.07 at 0.6)."""
    return float(np.mean(left == right))


class Window:
    """The newest originals, searched by signature: at most `capacity` of them, none older than `span_s` seconds.

    Not safe for threads: one owner. After a restart it is filled again from what is stored.
    """

    def __init__(self, *, capacity: int = 16_384, span_s: float = 72 * 3600.0) -> None:
        self._signatures = np.zeros((capacity, PERMUTATIONS), np.uint32)
        self._times = np.full(capacity, -np.inf)
        self._ids: list[str] = [""] * capacity
        self._slots = np.full((_BANDS, 1 << _SLOT_BITS), -1, np.int32)
        self._bands = np.arange(_BANDS)
        self._next = 0
        self._span_s = span_s

    def add(self, key: str, mark: Signature, at_s: float) -> None:
        """Remembers an original; the oldest gives way."""
        place = self._next
        self._next = (place + 1) % len(self._ids)
        self._signatures[place], self._times[place], self._ids[place] = mark, at_s, key
        self._slots[self._bands, _band_keys(mark)] = place

    def fill(self, known: Iterable[tuple[str, str, float]]) -> None:
        """Remembers stored originals, oldest first: id, normalised text, time in seconds."""
        for key, normalised, at_s in known:
            self.add(key, signature(normalised), at_s)

    def find(self, mark: Signature, at_s: float, *, same: float = SAME) -> str:
        """The id of the original most like it in the span before `at_s`, or "" where none shares enough."""
        places = self._slots[self._bands, _band_keys(mark)]
        places = np.unique(places[places >= 0])
        if not len(places):
            return ""
        likenesses = (self._signatures[places] == mark).mean(axis=1)
        likenesses[np.abs(at_s - self._times[places]) > self._span_s] = 0.0
        best = int(likenesses.argmax())
        return self._ids[int(places[best])] if likenesses[best] >= same else ""


def _band_keys(mark: Signature) -> NDArray[np.int64]:
    mixed = (mark.reshape(_BANDS, _ROWS) * _BAND_FACTORS).sum(axis=1, dtype=np.uint64)
    return np.asarray(mixed >> np.uint64(64 - _SLOT_BITS), np.int64)
