"""A sink that counts what reaches it, hostile pages as they came and behind the product's frame, and ears for a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from services.desk.render import Statics
from services.desk.web.headers import frame_policy
from services.kit.config import HostPort
from services.kit.http import HttpServer
from tests.payloads import Payload, corpus

PARTS = 8  # pages for all payloads: what one page says is told anew at each of its frames
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"  # of the product's frame, `letter.html`


@dataclass(slots=True)
class Sink:
    """A site of the attacker's. `hits` are the paths that were asked for."""

    hits: list[str] = field(default_factory=list)
    url: str = ""
    payloads: dict[int, Payload] = field(default_factory=dict)

    @property
    def numbers(self) -> set[int]:
        """The payloads that loaded something."""
        return {int(part) for hit in self.hits for part in hit.split("/") if part.isdigit()}

    async def hit(self, request: Asked) -> Response:
        self.hits.append(request.url.path)
        return Response(f"alert({request.url.path.rpartition('/')[2]})", media_type="text/javascript")

    async def bare(self, request: Asked) -> Response:
        """A payload in a page without any defence."""
        markup = self.payloads[int(request.path_params["n"])].markup
        return HTMLResponse(f'<!doctype html><script src="/htmx.js" defer></script><body>{markup}')

    async def htmx(self, _request: Asked) -> Response:
        return Response(Statics().find("vendor/htmx.min.js").body, media_type="text/javascript")  # type: ignore[union-attr]  # it is there

    async def framed(self, request: Asked) -> Response:
        """A payload that no sanitiser saw, under the policy of the product's frame."""
        answer = await self.bare(request)
        answer.headers["content-security-policy"] = frame_policy(remote=False)
        return answer

    async def all(self, request: Asked) -> Response:
        """Every payload in a frame of its own."""
        kind, part = request.path_params["kind"], int(request.path_params["part"])
        sandbox = f'sandbox="{SANDBOX}"' if kind == "framed" else ""
        chosen = [number for number in self.payloads if number % PARTS == part]
        frames = "".join(f'<iframe src="/{kind}/{number}" {sandbox} width=40 height=20></iframe>' for number in chosen)
        return HTMLResponse(f"<!doctype html><body>{frames}")


@contextmanager
def sinking() -> Iterator[Sink]:
    """The sink, listening."""
    sink = Sink()
    routes = [
        Route("/htmx.js", sink.htmx),
        Route("/bare/{n}", sink.bare),
        Route("/framed/{n}", sink.framed),
        Route("/all/{kind}/{part}", sink.all),
        Route("/hit/{rest:path}", sink.hit, methods=["GET", "POST", "DELETE", "PUT"]),
    ]
    server = HttpServer(Starlette(routes=routes), HostPort("127.0.0.1", 0), trust_proxy=False)
    server.start()
    sink.url = f"http://{server.address}"
    sink.payloads = {one.number: one for one in corpus(sink.url)}
    yield sink
    server.stop()


@dataclass  # without slots: Playwright keeps its wrappers on the object
class Ears:
    """What a page did that nobody asked for."""

    own: str
    dialogs: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # reports of the content policy
    calls: list[str] = field(default_factory=list)  # to elsewhere, or to an address of a payload
    opened: list[str] = field(default_factory=list)  # windows and downloads

    def hear_reports(self, context: BrowserContext) -> None:
        """What the browser refused is told at its console, anew at each frame of a page."""
        context.on("console", self._say)

    def listen(self, context: BrowserContext, page: Page, *, reports: bool = True) -> None:
        context.on("request", self._call)
        context.on("page", lambda made: self.opened.append(made.url))
        if reports:
            self.hear_reports(context)
        page.on("dialog", self._close)
        page.on("download", lambda made: self.opened.append(made.url))

    def _close(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _say(self, said: ConsoleMessage) -> None:
        if "Content Security Policy" in said.text or "sandboxed" in said.text:
            self.refused.append(said.text)

    def _call(self, request: Request) -> None:
        if not request.url.startswith((f"{self.own}/", "data:image/", "about:")) or "/hit/" in request.url:
            self.calls.append(request.url)

    @property
    def heard(self) -> list[str]:
        """All of it; empty for an inert page."""
        return [*self.dialogs, *self.refused, *self.calls, *self.opened]
