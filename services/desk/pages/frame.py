"""What stands around every page: who looks, in which language, counts that ask for an act, notices; and errors as pages."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.desk.context import Desk
from services.desk.i18n import Tongue, language_for, zone_for
from services.desk.pages.views import Brand, Failure, Notice, Shell, Strip, Viewer
from services.desk.render import Pages
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import next_address, set_notice, take_notice
from services.kit import log
from services.kit.errors import AscoltoError, Conflict, Forbidden, Internal, NotFound, RateLimited, Unavailable

_REMEMBER_S = 3.0  # counts of the rail: shown on every page, asked for once


@dataclass(frozen=True, slots=True)
class _Rail:
    alerts: int = 0
    late: int = 0
    strips: tuple[Strip, ...] = ()


class Frame:
    """Draws pages for a person. One for the application."""

    def __init__(self, desk: Desk, pages: Pages) -> None:
        self.desk, self.pages = desk, pages
        self._rails: dict[tuple[str, str, str], tuple[float, _Rail]] = {}
        self._lock = threading.Lock()

    def tongue(self, request: Request, me: SignedIn | None = None) -> Tongue:
        """The person's language and time zone; before signing in, the browser's language."""
        accepted = request.headers.get("accept-language", "").split(",")
        chosen = me.preferences.language if me else ""
        zone = zone_for(me.preferences.time_zone if me else "UTC")
        return Tongue(language_for(accepted, chosen), zone, self.desk.clock.now())

    def tongue_of(self, me: SignedIn) -> Tongue:
        """The same without a request at hand."""
        return Tongue(
            language_for((), me.preferences.language), zone_for(me.preferences.time_zone), self.desk.clock.now()
        )

    def viewer(self, me: SignedIn) -> Viewer:
        """The person as the templates know them."""
        likes = me.preferences
        try:
            brands = tuple(Brand(one.id, one.name) for one in self.desk.directory.brands(me.person))
        except AscoltoError:
            brands = ()
        return Viewer(
            user_id=me.user.id,
            name=me.user.name,
            email=me.user.email,
            permissions=me.person.permissions,
            csrf=me.csrf,
            language=likes.language,
            theme=likes.theme,
            density=likes.density,
            presence=likes.presence,
            shortcuts=likes.shortcuts,
            keys=likes.keys,
            undo_s=likes.undo_s,
            after_send=likes.after_send,
            sounds=likes.sounds,
            notices=likes.notices,
            panes=likes.panes,
            roles=me.person.roles,
            brand=next((one for one in brands if one.id == likes.brand_id), None),
            brands=brands,
        )

    def shell(
        self,
        request: Request,
        me: SignedIn,
        section: str,
        title: str,
        *,
        app: bool = False,
        notice: Notice | None = None,
    ) -> Shell:
        """Everything around the page."""
        viewer = self.viewer(me)
        rail = self._rail(me, self.tongue(request, me), viewer.brand.id if viewer.brand else "")
        query = f"?{request.url.query}" if request.url.query else ""
        return Shell(
            viewer, section, title, alerts=rail.alerts, waiting=rail.late, strips=rail.strips, notice=notice,
            path=f"{request.url.path}{query}", app=app, nonce=getattr(request.state, "nonce", ""),
        )  # fmt: skip

    def show(
        self,
        request: Request,
        me: SignedIn,
        template: str,
        section: str,
        title: str,
        /,
        *,
        status: int = 200,
        app: bool = False,
        notice: Notice | None = None,
        **context: Any,
    ) -> Response:
        """The whole page; a notice left by the act before is shown once."""
        response = HTMLResponse("", status_code=status)
        left = take_notice(request, response)
        if left is not None and notice is None:
            notice = Notice(**left)
        shell = self.shell(request, me, section, title, app=app, notice=notice)
        body = self.pages.page(template, self.tongue(request, me), shell, **context).encode()
        response.body = body
        response.headers["content-length"] = str(len(body))
        return response

    def fragment(self, request: Request, me: SignedIn, template: str, section: str, **context: Any) -> Response:
        """A piece of a page for live updates: its forms lead back to the page that asked for it."""
        page = urlsplit(request.headers.get("referer", ""))
        path = next_address(page.path + (f"?{page.query}" if page.query else ""))
        shell = replace(self.shell(request, me, section, ""), path=path)
        return HTMLResponse(self.pages.page(template, self.tongue(request, me), shell, **context))

    def back(self, request: Request, wanted: str, notice: Mapping[str, Any] | None = None) -> Response:
        """After an act: see the page again, with what was done."""
        response = RedirectResponse(next_address(wanted), 303)
        if notice:
            set_notice(request, response, dict(notice))
        return response

    def failure(self, tongue: Tongue, error: AscoltoError) -> Failure:
        """A part that could not be had."""
        text = tongue.text("This part does not answer just now; the rest of the page works.")
        return Failure(text if isinstance(error, Unavailable | Internal) else error.message, log.trace_id())

    def _rail(self, me: SignedIn, tongue: Tongue, brand_id: str) -> _Rail:
        key, now = (me.user.id, brand_id, tongue.language), self.desk.clock.monotonic()
        with self._lock:
            kept = self._rails.get(key)
        if kept and now - kept[0] < _REMEMBER_S:
            return kept[1]
        found = self._ask(me, tongue, brand_id)
        with self._lock:
            if len(self._rails) > 1000:
                self._rails.clear()
            self._rails[key] = (now, found)
        return found

    def _ask(self, me: SignedIn, tongue: Tongue, brand_id: str) -> _Rail:
        clients, alerts, late = self.desk.clients, 0, 0
        strips: list[Strip] = []
        if me.person.may("mentions:read"):
            try:
                found = clients.social.alerts(me.person, states=("raised", "escalated"), brand_id=brand_id, limit=20)
                alerts = found.total
                for alert in (one for one in found.alerts if one.severity == "crisis"):
                    terms = ", ".join(alert.terms[:3]) or alert.watch_name
                    text = tongue.text("Alert on “%(terms)s”: nobody has claimed it.", terms=terms)
                    strips.append(Strip(text, f"/alerts/{alert.id}", f"A-{alert.number}"))
            except AscoltoError:
                alerts = 0
        if me.person.may("tickets:read"):
            try:
                late = clients.tickets.counts(me.person, brand_id=brand_id).late.get("mine", 0)
            except AscoltoError:
                late = 0
        try:
            for account in self.desk.directory.accounts(me.person):
                if account.state == "failing":
                    text = tongue.text(
                        "%(account)s does not work: %(why)s", account=account.address, why=account.last_error
                    )
                    strips.append(Strip(text, "/operations/accounts", tongue.text("Look")))
        except AscoltoError:
            strips.append(Strip(tongue.text("Mail, forms and chats are not answering just now; nothing is lost.")))
        return _Rail(alerts, late, tuple(strips[:2]))

    def error(self, request: Request, error: AscoltoError, trace_id: str) -> Response:
        """A whole page that says what failed; forbidden things read as if they did not exist, but for the missing right."""
        tongue = self.tongue(request, getattr(request.state, "signed_in", None))
        titles = {
            NotFound: tongue.text("There is nothing here"),
            Forbidden: tongue.text("This is not open to you"),
            Conflict: tongue.text("Somebody was quicker"),
            RateLimited: tongue.text("Too fast"),
            Unavailable: tongue.text("Not answering just now"),
            Internal: tongue.text("Something failed on our side"),
        }
        title = titles.get(type(error), tongue.text("That did not work"))
        signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
        theme = signed_in.preferences.theme if signed_in else "system"
        html = self.pages.render("error.html", tongue, title=title, text=error.message, id=trace_id, theme=theme)
        return HTMLResponse(html)


def brand_of(me: SignedIn) -> str:
    """The brand chosen in the switch, if the person still sees it."""
    chosen = me.preferences.brand_id
    return chosen if chosen and me.person.sees_brand(chosen) else ""
