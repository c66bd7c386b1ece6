"""Where listening reads: one file per source, file name = kind. Sources know the outside's format and nothing else.

A source turns what it reads into `Post`s; no database, no watch's rows, no alert in sight. Shared here: the protocol,
what a source is given, what it gives back, and how it says that it must wait.
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol, runtime_checkable

from services.kit.egress import Egress
from services.kit.errors import NotFound, Unavailable


@dataclass(frozen=True, slots=True)
class Post:
    """One thing found, as its source names it. Times are UTC; `followers` is 0 when unknown."""

    external_id: str
    text: str
    occurred_at: datetime
    author_id: str = ""
    author_handle: str = ""
    author_name: str = ""
    followers: int = 0
    url: str = ""
    language: str = ""
    repost_of: str = ""
    conversation: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a source must or may be told."""

    name: str
    label: str
    secret: bool = False
    default: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The settings of one configured source, secrets included, and the door to the outside."""

    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    egress: Egress

    @property
    def allowed(self) -> tuple[str, ...]:
        """Private hosts this source may reach."""
        return tuple(host for host in self.settings.get("allow_hosts", "").split(",") if host)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read found. `cursor` is stored with the posts; `more` asks for another read at once.

    `lost` says that what was said between the cursor and these posts can no longer be read.
    """

    posts: Sequence[Post]
    cursor: str
    more: bool = False
    lost: bool = False
    wait_s: float = 60.0


class Limited(Unavailable):
    """The source asks to wait until `until`."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class Refused(Exception):
    """The source refuses us until a person changes its settings; the message says which."""


@runtime_checkable
class Source(Protocol):
    """A kind of source."""

    id: str
    can_reply: bool
    fields: Sequence[Field]

    def poll(self, told: Told, cursor: str, rules: Sequence[str]) -> Batch:
        """Reads what is new since `cursor` (empty: the first time) that `rules` may match.

        Raises `Limited`, `Unavailable` (retried with back-off) or `Refused`.
        """
        ...


@runtime_checkable
class Listening(Source, Protocol):
    """A source that can also hold a stream."""

    def listen(
        self, told: Told, rules: Sequence[str], deliver: Callable[[Sequence[Post]], None], stop: threading.Event
    ) -> None:
        """Hands posts over as they come, until the stream ends or `stop` is set. Raises as `poll`."""
        ...


@cache
def kinds() -> Mapping[str, Source]:
    """Every source there is a file for, by its id."""
    found: dict[str, Source] = {}
    for module in pkgutil.iter_modules(__path__):
        source = importlib.import_module(f"{__name__}.{module.name}").SOURCE
        found[source.id] = source
    return found


def kind(name: str) -> Source:
    """The source of a kind. Raises `NotFound` naming those there are."""
    found = kinds().get(name)
    if found is None:
        raise NotFound(f"There is no source {name}; there are {', '.join(sorted(kinds()))}.")
    return found
