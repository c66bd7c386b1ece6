"""What the mention and alert pages show: plain values, as in `views`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mention:
    """A post, comment or review."""

    id: str
    rev: int
    icon: str
    source: str
    author: str
    followers: int
    at: datetime
    text: str
    language: str
    tone: str  # negative, neutral, positive, ""
    tone_label: str
    confidence: float
    matched: Sequence[str]
    reposts: int
    reach: int
    state: str
    state_label: str
    url: str
    ticket: str = ""
    alerts: Sequence[str] = ()
    can_reply: bool = False
    removed_at: datetime | None = None
    removed: bool = False
    tag: str = ""  # first, widest
    corrected: bool = False
    title: str = ""
    handle: str = ""  # beside the name, where the author has both


@dataclass(frozen=True, slots=True)
class Bar:
    """One piece of the chart, in percent across and in points down."""

    kind: str
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A numbered moment on the chart."""

    number: int
    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A gridline or a label of the time axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Mentions per bin with what is usual, ready to draw: positions across are percentages, down are points."""

    bars: Sequence[Bar]
    grid: Sequence[Line]
    hours: Sequence[Line]
    expected: Sequence[tuple[float, float, float, float]]  # x1, y1, x2, y2
    usual: Sequence[Bar]
    gaps: Sequence[Bar]
    episode: Bar | None
    marks: Sequence[ChartMark]
    table: Sequence[tuple[str, int, int, int]]
    title: str
    height: int = 244


@dataclass(frozen=True, slots=True)
class Share:
    """A term, source or author with its figure and a bar."""

    label: str
    count: int
    detail: str
    share: float
    href: str = ""


def spark(per_hour: Sequence[int]) -> list[Bar]:
    """24 bars, 16 points high."""
    hours = [0] * (24 - len(per_hour)) + list(per_hour)[-24:]
    top = max([1, *hours])
    return [
        Bar("", place * 2, 1.5, round(16 - 15 * count / top - 0.5, 1), round(15 * count / top + 0.5, 1))
        for place, count in enumerate(hours)
    ]
