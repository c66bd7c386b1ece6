"""The first-response clock: a promise of minutes, counted only while the brand is open.

Openings are wall-clock minutes of the brand's zone; across a change to or from summer time an opening is as long as
the clock on the wall makes it. The due moment never falls when the start rises, and never comes before the start.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY_MINUTES = 1440
_DAY_US = 86_400_000_000
_HORIZON_DAYS = 120  # four months: a promise that finds too few open minutes in them ends with them
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of a weekday (Monday 0), in minutes of the day."""

    weekday: int
    opens_minute: int
    closes_minute: int


@dataclass(frozen=True, slots=True)
class Hours:
    """When a brand works. No openings at all means always."""

    zone: str = "UTC"
    openings: tuple[Opening, ...] = ()
    holidays: frozenset[str] = frozenset()


def due_us(hours: Hours, start_us: int, minutes: int) -> int:
    """The moment by which `minutes` of opening time have passed since `start_us` (microseconds since 1970 UTC)."""
    need = minutes * 60_000_000
    if not hours.openings:
        return start_us + need
    starts, ends, worked = _known_intervals(hours, start_us // (_DAY_US * 30))
    if not starts:
        return start_us + need
    place = bisect_right(starts, start_us) - 1
    if place >= 0 and start_us < ends[place]:
        done = worked[place] + start_us - starts[place]
    else:
        done = worked[place + 1] if place + 1 < len(worked) else worked[-1]
    target = done + need
    found = bisect_right(worked, target) - 1
    if found >= len(starts):
        return max(ends[-1], start_us + need)
    if target == worked[found] and found > 0 and need > 0:
        found -= 1  # exactly at closing time: due when the shop closes, not when it opens again
    return max(starts[found] + target - worked[found], start_us)


def _known_intervals(hours: Hours, month: int) -> tuple[list[int], list[int], list[int]]:
    """As `_intervals`, found by identity: the hash of a week of openings costs ten times as much as the answer."""
    known = _BY_IDENTITY.get((id(hours), month))
    if known is None or known[0] is not hours:
        if len(_BY_IDENTITY) >= 256:
            _BY_IDENTITY.clear()
        known = _BY_IDENTITY[id(hours), month] = (hours, _intervals(hours, month))
    return known[1]


_BY_IDENTITY: dict[tuple[int, int], tuple[Hours, tuple[list[int], list[int], list[int]]]] = {}


def is_open(hours: Hours, at_us: int) -> bool:
    """Whether the brand works at that moment."""
    if not hours.openings:
        return True
    starts, ends, _ = _intervals(hours, at_us // (_DAY_US * 30))
    place = bisect_right(starts, at_us) - 1
    return place >= 0 and at_us < ends[place]


@lru_cache(maxsize=256)
def _intervals(hours: Hours, month: int) -> tuple[list[int], list[int], list[int]]:
    """Openings around a block of thirty days: their starts, ends, and the open time before each (one more at the end)."""
    zone = _zone(hours.zone)
    first = (_EPOCH + timedelta(days=month * 30 - 2)).date()
    spans: list[tuple[int, int]] = []
    for number in range(_HORIZON_DAYS + 32):
        day = first + timedelta(days=number)
        if day.isoformat() in hours.holidays:
            continue
        spans.extend(
            (_moment(day, opening.opens_minute, zone), _moment(day, opening.closes_minute, zone))
            for opening in hours.openings
            if opening.weekday == day.weekday() and opening.closes_minute > opening.opens_minute
        )
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(spans):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        elif end > start:
            starts.append(start)
            ends.append(end)
    worked = [0]
    for start, end in zip(starts, ends, strict=True):
        worked.append(worked[-1] + end - start)
    return starts, ends, worked


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")  # a zone nobody knows: the edges refuse it, an old row must still be counted


def _moment(day: date, minute: int, zone: ZoneInfo) -> int:
    if minute >= _DAY_MINUTES:
        day, minute = day + timedelta(days=1), minute - _DAY_MINUTES
    local = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone)
    return int((local - _EPOCH) / timedelta(microseconds=1))
