"""Settings' forms as data: fields with labels and help, lines of a list; templates draw them all the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from services.desk.i18n import Tongue
from services.desk.pages.frame import Frame
from services.desk.pages.views import Choice
from services.desk.usecases.sessions import SignedIn


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `kind`: text, email, password, number, area, check, choice, several, heading, hours."""

    label: str
    name: str = ""
    value: Any = ""
    kind: str = "text"
    help: str = ""
    choices: Sequence[Any] = ()
    required: bool = False
    rows: int = 4
    autocomplete: str = "off"
    stored: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list."""

    href: str
    title: str
    detail: str = ""
    state: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """A further button of a form."""

    value: str
    label: str
    kind: str = "quiet"


@dataclass(frozen=True, slots=True)
class Day:
    """One weekday's hours as text."""

    value: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Secret:
    """Something shown once."""

    text: str
    value: str


def tabs(tongue: Tongue, me: SignedIn) -> list[tuple[str, str, str]]:
    """What can be set, by what the person may."""
    word, may = tongue.text, me.person.may
    listed = [
        ("settings:write", "/settings", word("Overview"), "gear"),
        ("settings:write", "/settings/brands", word("Brands and hours"), "shop"),
        ("settings:write", "/settings/accounts", word("Accounts"), "mail"),
        ("users", "/settings/users", word("Users and roles"), "people"),
        ("settings:write tickets:read", "/settings/canned", word("Canned answers"), "text"),
        ("settings:write mentions:read", "/settings/watches", word("Watches"), "eye"),
        ("settings:write mentions:read", "/settings/sources", word("Sources"), "feed"),
        ("settings:write", "/settings/notifiers", word("Notices of alerts"), "bell"),
        ("users", "/settings/tokens", word("API tokens"), "key"),
    ]
    return [(href, label, icon) for needed, href, label, icon in listed if all(map(may, needed.split()))]


def show_list(frame: Frame, request: Request, me: SignedIn, tab: str, title: str, **context: Any) -> Response:
    """A list of things with ways to add one."""
    tongue = frame.tongue(request, me)
    full = {"about": "", "add": (), "lines": (), "nothing": "", "errors": {}, "problem": None, **context}
    return frame.show(
        request, me, "settings_list.html", "settings", title, tabs=tabs(tongue, me), tab=tab, title=title, **full
    )


def show_form(
    frame: Frame, request: Request, me: SignedIn, tab: str, title: str, *, status: int = 200, **context: Any
) -> Response:
    """One thing's form."""
    tongue = frame.tongue(request, me)
    full: dict[str, Any] = {
        "about": "", "secret": None, "changed": False, "acts": (), "steps": (), "meaning": None, "errors": {}, "problem": None,
        "version": 0, "save": "", "back": tab, "back_label": next((t[1] for t in tabs(tongue, me) if t[0] == tab), ""), **context,
    }  # fmt: skip
    return frame.show(
        request, me, "settings_form.html", "settings", title, status=422 if full["errors"] else status, tabs=tabs(tongue, me),
        tab=tab, title=title, **full,
    )  # fmt: skip


def languages(tongue: Tongue, chosen: str) -> list[Choice]:
    """The languages customers are written in."""
    return [
        Choice(key, tongue.word("language", key), chosen=key == chosen) for key in ("it", "en", "de", "fr", "es", "pt")
    ]


def clock_text(minute: int) -> str:
    """540 as 09:00."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def read_hours(text: str) -> list[tuple[int, int]]:
    """Minutes of the day from "9:00-13:00, 15-18". Raises `ValueError` for anything else."""
    found = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        opens, dash, closes = part.replace("–", "-").partition("-")
        if not dash:
            raise ValueError(part)
        span = (_minute(opens), _minute(closes))
        if span[0] >= span[1]:
            raise ValueError(part)
        found.append(span)
    return found


def _minute(text: str) -> int:
    hour, _, minute = text.strip().replace(".", ":").partition(":")
    total = int(hour) * 60 + int(minute or 0)
    if not 0 <= total <= 1440 or int(minute or 0) > 59:
        raise ValueError(text)
    return total
