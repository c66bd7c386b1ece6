"""Ways in: static files, signing in and out, the start page with its first steps, the palette's search, the rail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from services.desk.pages.code import entered, too_many
from services.desk.pages.frame import Frame
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.usecases.sessions import CodeNeeded, SignedIn
from services.desk.web.deps import (
    COOKIE,
    PUBLIC,
    SELF,
    Form,
    Me,
    clear_session,
    find_signed_in,
    needs,
    next_address,
    set_waiting,
    sign_in,
)
from services.kit.errors import AscoltoError, NotFound, RateLimited, Unauthenticated

_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps, ticked by what is there."""

    label: str
    detail: str
    done: bool
    href: str = ""
    link: str = ""


def routes(frame: Frame) -> APIRouter:
    """The addresses of the way in."""
    router = APIRouter()
    desk, statics = frame.desk, frame.pages.statics

    @router.get("/static/{version}/{name:path}", dependencies=[needs(PUBLIC)])
    def static(request: Request, version: str, name: str) -> Response:
        file = statics.find(name)
        if file is None:
            raise NotFound("There is no such file.")
        headers = {"cache-control": _FOR_EVER if version == statics.hash else "no-cache", "vary": "accept-encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.packed, media_type=file.media_type, headers=headers | {"content-encoding": "gzip"})
        return Response(file.body, media_type=file.media_type, headers=headers)

    @router.get("/login", dependencies=[needs(PUBLIC)])
    async def login_page(request: Request, next: str = "/", was: str = "") -> Response:
        if await find_signed_in(request):
            return RedirectResponse(next_address(next), 303)
        return login_form(request, next_address(next), was=was or ("expired" if COOKIE in request.cookies else ""))

    @router.post("/login", dependencies=[needs(PUBLIC)])
    async def login(request: Request, form: Form) -> Response:
        email, after = text_of(form, "email"), next_address(text_of(form, "next") or "/")
        tongue = frame.tongue(request)
        try:
            new = await sign_in(request, email, text_of(form, "password"))
        except RateLimited as error:
            return login_form(request, after, email=email, error=too_many(tongue, error), status=429)
        except Unauthenticated:
            text = tongue.text("The address or the password is wrong.")
            return login_form(request, after, email=email, error=text, status=401)
        if isinstance(new, CodeNeeded):
            response = RedirectResponse("/login/code", 303)
            set_waiting(request, response, new, after)
            return response
        return entered(request, new, after)

    def login_form(
        request: Request, after: str, *, email: str = "", error: str = "", was: str = "", status: int = 200
    ) -> Response:
        html = frame.pages.render(
            "login.html", frame.tongue(request), csrf="", next=after, email=email, error=error, was=was,
            theme="system",
        )  # fmt: skip
        return HTMLResponse(html, status_code=status)

    @router.post("/logout", dependencies=[needs(SELF)])
    def logout(me: Me) -> Response:
        desk.sessions.sign_out(me)
        response = RedirectResponse("/login", 303)
        clear_session(response)
        response.headers["clear-site-data"] = '"cache"'
        return response

    @router.get("/", dependencies=[needs(SELF)])
    def home(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        if me.person.may("settings:write") and me.person.may("tickets:read"):
            steps = _steps(me)
            if not all(step.done for step in steps):
                return frame.show(request, me, "home.html", "home", tongue.text("First steps"), steps=steps)
        return RedirectResponse(_home(me), 303)

    def _steps(me: SignedIn) -> list[Step]:
        tongue = frame.tongue_of(me)
        try:
            brands, accounts = desk.directory.brands(me.person), desk.directory.accounts(me.person)
            arrived = desk.clients.tickets.list(me.person, view="all", limit=1).total
        except AscoltoError:
            return []
        people = len(desk.directory.users())
        word = tongue.text
        return [
            Step(word("A brand"), word("Name, hours and language of a shop."), bool(brands), "/settings/brands/new", word("Make one")),
            Step(word("A way in"), word("A mailbox, a form or a chat that works."), any(one.state == "on" for one in accounts), "/settings/accounts", word("Set one up")),
            Step(word("A first message"), word("Write a mail to the shop, or fill in its form."), arrived > 0),
            Step(word("A colleague"), word("Somebody else who answers."), people > 1, "/settings/users/new", word("Invite")),
        ]  # fmt: skip

    @router.get("/palette", dependencies=[needs("search:read")])
    def palette(request: Request, me: Me, q: str = "") -> Response:
        tongue = frame.tongue(request, me)
        words = q.strip()
        found: list[dict[str, str]] = []
        if words.lstrip("#").isdigit() and me.person.may("tickets:read"):
            try:
                ticket = desk.clients.tickets.get(me.person, number=int(words.lstrip("#"))).ticket
                found.append(
                    {"label": f"#{ticket.number} {plain(ticket.subject, 80)}", "href": f"/tickets/{ticket.number}"}
                )
            except AscoltoError:
                found = []
        try:
            answer = desk.clients.search.find(me.person, words, limit=6, language=tongue.language, by_ticket=True)
        except AscoltoError:
            return JSONResponse(found)  # the palette then shows acts and places only
        for hit in answer.hits:
            label = f"#{hit.number} {plain(hit.title, 80)}" if hit.number else plain(hit.title, 80)
            kinds = {"customer": f"/customers/{hit.customer_id or hit.id}", "mention": f"/mentions/{hit.id}"}
            found.append({"label": label, "href": kinds.get(hit.kind, f"/tickets/{hit.number}")})
        return JSONResponse(found)

    @router.get("/live/rail", dependencies=[needs(SELF)])
    def rail(request: Request, me: Me, section: str = "") -> Response:
        body = frame.fragment(request, me, "rail.html", section)
        body.headers["etag"] = f'"{hashlib.sha256(bytes(body.body)).hexdigest()[:16]}"'
        return body

    return router


def _home(me: SignedIn) -> str:
    """Where a person's day begins, by role."""
    roles = me.person.roles
    if roles & {"agent", "supervisor", "admin"}:
        return f"/inbox/{me.preferences.last_view or 'mine'}"
    if "reputation" in roles:
        return "/alerts"
    if "operations" in roles:
        return "/operations"
    return "/profile"
