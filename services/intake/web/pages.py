"""`/c/{brand}/…`: which page answers, and what every page shares: templates, security headers, static files, limits."""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import jinja2
from starlette.types import Receive, Scope, Send

from services.intake.domain import brand as rules
from services.intake.domain.brand import Brand
from services.intake.domain.channel import Account
from services.intake.usecases.accept import Acceptor
from services.intake.usecases.chat import ChatRoom
from services.intake.usecases.directory import Directory
from services.intake.web import http
from services.intake.web.texts import choose, texts
from services.kit.clock import Clock
from services.kit.errors import AscoltoError

if TYPE_CHECKING:
    from services.kit.backends import Parts

_FOLDER = Path(__file__).parents[1]
_STATIC = {
    "page.css": b"text/css; charset=utf-8",
    "chat.js": b"text/javascript; charset=utf-8",
    "form.js": b"text/javascript; charset=utf-8",
    "loader.js": b"text/javascript; charset=utf-8",
}
_LIMIT_KEYS = 10_000


class RateLimit:
    """At most so many in a sliding window, by address. In memory: it protects the machine, not a promise."""

    def __init__(self, count: int, window_s: float) -> None:
        self._count, self._window_s = count, window_s
        self._seen: dict[str, deque[float]] = {}

    def allows(self, key: str) -> bool:
        """Counts one more; False when it is too many."""
        now = time.monotonic()
        times = self._seen.setdefault(key, deque())
        while times and times[0] <= now - self._window_s:
            times.popleft()
        if len(times) >= self._count:
            return False
        times.append(now)
        if len(self._seen) > _LIMIT_KEYS:
            self._seen = {name: kept for name, kept in self._seen.items() if kept and kept[-1] > now - self._window_s}
        return True


class Shared:
    """What the pages share."""

    def __init__(self, *, parts: Parts, directory: Directory, acceptor: Acceptor, room: ChatRoom) -> None:
        self.directory, self.acceptor, self.room = directory, acceptor, room
        self.clock: Clock = parts.clock
        self.keys, self.settings = parts.keys, parts.settings
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def account(self, brand: Brand, channel: str) -> Account | None:
        """The brand's account behind a page; None when it was never set up."""
        return self.directory.account_of(brand.id, channel)

    def words(self, brand: Brand, scope: Scope, *, asked: str = "") -> tuple[str, dict[str, str]]:
        """The language of this answer and its texts."""
        language = choose(brand, asked=asked, accept=http.header(scope, b"accept-language").decode("latin-1"))
        return language, texts(language, formal=brand.formal)

    def opens(self, brand: Brand, words: dict[str, str]) -> str:
        """When people answer again, in words; empty while they do."""
        at = rules.opens_next(brand, self.clock.now())
        if at is None:
            return ""
        local: datetime = at.astimezone(ZoneInfo(brand.time_zone))
        return words["at"].format(day=words["days"].split()[local.weekday()], time=local.strftime("%H:%M"))

    def ways(self, brand: Brand) -> list[dict[str, str]]:
        """Channels of the brand that are on, with where they are."""
        found = []
        for account in self.directory.open_accounts(brand.id):
            capabilities = self.directory.channels[account.channel].capabilities
            if "@" in account.address:
                found.append({"kind": "mail", "address": account.address})
            elif capabilities.live:
                found.append({"kind": "chat", "address": f"/c/{brand.slug}/chat"})
            elif capabilities.replies_by:
                found.append({"kind": "form", "address": f"/c/{brand.slug}/contact"})
        return found

    async def page(self, send: Send, name: str, status: int, brand: Brand, **values: Any) -> None:
        """Renders a template and sends it under a strict policy."""
        html = self._templates.get_template(name).render(brand=brand, base=f"/c/{brand.slug}", **values)
        await http.respond(
            send,
            status,
            html.encode(),
            b"text/html; charset=utf-8",
            headers=[(b"cache-control", b"no-store"), *secure(brand)],
        )


def secure(brand: Brand) -> list[tuple[bytes, bytes]]:
    """Headers of every page: nothing from elsewhere, framed by the shop's origins alone."""
    frames = " ".join(("'self'", *brand.origins))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
        f" base-uri 'none'; frame-ancestors {frames}"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]


class Pages:
    """The ASGI application of `/c`."""

    def __init__(self, *, parts: Parts, directory: Directory, acceptor: Acceptor, room: ChatRoom) -> None:
        from services.intake.web.chat import ChatPages
        from services.intake.web.form import FormPages

        self._shared = Shared(parts=parts, directory=directory, acceptor=acceptor, room=room)
        self._form, self._chat = FormPages(self._shared), ChatPages(self._shared)
        self._files = {name: (_FOLDER / "static" / name).read_bytes() for name in _STATIC}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request or socket."""
        parts = [part for part in scope["path"].split("/") if part]  # c, brand, page, …
        brand = self._shared.directory.picture.by_slug.get(parts[1]) if len(parts) > 2 else None
        rest = "/".join(parts[2:])
        if scope["type"] == "websocket":
            if brand is None or rest != "chat/ws":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._chat.socket(brand, scope, receive, send)
            return
        try:
            if brand is None:
                await http.problem(send, 404, "There is no such page.")
            elif rest.startswith("static/") and rest[7:] in self._files:
                await self._static(rest[7:], send)
            elif rest == "brand.css":
                await self._colours(brand, send)
            elif rest.startswith("contact"):
                await self._form.answer(brand, rest, scope, receive, send)
            elif rest.startswith("chat"):
                await self._chat.answer(brand, rest, scope, receive, send)
            else:
                await http.problem(send, 404, "There is no such page.")
        except http.TooLarge:
            await http.problem(send, 413, "This is larger than 28 MiB.")
        except AscoltoError as error:
            await http.fail(send, error)
        except ConnectionError:
            return

    async def _static(self, name: str, send: Send) -> None:
        headers = [(b"cache-control", b"public, max-age=3600"), (b"x-content-type-options", b"nosniff")]
        await http.respond(send, 200, self._files[name], _STATIC[name], headers=headers)

    async def _colours(self, brand: Brand, send: Send) -> None:
        light, dark = rules.readable_colour(brand.colour), rules.lightened_colour(brand.colour)
        css = f":root{{--accent:light-dark({light},{dark});--on-accent:light-dark(#ffffff,#06272b)}}"
        headers = [(b"cache-control", b"public, max-age=300"), (b"x-content-type-options", b"nosniff")]
        await http.respond(send, 200, css.encode(), _STATIC["page.css"], headers=headers)
