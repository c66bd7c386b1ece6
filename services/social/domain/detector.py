"""Hears a burst in a stream of posts: one stream per watch, source and tone; one alert per episode.

A stream adds each post to the bin under way (five minutes and one hour at once) and asks whether closing the bin now
would be news: a product and a comparison, because the score is linear in the count. Bins close into `domain.track`.
Streams too quiet for bins (two reviews a week) are heard by the times of their last posts. State packs into a small blob.
Times are seconds since 1970, posts come roughly in order. Measured in benchmarks/listening/results.md.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

from services.kit.errors import Invalid
from services.social.domain.track import PACKED, Setting, Track

FAST_BIN_S: Final = 300.0
SLOW_BIN_S: Final = 3600.0
# Several settings averaged, because the best one differs from stream to stream.
FAST: Final = (
    Setting(smooth=0.5, slow=1 / 864, tail=0.99),
    Setting(smooth=0.25, slow=1 / 864, tail=0.99),
    Setting(smooth=0.12, slow=1 / 2016, tail=0.99),
)
SLOW: Final = (
    Setting(smooth=0.6, slow=1 / 168, tail=0.99, cold_bins=24.0),
    Setting(smooth=0.3, slow=1 / 336, tail=0.99, cold_bins=24.0),
)
SPEAKS_AT: Final = 6.0
AGAIN_AT: Final = 2.0  # times the first peak's height: only then an episode speaks again
_ENDS_BELOW: Final = 1.0
_CALM_S: Final = 4 * 3600.0  # an episode ends after so long without a rise
_SLOW_NEEDS_BINS: Final = 24.0
_MOST_BINS_AT_ONCE: Final = 2016
_LATE_S: Final = 600.0
_RARE_POSTS: Final = 3
_RARE_SPAN_S: Final = 7 * 86400.0
_RARE_CHANCE: Final = 0.001
_RARE_PRIOR_S: Final = 7 * 86400.0
_RARE_NEEDS_S: Final = 7 * 86400.0
_RARE_MOST_A_DAY: Final = 2.0
_CROWD_POSTS: Final = 16.0
_CROWD_TIMES: Final = 5.0
_CROWD_QUIET_BINS: Final = 3.0
_YOUNG_BINS: Final = 288.0
_HEAD: Final = struct.Struct("<B18d")
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Signal:
    """What a stream has to say: `raised` opens an episode, `grown` is a clearly larger peak of it, `ended` closes it.

    `count` is the mass of posts since `began_s`; `usual` and `usual_high` are posts a bin of `bin_s` seconds; `score`
    counts mean excesses above the stream's own high mark; `peak` is the most posts a bin so far.
    """

    kind: str
    at_s: float
    began_s: float
    count: float
    usual: float
    usual_high: float
    peak: float
    score: float
    bin_s: float


class _Scale:
    """Tracks of one bin length, averaged, with the bin under way."""

    __slots__ = ("a", "b", "bin_s", "count", "start", "tracks")

    def __init__(self, bin_s: float, settings: tuple[Setting, ...]) -> None:
        self.bin_s = bin_s
        self.tracks = tuple(map(Track, settings))
        self.start = math.nan
        self.count = 0.0
        self.a = self.b = 0.0
        self.prepare()

    def prepare(self) -> None:
        """Works out the line by which the bin under way is judged."""
        a = b = 0.0
        for track in self.tracks:
            offset, slope = track.line()
            a += offset
            b += slope
        self.a, self.b = a / len(self.tracks), b / len(self.tracks)

    def score(self) -> float:
        """Score if the bin closed now."""
        return self.a + self.b * self.count

    def close(self) -> None:
        """Teaches the tracks the bin under way and begins the next."""
        for track in self.tracks:
            track.learn(self.count)
        self.start += self.bin_s
        self.count = 0.0
        self.prepare()

    def skip_to(self, at_s: float) -> None:
        """Begins the bin of `at_s`, leaving out what lies between: nothing is known of it."""
        self.start = at_s - at_s % self.bin_s
        self.count = 0.0

    def usual(self) -> tuple[float, float]:
        """Posts a bin: usual, and rarely over."""
        base = sum(max(track.base, 0.0) for track in self.tracks) / len(self.tracks)
        high = max(track.mark()[0] for track in self.tracks)
        return base, base + high

    def began(self) -> tuple[float, float]:
        """When the present rise began, and the posts since."""
        track = self.tracks[0]
        return self.start - track.rising * self.bin_s, track.gathered + self.count


class Stream:
    """One watch × source × tone. Not safe for threads: one owner."""

    __slots__ = ("_began", "_calm_since", "_fast", "_first", "_gathered", "_known", "_last", "_peak", "_recent", "_slow",
                 "_speaking", "_spoken", "_total")  # fmt: skip

    def __init__(self) -> None:
        self._fast = _Scale(FAST_BIN_S, FAST)
        self._slow = _Scale(SLOW_BIN_S, SLOW)
        self._first = math.nan  # when listening began
        self._last = math.nan  # up to when it is known
        self._known = 0.0  # seconds listened to
        self._total = 0.0  # posts heard, for streams too quiet for bins
        self._recent = [math.nan] * _RARE_POSTS
        self._speaking = 0.0
        self._spoken = 0.0  # height of the peak it last spoke of, in posts a fast bin
        self._peak = 0.0
        self._began = math.nan
        self._gathered = 0.0
        self._calm_since = math.nan

    @property
    def in_episode(self) -> bool:
        """Whether an episode is open."""
        return bool(self._speaking)

    @property
    def since_s(self) -> float:
        """When listening began; before it nothing is known. NaN where it has not."""
        return self._first

    def observe(self, at_s: float, mass: float = 1.0, *, teach: bool = False) -> Signal | None:
        """Adds a post of the given mass (its probability of the tone); says what follows from it, if anything.

        Time since the last post counts as listened to unless `miss` said otherwise. With `teach` (imports) bins are
        learned and nothing is said. A post more than ten minutes older than the newest known time teaches nothing.
        """
        signal = None
        if math.isnan(self._last):
            self._begin(at_s)
        elif at_s >= self._last:
            signal = self.advance(at_s)
        elif at_s < self._last - _LATE_S:
            return None
        fast, slow = self._fast, self._slow
        fast.count += mass
        slow.count += mass
        self._total += mass
        if self._speaking:
            self._gathered += mass
        rare = False
        if mass >= 0.5:
            self._recent = [*self._recent[1:], max(at_s, self._last)]
            rare = not teach and self._is_rare()
        if teach:
            return signal
        if fast.tracks[0].bins < _YOUNG_BINS and not self._speaking:
            rare = rare or self._is_crowd()
        score = fast.a + fast.b * fast.count
        if score >= SPEAKS_AT or rare or (slow.a + slow.b * slow.count >= SPEAKS_AT):
            return self._speak(rare=rare) or signal
        return signal

    def advance(self, to_s: float) -> Signal | None:
        """Says that the source was heard until `to_s`: bins before it are finished, empty ones are true zeros."""
        if math.isnan(self._last):
            self._begin(to_s)
            return None
        if to_s <= self._last:
            return None
        self._known += to_s - self._last
        self._last = to_s
        signal = None
        for scale in (self._fast, self._slow):
            late = int((to_s - scale.start) // scale.bin_s)
            for _ in range(min(late, _MOST_BINS_AT_ONCE)):
                scale.close()
            if late > _MOST_BINS_AT_ONCE:
                scale.skip_to(to_s)
        if self._speaking:
            signal = self._maybe_end(to_s)
        return signal

    def miss(self, until_s: float) -> None:
        """Says that nothing is known until `until_s` (source down, limited, off): a gap teaches nothing and is no zero."""
        if math.isnan(self._last) or until_s > self._last:
            self._last = until_s
            if math.isnan(self._first):
                self._first = until_s
            for scale in (self._fast, self._slow):
                if math.isnan(scale.start) or until_s >= scale.start + scale.bin_s:
                    scale.skip_to(until_s)

    def usual(self) -> tuple[float, float, float]:
        """Posts a bin (usual, rarely over) and the bin's seconds: five minutes where busy, an hour where quiet."""
        base, high = self._fast.usual()
        if base >= 1.0:
            return base, high, FAST_BIN_S
        return (*self._slow.usual(), SLOW_BIN_S)

    def _begin(self, at_s: float) -> None:
        self._first = self._last = at_s
        self._fast.skip_to(at_s)
        self._slow.skip_to(at_s)

    def _score(self) -> tuple[float, _Scale]:
        fast, slow = self._fast.score(), self._slow.score()
        if slow > fast and self._slow.tracks[0].bins >= _SLOW_NEEDS_BINS:
            return slow, self._slow
        return fast, self._fast

    def _is_rare(self) -> bool:
        """Whether the last three posts came closer together than chance allows in a stream this quiet.

        Given the newest, the chance of two more in the span they took, at the rate of all before (with a prior of half
        a post a week), must be under one in a thousand.
        """
        oldest = self._recent[0]
        if math.isnan(oldest) or self._known < _RARE_NEEDS_S:
            return False
        span = max(self._recent[-1] - oldest, 60.0)
        before = max(self._total - _RARE_POSTS, 0.0)
        rate = (before + 0.5) / (max(self._known - span, 0.0) + _RARE_PRIOR_S)
        if span > _RARE_SPAN_S or rate > _RARE_MOST_A_DAY / 86400.0:
            return False
        mean = rate * span
        return 1.0 - math.exp(-mean) * (1.0 + mean) < _RARE_CHANCE

    def _is_crowd(self) -> bool:
        """Whether, on its first day, a stream that was quiet for a quarter of an hour at least now has a crowd.

        What is usual is not known yet, so plain figures decide: sixteen posts in the present rise, and five times the
        posts a bin of the time before it. A stream that is busy from its first minute has no quiet time and no crowd.
        """
        track = self._fast.tracks[0]
        began_s, gathered = self._fast.began()
        before = track.bins - track.rising
        if gathered < _CROWD_POSTS or before < _CROWD_QUIET_BINS or began_s < self._first:
            return False
        usual = (max(self._total - gathered, 0.0) + 1.0) / (before + 1.0)
        return gathered / (track.rising + 1.0) >= _CROWD_TIMES * usual

    def _speak(self, *, rare: bool) -> Signal | None:
        score, scale = self._score()
        if score < SPEAKS_AT and not rare:
            return None
        self._calm_since = self._last
        height = max((scale.count - scale.usual()[0]) * FAST_BIN_S / scale.bin_s, 1.0)
        if self._speaking:
            self._peak = max(self._peak, height)
            if height < AGAIN_AT * self._spoken:
                return None
            self._spoken = height
            return self._signal("grown", score, scale)
        self._speaking = 1.0
        self._spoken = self._peak = height
        if rare and score < SPEAKS_AT and self._fast.began()[1] < _CROWD_POSTS:
            self._began, self._gathered = self._recent[0], float(_RARE_POSTS)
            return self._signal("raised", SPEAKS_AT, self._slow)
        self._began, self._gathered = scale.began()
        return self._signal("raised", max(score, SPEAKS_AT), scale)

    def _signal(self, kind: str, score: float, scale: _Scale) -> Signal:
        base, high = scale.usual()
        peak = max(self._peak * scale.bin_s / FAST_BIN_S + base, scale.count)
        return Signal(kind, self._last, self._began, self._gathered, base, high, peak, score, scale.bin_s)

    def _maybe_end(self, now_s: float) -> Signal | None:
        score, scale = self._score()
        if score >= _ENDS_BELOW:
            self._calm_since = now_s
            return None
        if now_s - self._calm_since < _CALM_S:
            return None
        self._speaking = 0.0
        return self._signal("ended", score, scale)

    def pack(self) -> bytes:
        """The whole state as bytes; the same floats on every machine."""
        fast, slow = self._fast, self._slow
        head = _HEAD.pack(
            _VERSION, self._first, self._last, self._known, self._total, *self._recent, self._speaking, self._spoken,
            self._peak, self._began, self._gathered, self._calm_since, fast.start, fast.count, slow.start, slow.count, 0.0,
        )  # fmt: skip
        return head + b"".join(track.pack() for scale in (fast, slow) for track in scale.tracks)

    @classmethod
    def unpack(cls, packed: bytes) -> Stream:
        """The stream that `pack` gave.

        Raises:
            Invalid: the bytes are of another version or cut; listen anew from an empty stream.
        """
        stream = cls()
        tracks = [*stream._fast.tracks, *stream._slow.tracks]
        if len(packed) != _HEAD.size + PACKED.size * len(tracks) or packed[0] != _VERSION:
            raise Invalid("The state of a stream is of another version; listen anew.", field="state")
        (
            _, stream._first, stream._last, stream._known, stream._total, *stream._recent, stream._speaking,
            stream._spoken, stream._peak, stream._began, stream._gathered, stream._calm_since, stream._fast.start,
            stream._fast.count, stream._slow.start, stream._slow.count, _,
        ) = _HEAD.unpack_from(packed)  # fmt: skip
        for place, track in enumerate(tracks):
            track.unpack(packed[_HEAD.size + place * PACKED.size : _HEAD.size + (place + 1) * PACKED.size])
        stream._fast.prepare()
        stream._slow.prepare()
        return stream
