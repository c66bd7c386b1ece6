"""What the desk's pages and API stand on; `app.build` makes one, routes find it as `request.app.state.desk`.

`build_pages(desk)` of `services.desk.pages` returns a `PageSet`; everything else a page needs is here and in
`services.desk.web.deps`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastapi import APIRouter, Request, Response

    from services.desk.clients import Clients
    from services.desk.clients.directory import Directory
    from services.desk.live.feed import LiveFeed
    from services.desk.live.presence import Presence
    from services.desk.usecases.acts import Acts
    from services.desk.usecases.factors import Factors
    from services.desk.usecases.people import People
    from services.desk.usecases.resets import Resets
    from services.desk.usecases.sessions import Sessions
    from services.desk.usecases.writing import Writing
    from services.kit.blobs import Blobs
    from services.kit.clock import Clock
    from services.kit.config import Settings
    from services.kit.errors import AscoltoError
    from services.kit.secrets import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The desk's parts.

    `clients` asks other services; `acts` are the acts that pages and API share; `people` holds users, tokens,
    preferences and the audit log; `factors` the second factors, `resets` the forgotten passwords; `directory` gives names of users, brands and accounts from memory; `writing` holds
    drafts, uploads and saved searches; `presence` knows who looks and writes; `live` is the feed behind `/live`.
    """

    settings: Settings
    clock: Clock
    keys: Keys
    blobs: Blobs
    clients: Clients
    acts: Acts
    people: People
    sessions: Sessions
    factors: Factors
    resets: Resets
    directory: Directory
    writing: Writing
    presence: Presence
    live: LiveFeed


class PageSet(Protocol):
    """What `services.desk.pages.build_pages(desk)` gives."""

    router: APIRouter

    def error(self, request: Request, error: AscoltoError, trace_id: str) -> Response:
        """A whole page (or a fragment for htmx) that says what failed, with the id to quote."""
        ...
