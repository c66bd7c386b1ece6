"""The desk's languages: catalogs read from `.po` at start, and dates, numbers and durations by CLDR.

A `Tongue` is one person's language and time zone; templates get it as `tongue`. Nothing here knows a page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_compact_decimal, format_decimal, format_percent
from babel.support import Translations

FOLDER = Path(__file__).parent / "locale"
LANGUAGES = ("it", "en")
PSEUDO = "xx"  # English, a third longer and accented, to see what was not translated and what does not fit
SOURCE_LANGUAGE = "en"


class Pseudo(Translations):
    """Every message in brackets, accented and about 40 % longer; names and markup stay whole."""

    _LETTERS = str.maketrans("aeioucnsyAEIOUCNS", "àéîöüçñšýÀÉÎÖÜÇÑŠ")
    _KEEP = re.compile(r"(%\([a-z_]+\)[sd]|<[^>]+>|%%|\{\})")

    def _dress(self, text: str) -> str:
        parts = self._KEEP.split(text)
        dressed = "".join(part if index % 2 else part.translate(self._LETTERS) for index, part in enumerate(parts))
        return f"[{dressed}{'·' * (2 + len(text) * 2 // 5)}]"

    def gettext(self, message: str) -> str:
        """The dressed message."""
        return self._dress(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The dressed singular or plural."""
        return self._dress(msgid1 if n == 1 else msgid2)

    # Jinja asks for the old names first, which Babel still has.
    ugettext, ungettext = gettext, ngettext

    def pgettext(self, context: str, message: str) -> str:  # noqa: ARG002 the context chooses among meanings
        """The dressed message."""
        return self._dress(message)

    def npgettext(self, context: str, singular: str, plural: str, num: int) -> str:  # noqa: ARG002 as above
        """The dressed singular or plural."""
        return self._dress(singular if num == 1 else plural)


@cache
def catalog(language: str) -> Translations:
    """The messages of `language`, compiled in memory from its `.po`; unknown languages speak English."""
    if language == PSEUDO:
        return Pseudo()
    path = FOLDER / language / "LC_MESSAGES" / "desk.po"
    if not path.exists():
        return Translations()
    with path.open("rb") as file:
        messages = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return Translations(compiled)


def language_for(accepted: Iterable[str], chosen: str = "") -> str:
    """The person's choice, else the first accepted language we have, else English."""
    if chosen in (*LANGUAGES, PSEUDO):
        return chosen
    for tag in accepted:
        language = tag.strip().partition(";")[0].partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return SOURCE_LANGUAGE


