"""A feed of a fictional shopping magazine: RSS 2.0 with conditional GET."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Entry:
    """One article or comment of the feed."""

    guid: str
    title: str
    text: str
    at: datetime


@dataclass(slots=True)
class SimulatedFeed:
    """Serves `/feed.xml`."""

    title: str = "Spesa e Casa, il quaderno dei lettori"
    entries: list[Entry] = field(default_factory=list)

    def publish(self, title: str, text: str, *, at: datetime | None = None) -> Entry:
        """Adds an entry at the top."""
        entry = Entry(f"n-{len(self.entries) + 1}", title, text, at or datetime.now(UTC))
        self.entries.append(entry)
        return entry

    def routes(self) -> list[Route]:
        """The feed, to be mounted at the root of a server."""
        return [Route("/feed.xml", self._show)]

    async def _show(self, request: Request) -> Response:
        items = "".join(
            f'<item><guid isPermaLink="false">{one.guid}</guid><link>https://spesaecasa.example/{one.guid}</link>'
            f"<title>{escape(one.title)}</title><pubDate>{format_datetime(one.at)}</pubDate>"
            f"<description>{escape(one.text)}</description></item>"
            for one in reversed(self.entries[-200:])
        )
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>{escape(self.title)}</title>'
            f"<link>https://spesaecasa.example/</link><description>Lettere</description>{items}</channel></rss>"
        ).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        return Response(body, media_type="application/rss+xml", headers={"ETag": etag, "Cache-Control": "max-age=5"})
