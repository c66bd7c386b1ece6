"""Colleagues named in a note by `@`: the first part of their address, or their whole name without blanks. Values only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from services.desk.domain.people import User

# `@` at the start of a word, so that an address is none; what ends a sentence is not part of the name.
_NAME = re.compile(r"(?<![\w.@+-])@([\w.+'’-]*\w)")


def handle(user: User) -> str:
    """What to write after `@` for this person."""
    return user.email.partition("@")[0]


def names(text: str) -> list[str]:
    """What stands after each `@` of the text, in order."""
    return _NAME.findall(text)


def called(name: str, user: User) -> bool:
    """Whether the name is this person's, in whatever case."""
    wanted = name.casefold()
    return wanted in {handle(user).casefold(), "".join(user.name.split()).casefold()}


def begins(letters: str, user: User) -> bool:
    """Whether a name of this person, or a part of it, begins so."""
    return any(part.casefold().startswith(letters.casefold()) for part in (handle(user), *user.name.split()))


def named(text: str, people: Iterable[User]) -> Sequence[User]:
    """Those of the people whom the text names; a name of two is both of them."""
    written = set(names(text))
    return [user for user in people if any(called(name, user) for name in written)]
