"""One adaptive track of a count per bin: what is usual, how high usual goes, and how far above that a bin stands.

A track keeps nine floats and costs a few microseconds a bin. It never looks back, needs no training and no seasonality:
a smoothed level, a slow baseline that a burst cannot teach, a high quantile of the residuals and the mean excess above it.
Bins, streams and episodes are in `domain.detector`. What was tried and measured: benchmarks/listening/results.md.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

PACKED: Final = struct.Struct("<9d")
_PRIOR_BINS: Final = 3.0  # before anything is known a bin holds about one post, as sure as after three bins
_LEARN_QUANTILE: Final = 0.08
_CLIP: Final = 3.0  # mean excesses above the quantile beyond which a bin teaches no more
_NEWS_TEACHES: Final = 0.15  # a bin that is news teaches a seventh, so that a burst does not become the usual
_POISSON_QUANTILE: Final = 2.33  # standard errors of the 99th percentile of a Gaussian
_POISSON_EXCESS: Final = 0.42  # mean excess above it, in standard errors, with room for the Poisson's longer tail
_LEAST_POSTS: Final = 3.0  # posts in one bin that are never news
_LEAST_EXCESS: Final = 0.5
_RELATIVE_EXCESS: Final = 0.05  # of the usual height: rhythms repeat no better than this
_COLD_WIDENING: Final = 1.5
_LONGEST_FREEZE: Final = 2016.0  # bins of silence after which silence is believed: a week of five minutes


@dataclass(frozen=True, slots=True)
class Setting:
    """How a track listens: `smooth` and `slow` are weights of the newest bin, `tail` the share of bins below the mark."""

    smooth: float
    slow: float
    tail: float = 0.99
    unit: float = 1.0  # 0 where values are no counts: Poisson's floors do not hold then
    cold_bins: float = 48.0


class Track:
    """The nine floats and their one step."""

    __slots__ = ("base", "bins", "excess", "gathered", "high", "level", "rising", "setting", "silence", "spread")

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.bins = 0.0
        self.level = 0.0
        self.base = setting.unit
        self.spread = 0.0
        self.high = 0.0
        self.excess = 0.0
        self.silence = 0.0
        self.rising = 0.0  # bins since the level left the usual
        self.gathered = 0.0  # posts in them

    def _weight(self) -> float:
        """Weight of the newest bin in the level; in a young track all bins weigh alike."""
        return max(self.setting.smooth, 1.0 / (self.bins + 2.0))

    def mark(self) -> tuple[float, float]:
        """The height of the smoothed level above the baseline that is still usual, and the unit of excess above it."""
        setting = self.setting
        smooth = self._weight()
        if not setting.unit:
            return self.high, max(self.excess, 0.05 * self.spread, 1e-9)
        base = max(self.base, 0.0)
        error = math.sqrt(base * (smooth / (2.0 - smooth) + 1.0 / (self.bins + _PRIOR_BINS)))
        widening = 1.0 + _COLD_WIDENING / (1.0 + self.bins / setting.cold_bins)
        high = max(self.high, _POISSON_QUANTILE * error, _LEAST_POSTS * smooth)
        least = max(_POISSON_EXCESS * error, _LEAST_EXCESS * smooth) * widening
        return high, max(self.excess, least, _RELATIVE_EXCESS * (base + high))

    def line(self) -> tuple[float, float]:
        """`(a, b)` so that a bin of x posts would score `a + b·x`: a bin under way is judged by one product."""
        high, unit = self.mark()
        smooth = self._weight()
        return ((1.0 - smooth) * self.level - self.base - high) / unit, smooth / unit

    def learn(self, x: float) -> None:
        """Takes in a finished bin. A silence too long to be chance is not believed: the source may be down."""
        setting = self.setting
        if x <= 0.0 and setting.unit:
            self.silence += 1.0
            if self.silence * self.base > 8.0 and self.silence < _LONGEST_FREEZE:
                self.level += setting.smooth * (0.0 - self.level)
                return
        else:
            self.silence = 0.0
        if not self.bins and not setting.unit:
            self.level = self.base = x
        weight = self._weight()
        self.bins += 1.0
        self.level += weight * (x - self.level)
        residual = self.level - self.base
        high, unit = self.mark()
        top = high + _CLIP * unit
        slow = max(setting.slow, 1.0 / (self.bins + _PRIOR_BINS))
        direct = max(-top - self.base, min(x - self.base, top / max(setting.smooth, 0.3)))
        self.base += slow * direct
        if residual > high:
            self.rising += 1.0
            self.gathered += x
        else:
            self.rising = self.gathered = 0.0
        news = residual > top and self.bins > setting.cold_bins
        size = min(abs(residual), top + 1e-12) if self.bins > 10 else abs(residual)
        self.spread += (_NEWS_TEACHES if news else 1.0) * max(0.01, 1.0 / (self.bins + 1.0)) * (size - self.spread)
        step = _LEARN_QUANTILE * self.spread * (_NEWS_TEACHES if news else 1.0)
        if residual > self.high:
            over = min(residual - self.high, 4.0 * unit)
            self.excess += 0.05 * (_NEWS_TEACHES if news else 1.0) * (over - self.excess)
            self.high += step * setting.tail
        else:
            self.high -= step * (1.0 - setting.tail)

    def pack(self) -> bytes:
        """The nine floats, 72 bytes."""
        return PACKED.pack(
            self.bins,
            self.level,
            self.base,
            self.spread,
            self.high,
            self.excess,
            self.silence,
            self.rising,
            self.gathered,
        )

    def unpack(self, packed: bytes) -> None:
        """Takes the state `pack` gave."""
        (
            self.bins, self.level, self.base, self.spread, self.high, self.excess, self.silence, self.rising, self.gathered
        ) = PACKED.unpack(packed)  # fmt: skip
