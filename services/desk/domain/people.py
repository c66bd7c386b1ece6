"""A person who signs in, their session, their preferences, and an API token. Values only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from services.kit.errors import Invalid

IDLE = timedelta(minutes=30)  # OWASP ASVS 5.0, V7: idle and absolute ends of a session
ABSOLUTE = timedelta(hours=12)
WARNED = timedelta(minutes=2)  # before either end; WCAG 2.2, 2.2.1 asks for 20 s at least
LANGUAGES = ("it", "en", "xx")  # xx: the pseudo-locale of the tests
THEMES = ("system", "light", "dark")
DENSITIES = ("comfortable", "compact")
AFTER_SEND = ("stay", "next", "list")
PRESENCES = ("available", "away", "break")  # what colleagues see beside the name
CALLS = ("mine", "unassigned", "chats", "alerts")  # what may ring or show a notice on the screen
PANES = {"list": (320, 440), "context": (300, 380)}  # px; narrower cuts rows, wider leaves no room; 0 shuts the context
_NAME_LENGTH = 120
_SIGNATURE_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Preferences:
    """How a person likes the desk. `undo_s` below 0 is the channel's own window; `keys` maps commands to keys."""

    language: str = "it"
    time_zone: str = "Europe/Rome"
    theme: str = "system"
    density: str = "comfortable"
    shortcuts: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)
    undo_s: int = -1
    after_send: str = "stay"
    presence: str = "available"
    sounds: tuple[str, ...] = ("mine", "chats")
    notices: tuple[str, ...] = ("mine", "chats")
    panes: Mapping[str, int] = field(default_factory=dict)  # width by pane, where it was moved
    signatures: Mapping[str, str] = field(default_factory=dict)  # brand id to text
    brand_id: str = ""  # chosen in the switch; empty: all
    last_view: str = ""

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """These with some changed. Raises `Invalid` naming the field that cannot be so."""
        known = {item.name for item in dataclasses.fields(self)}
        if unknown := set(changes) - known:
            name = min(unknown)
            raise Invalid(f"There is no preference {name}.", field=name)
        new = dataclasses.replace(self, **changes)
        new.check()
        return new

    def check(self) -> None:
        """Raises `Invalid` naming the first field at fault."""
        for name, allowed in (
            ("language", LANGUAGES),
            ("theme", THEMES),
            ("density", DENSITIES),
            ("after_send", AFTER_SEND),
            ("presence", PRESENCES),
        ):
            if getattr(self, name) not in allowed:
                raise Invalid(f"{name} must be one of {', '.join(allowed)}.", field=name)
        if not -1 <= self.undo_s <= 30:
            raise Invalid("The time to undo is from 0 to 30 seconds.", field="undo_s")
        for name in ("sounds", "notices"):
            if set(getattr(self, name)) - set(CALLS):
                raise Invalid(f"{name} are chosen among {', '.join(CALLS)}.", field=name)
        for name, width in self.panes.items():
            least, most = PANES.get(name, (0, -1))
            if not least <= width <= most and (name, width) != ("context", 0):
                raise Invalid(f"No pane {name} can be {width} px wide.", field="panes")
        if any(len(key) != 1 for key in self.keys.values()):
            raise Invalid("A shortcut is one character.", field="keys")
        if len(set(self.keys.values())) != len(self.keys):
            raise Invalid("Two commands cannot have the same shortcut.", field="keys")
        if any(len(text) > _SIGNATURE_LENGTH for text in self.signatures.values()):
            raise Invalid(f"A signature has at most {_SIGNATURE_LENGTH} characters.", field="signatures")

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """From the stored JSON; what a later version wrote and this one does not know is left out."""
        known = {item.name for item in dataclasses.fields(cls)}
        values = {name: value for name, value in stored.items() if name in known}
        for name in {"sounds", "notices"} & values.keys():
            values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in. Empty `brand_ids`: all brands; empty `teams`: none is their own."""

    id: str
    email: str
    name: str
    roles: tuple[str, ...]
    brand_ids: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    disabled: bool = False
    must_change: bool = False
    version: int = 1
    created_at: datetime | None = None
    last_login_at: datetime | None = None
    preferences: Preferences = field(default_factory=Preferences)


@dataclass(frozen=True, slots=True)
class Session:
    """One browser signed in. `secret` of the cookie is not here: only its hash is kept."""

    id: str
    user_id: str
    csrf: str
    begun_at: datetime
    seen_at: datetime
    address: str = ""
    device: str = ""

    def over(self, now: datetime) -> bool:
        """Whether it has ended by itself."""
        return now - self.seen_at >= IDLE or now - self.begun_at >= ABSOLUTE

    def ends(self, now: datetime) -> str:
        """Why it ends within two minutes: `idle`, which an act puts off, or `absolute`; empty while it does not."""
        if now - self.begun_at >= ABSOLUTE - WARNED:
            return "absolute"
        return "idle" if now - self.seen_at >= IDLE - WARNED else ""


@dataclass(frozen=True, slots=True)
class Token:
    """One API token, without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    brand_ids: tuple[str, ...] = ()
    created_by: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked: bool = False

    def live(self, now: datetime) -> bool:
        """Whether it opens anything at `now`."""
        return not self.revoked and (self.expires_at is None or now < self.expires_at)


def check_name(name: str) -> str:
    """The name, trimmed. Raises `Invalid` when it is empty, too long or holds control characters."""
    name = name.strip()
    if not name or len(name) > _NAME_LENGTH or any(ord(letter) < 32 for letter in name):
        raise Invalid(f"A name has 1 to {_NAME_LENGTH} characters on one line.", field="name")
    return name


def check_email(email: str) -> str:
    """The address people sign in with, trimmed and in lower case. Raises `Invalid` when it is none."""
    email = email.strip().lower()
    local, at, domain = email.rpartition("@")
    if not at or not local or not domain or len(email) > 254 or any(c.isspace() or ord(c) < 32 for c in email):
        raise Invalid("Write the whole address, such as anna@example.com.", field="email")
    return email


def check_password(password: str, *, email: str) -> None:
    """Raises `Invalid` for a password too short, too long or equal to the address.

    Source: NIST SP 800-63B, 5.1.1.2: length over composition rules.
    """
    if len(password) < 12:
        raise Invalid("A password has at least 12 characters; a few words are easiest.", field="password")
    if len(password) > 200:
        raise Invalid("A password has at most 200 characters.", field="password")
    if password.strip().lower() in {email, email.partition("@")[0]}:
        raise Invalid("The password must not be the address.", field="password")
