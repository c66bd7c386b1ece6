"""A brand and its opening hours: open now, opens next; colours that can be read. No clock: the moment is an argument."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.kit.errors import Invalid

LANGUAGES = ("it", "en", "de", "fr", "es", "pt")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_WHITE_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


@dataclass(frozen=True, slots=True)
class Opening:
    """One stretch of a weekday (Monday is 0), in minutes of the day in the brand's zone."""

    weekday: int
    opens_minute: int
    closes_minute: int


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which nobody answers, `YYYY-MM-DD`."""

    date: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """When people answer. No openings at all: always."""

    openings: tuple[Opening, ...] = ()
    holidays: tuple[Holiday, ...] = ()


DEFAULT_HOURS = Hours(tuple(Opening(day, 9 * 60, 18 * 60) for day in range(5)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """One shop. `slug` is its name in `/c/{slug}/…`."""

    id: str
    name: str
    slug: str
    time_zone: str = "Europe/Rome"
    language: str = "it"
    languages: tuple[str, ...] = LANGUAGES
    formal: bool = True
    hours: Hours = DEFAULT_HOURS
    first_response_minutes: int = 240
    close_after_days: int = 7
    acknowledge_window_minutes: int = 1440
    colour: str = "#02646d"
    shop_origin: str = ""
    signature: str = ""
    version: int = 0

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins that may embed the form and the chat."""
        return tuple(part.strip().rstrip("/") for part in self.shop_origin.split(",") if part.strip())


def checked(brand: Brand) -> Brand:
    """The brand, if it can be used. Raises `Invalid` naming the field."""
    if not brand.name.strip():
        raise Invalid("A brand needs a name.", field="name")
    try:
        ZoneInfo(brand.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            f"There is no time zone {brand.time_zone!r}; write one like Europe/Rome.", field="time_zone"
        ) from error
    if brand.language not in LANGUAGES:
        raise Invalid(f"The language must be one of {', '.join(LANGUAGES)}.", field="language")
    if not _COLOUR.fullmatch(brand.colour):
        raise Invalid("The colour must be written as #rrggbb.", field="colour")
    for opening in brand.hours.openings:
        if not (0 <= opening.weekday <= 6 and 0 <= opening.opens_minute < opening.closes_minute <= 1440):
            raise Invalid("An opening runs from a minute to a later one of the same day.", field="hours")
    for origin in brand.origins:
        if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d+)?", origin):  # scheme, host, perhaps a port, no path
            raise Invalid(f"{origin[:80]} is not an origin; write it like https://shop.example.", field="shop_origin")
    return brand


def slug_of(name: str, taken: Sequence[str] = ()) -> str:
    """A name for addresses: `Lumaca Casa` becomes `lumaca-casa`; a number is added when it is taken."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "shop"
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug


def is_open(brand: Brand, moment: datetime) -> bool:
    """Whether people answer at `moment`."""
    if not brand.hours.openings:
        return True
    local = moment.astimezone(ZoneInfo(brand.time_zone))
    minute = local.hour * 60 + local.minute
    return any(o.opens_minute <= minute < o.closes_minute for o in _openings_on(brand, local.date()))


def opens_next(brand: Brand, moment: datetime) -> datetime | None:
    """When people answer again, in the brand's zone; None when it is open now or never within three weeks."""
    if is_open(brand, moment):
        return None
    zone = ZoneInfo(brand.time_zone)
    local = moment.astimezone(zone)
    for ahead in range(22):
        day = local.date() + timedelta(days=ahead)
        for opening in sorted(_openings_on(brand, day), key=lambda o: o.opens_minute):
            begins = datetime.combine(day, time(opening.opens_minute // 60, opening.opens_minute % 60), zone)
            if begins > local:
                return begins
    return None


def _openings_on(brand: Brand, day: date) -> list[Opening]:
    if any(holiday.date == day.isoformat() for holiday in brand.hours.holidays):
        return []
    return [opening for opening in brand.hours.openings if opening.weekday == day.weekday()]


def readable_colour(colour: str) -> str:
    """The colour, darkened as far as white text on it needs. Source: WCAG 2.2, relative luminance and contrast ratio."""
    if not _COLOUR.fullmatch(colour):
        return "#02646d"
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    while 1.05 / (_luminance(parts) + 0.05) < _WHITE_CONTRAST:
        parts = [int(part * 0.94) for part in parts]
    return "#{:02x}{:02x}{:02x}".format(*parts)


def lightened_colour(colour: str) -> str:
    """The colour, lightened as far as it needs to be read on the dark canvas (#0f1518)."""
    parts = [int(readable_colour(colour)[at : at + 2], 16) for at in (1, 3, 5)]
    dark = _luminance([0x1F, 0x29, 0x2C])
    while (_luminance(parts) + 0.05) / (dark + 0.05) < _WHITE_CONTRAST:
        parts = [min(255, part + max(1, (255 - part) // 12)) for part in parts]
    return "#{:02x}{:02x}{:02x}".format(*parts)


def _luminance(parts: Sequence[int]) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
