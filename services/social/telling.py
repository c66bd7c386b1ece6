"""What a notice says of an alert, in the brand's language and on its clock.

The sentence is the one of the desk's page, word for word: `tests/flows/test_sentence.py` holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

from services.social.store.alerts import Alert
from services.social.store.config import Notifier
from services.social.store.mentions import TONES
from services.social.store.rows import moment

_ENGLISH: Final[Mapping[str, str]] = {
    "locale": "en_GB",  # day first, 24 hours
    "sentence": "{what} about {about} between {begin} and {end}; usual is {usual} in {minutes} min, rarely over {high}.",
    "negative 1": "{num} negative mention",
    "negative": "{num} negative mentions",
    "mention 1": "{num} mention",
    "mention": "{num} mentions",
    "term": "“{term}”",
    "both": "{a} and {b}",
    "yesterday": "yesterday {time}",
    "notice": "notice",
    "serious": "serious",
    "crisis": "crisis",
}
_ITALIAN: Final[Mapping[str, str]] = {
    "locale": "it",
    "sentence": "{what} su {about} fra {begin} e {end}; di solito {usual} in {minutes} min, raramente più di {high}.",
    "negative 1": "{num} menzione negativa",
    "negative": "{num} menzioni negative",
    "mention 1": "{num} menzione",
    "mention": "{num} menzioni",
    "term": "«{term}»",
    "both": "{a} e {b}",
    "yesterday": "ieri {time}",
    "notice": "avviso",
    "serious": "seria",
    "crisis": "grave",
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {"en": _ENGLISH, "it": _ITALIAN}
_UTC: Final = ZoneInfo("UTC")
# Control characters, and those that hide or turn text around: none may enter a header or a sentence.
_UNSEEN: Final = re.compile("[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")


@dataclass(frozen=True, slots=True)
class Voice:
    """How a brand speaks: language, clock, name and the mailbox it writes from, empty where it has none.

    A language we have no words in speaks English.
    """

    language: str = "en"
    zone: ZoneInfo = _UTC
    name: str = ""
    address: str = ""

    @property
    def words(self) -> Mapping[str, str]:
        """Its words."""
        return _WORDS.get(self.language, _ENGLISH)

    @property
    def spoken(self) -> str:
        """The language of its words."""
        return self.language if self.language in _WORDS else "en"


def sentence(alert: Alert, voice: Voice, now: datetime) -> str:
    """How many, about what, when, against what is usual."""
    words = voice.words
    locale = Locale.parse(words["locale"])
    began = moment(alert.began_us or alert.raised_us) or now
    ended = moment(alert.ended_us or alert.updated_us) or now
    kind = "negative" if TONES[alert.tone].value == "negative" else "mention"
    terms = [words["term"].format(term=line(term, 40)) for term in alert.terms[:2] or [alert.watch_name]]
    return words["sentence"].format(
        what=words[kind + " 1" * (alert.count == 1)].format(num=_number(alert.count, locale)),
        about=words["both"].format(a=terms[0], b=terms[1]) if len(terms) > 1 else terms[0],
        begin=_when(began, now, voice, locale),
        end=f"{ended.astimezone(voice.zone):%H:%M}",
        usual=_number(round(alert.usual, 1), locale),
        minutes=alert.bin_minutes or 5,
        high=_number(round(alert.usual_high, 1), locale),
    )


def subject(alert: Alert, voice: Voice) -> str:
    """Number, severity and watch."""
    return f"A-{alert.number} {voice.words[alert.severity]}: {line(alert.watch_name, 100)}"


def whom(notifier: Notifier) -> str:
    """The address told; of a webhook the host alone, since the rest may be secret."""
    return notifier.target if notifier.kind == "email" else urlsplit(notifier.target).hostname or ""


def line(text: str, limit: int) -> str:
    """One line without invisible or control characters."""
    cleaned = " ".join(_UNSEEN.sub(" ", text).split())
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def _number(value: float, locale: Locale) -> str:
    return str(format_decimal(value, format="#,##0.#", locale=locale))


def _when(at: datetime, now: datetime, voice: Voice, locale: Locale) -> str:
    local, today = at.astimezone(voice.zone), now.astimezone(voice.zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    if local.date() == today - timedelta(days=1):
        return voice.words["yesterday"].format(time=f"{local:%H:%M}")
    pattern = "d MMM" if local.year == today.year else "d MMM y"
    return f"{format_date(local.date(), pattern, locale=locale)} {local:%H:%M}"
