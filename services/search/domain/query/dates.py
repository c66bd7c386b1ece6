"""Moments as readers write them: ISO, day first with dots, slashes or dashes, words, and spans such as 30d."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from services.search.domain.query.tree import Reader

_ISO = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_SPOKEN = re.compile(r"(\d{1,2})[./-](\d{1,2})(?:[./-](\d{2}|\d{4}))?")  # 31.12.2026, 31/12, 31-12-26
_SPAN = re.compile(r"(\d{1,4})\s*([a-z]*)")
_WORDS = {
    "today": 0, "oggi": 0, "heute": 0, "hoy": 0, "hoje": 0, "yesterday": 1, "ieri": 1, "gestern": 1, "hier": 1, "ayer": 1,
    "ontem": 1,
}  # fmt: skip
_HOURS = {
    "h": 1, "ore": 1, "hours": 1, "": 24, "d": 24, "g": 24, "gg": 24, "giorni": 24, "days": 24, "w": 168, "s": 168,
    "settimane": 168, "weeks": 168, "m": 730, "mesi": 730, "months": 730, "y": 8766, "a": 8766, "anni": 8766, "years": 8766,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_HOURS = 24 * 366 * 100


def microseconds(moment: datetime) -> int:
    """Since 1970, as times are stored."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def day_range(text: str, reader: Reader) -> tuple[int, int] | None:
    """The first microsecond of the day, month or year written, and of the next; None when it is no date."""
    found = _days(text.strip().lower(), reader)
    if found is None:
        return None
    try:
        return tuple(microseconds(datetime(day.year, day.month, day.day, tzinfo=reader.zone)) for day in found)  # type: ignore[return-value]  # two in, two out
    except (ValueError, OverflowError):
        return None


def _days(text: str, reader: Reader) -> tuple[date, date] | None:
    today = reader.now.astimezone(reader.zone).date()
    if text in _WORDS:
        day = today - timedelta(days=_WORDS[text])
        return day, day + timedelta(days=1)
    try:
        if iso := _ISO.fullmatch(text):
            return _iso(iso)
        if spoken := _SPOKEN.fullmatch(text):
            return _spoken(spoken, reader, today)
    except (ValueError, OverflowError):  # 31 February, year 0
        return None
    return None


def _iso(match: re.Match[str]) -> tuple[date, date]:
    year, month, day = int(match[1]), match[2], match[3]
    if month is None:
        return date(year, 1, 1), date(year + 1, 1, 1)
    if day is None:
        first = date(year, int(month), 1)
        return first, (first + timedelta(days=32)).replace(day=1)
    only = date(year, int(month), int(day))
    return only, only + timedelta(days=1)


def _spoken(match: re.Match[str], reader: Reader, today: date) -> tuple[date, date]:
    first, second = int(match[1]), int(match[2])
    american = reader.language.lower().replace("_", "-") == "en-us"
    day, month = (second, first) if american else (first, second)
    if match[3] is None:
        only = date(today.year, month, day)
        if only > today:
            only = date(today.year - 1, month, day)
    else:
        year = int(match[3])
        only = date(year + 2000 if year < 100 else year, month, day)
    return only, only + timedelta(days=1)


def span_start(text: str, reader: Reader) -> int | None:
    """The moment `30d`, `12h`, `4w`, `6m` or `2 giorni` before now; None when it is no span."""
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None or match[2] not in _HOURS:
        return None
    hours = int(match[1]) * _HOURS[match[2]]
    return None if hours > _MOST_HOURS else microseconds(reader.now - timedelta(hours=hours))
