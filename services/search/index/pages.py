"""What the pages of every engine have in common: how deep they go, how facets and the histogram are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

EXACT_TOTAL = 10_000
DEEPEST = 10_000
INNER = 3
MOST_VALUES = 50
DAY_US = 86_400_000_000
FACETS = frozenset({"kind", "channel", "brand", "state", "tag", "agent", "team", "lang", "tone", "account", "flag"})
BY_DAY: Mapping[str, Any] = {
    "at": {"histogram": {"field": "at", "interval": float(DAY_US), "min_doc_count": 1}},
    "newest": {"max": {"field": "at"}},
}
_BINS = (1, 7, 30, 91, 365)  # days
_MOST_BINS = 60


def days_of(answer: Mapping[str, Any]) -> tuple[dict[int, int], int]:
    """From the answer to `BY_DAY`: counts by day since 1970, and the newest moment."""
    days = {int(one["key"]) // DAY_US: int(one["doc_count"]) for one in answer["at"]["buckets"]}
    days.pop(0, None)  # what has no time
    return days, int(answer["newest"]["value"] or 0)


def in_bins(days: Mapping[int, int]) -> tuple[list[tuple[int, int]], int]:
    """Counts over time, in about 60 bins of days, weeks, months or years at most, and how long a bin is."""
    if not days:
        return [], 0
    span = max(days) - min(days)
    width = next((width for width in _BINS if span / width <= _MOST_BINS), 0)
    width = width or _BINS[-1] * int(span / _BINS[-1] / _MOST_BINS + 1)
    bins: dict[int, int] = {}
    for day in sorted(days):
        start = day - day % width
        bins[start] = bins.get(start, 0) + days[day]
    return [(start * DAY_US, count) for start, count in bins.items()], width * DAY_US


def counts_of(buckets: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Values and how often they are, without the empty one."""
    return [(str(bucket["key"]), int(bucket["doc_count"])) for bucket in buckets if bucket["key"]]