def zone_for(name: str) -> ZoneInfo:
    """The named time zone, or UTC where there is none of that name."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language, a time zone and the present moment, by which a page is written."""

    language: str
    zone: ZoneInfo
    now: datetime

    @property
    def locale(self) -> Locale:
        """CLDR's locale of the language; English with day-first dates and 24 hours."""
        return _locale(self.language)

    @property
    def messages(self) -> Translations:
        """The catalog."""
        return catalog(self.language)

    def text(self, message: str, **names: object) -> str:
        """One message, its names filled in."""
        found = str(self.messages.gettext(message))
        return found % names if names else found

    def count(self, one: str, many: str, number: int, **names: object) -> str:
        """A message that has a plural; `%(num)s` is the number, grouped as the language does."""
        return str(self.messages.ngettext(one, many, number)) % {"num": self.number(number), **names}

    def word(self, context: str, value: str) -> str:
        """The word for a value of the contract ("email" of channels); the value itself, spaced, where we have none."""
        if not value:
            return ""
        found = str(self.messages.pgettext(context, value))
        return found if found != value else value.replace("_", " ").replace("-", " ").capitalize()

    def local(self, moment: datetime) -> datetime:
        """The moment on the person's clock."""
        return moment.astimezone(self.zone)

    def clock(self, moment: datetime) -> str:
        """14:05."""
        return str(format_time(self.local(moment), "HH:mm", locale=self.locale))

    def day(self, moment: datetime | date) -> str:
        """Today, yesterday, "Wednesday 11 March", or with its year when it is another one."""
        day = self.local(moment).date() if isinstance(moment, datetime) else moment
        today = self.local(self.now).date()
        if day == today:
            return self.text("today")
        if day == today - timedelta(days=1):
            return self.text("yesterday")
        skeleton = "EEEEdMMMM" if day.year == today.year else "dMMMMy"
        return str(format_skeleton(skeleton, day, locale=self.locale))

    def short_day(self, moment: datetime) -> str:
        """11 Mar, or 11 Mar 2025."""
        local = self.local(moment)
        pattern = "d MMM" if local.year == self.local(self.now).year else "d MMM y"
        return str(format_date(local.date(), pattern, locale=self.locale))

    def when(self, moment: datetime) -> str:
        """The hour today, "yesterday 18:42", else the day: as short as it stays clear."""
        local, today = self.local(moment).date(), self.local(self.now).date()
        if local == today:
            return self.clock(moment)
        if local == today - timedelta(days=1):
            return self.text("yesterday %(time)s", time=self.clock(moment))
        return f"{self.short_day(moment)} {self.clock(moment)}"

    def full(self, moment: datetime) -> str:
        """Day, hour and zone, for the tip on a shorter form."""
        return str(format_datetime(moment, "EEE d MMM y, HH:mm:ss z", tzinfo=self.zone, locale=self.locale))

    def duration(self, seconds: float) -> str:
        """Two units at most: "1 h 34 min", "25 s", "3 d"."""
        left = max(0, int(seconds))
        if left < 60:
            return self.text("%(n)s s", n=left)
        minutes, hours, days = left // 60, left // 3600, left // 86400
        if hours < 1:
            rest = left % 60
            if minutes < 5 and rest:
                return self.text("%(m)s min %(s)s s", m=minutes, s=rest)
            return self.text("%(n)s min", n=minutes)
        if days < 1:
            rest = minutes % 60
            return self.text("%(h)s h %(m)s min", h=hours, m=rest) if rest else self.text("%(n)s h", n=hours)
        return self.text("%(n)s d", n=days)

    def rough(self, seconds: float) -> str:
        """One unit: "25 min", "2 h", "3 d"; what a row has room for."""
        left = max(0, int(seconds))
        for size, unit in ((86400, "%(n)s d"), (3600, "%(n)s h"), (60, "%(n)s min")):
            if left >= size:
                return self.text(unit, n=left // size)
        return self.text("%(n)s s", n=left)

    def ago(self, moment: datetime) -> str:
        """How long ago within a day ("12 s ago"), else the day."""
        seconds = (self.now - moment).total_seconds()
        if seconds < 86400:
            return self.text("%(time)s ago", time=self.rough(seconds))
        return self.short_day(moment)

    def number(self, value: float) -> str:
        """1.240 in Italian, 1,240 in English; at most one decimal."""
        return str(format_decimal(value, format="#,##0.#", locale=self.locale))

    def compact(self, value: float) -> str:
        """1.2M: where the exact figure would not help; whole below a million."""
        if value < 1_000_000:
            return self.number(value)
        return str(format_compact_decimal(value, locale=self.locale, fraction_digits=1))

    def percent(self, share: float) -> str:
        """0.61 as 61 %."""
        return str(format_percent(share, locale=self.locale))

    def size(self, size_bytes: int) -> str:
        """1,8 MB; units of a thousand, as file managers show them."""
        value = float(size_bytes)
        for unit in ("B", "kB", "MB", "GB"):
            if value < 1000 or unit == "GB":
                return f"{self.number(round(value, 1))} {unit}"
            value /= 1000
        raise AssertionError("unreachable: GB always answers")


@cache
def _locale(language: str) -> Locale:
    return Locale.parse("en_GB" if language in (SOURCE_LANGUAGE, PSEUDO) else language)


def iso(moment: datetime) -> str:
    """The machine's form for `<time datetime>`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
