"""What routes of pages ask for: the desk, who is signed in, a checked form, a notice for the next page.

Every route of the desk says who may call it, by `needs("tickets:read")`, `needs(SELF)` or `needs(PUBLIC)`; one that
says nothing is refused when the application is built. `needs` also checks the CSRF token of everything but GET and HEAD.

    @router.post("/tickets/{number}/note", dependencies=[needs("tickets:write")])
    def note(desk: DeskOf, me: Me, form: Form, number: int) -> Response: ...
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.types import ASGIApp, Receive, Scope, Send

from services.desk.context import Desk
from services.desk.usecases.sessions import CodeNeeded, NewSession, SignedIn
from services.kit.errors import Forbidden, Invalid, Unauthenticated

SELF = "self"  # anybody who is signed in, for what is their own
PUBLIC = "public"  # also nobody
COOKIE = "ascolto_session"
_NOTICE = "ascolto_notice"
_WAITING = "ascolto_login"
_WAITING_S = 5 * 60
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
BACKGROUND_HEADER = (
    "x-background"  # of what a page fetches unasked: `refresh` of itself, or the `next` ticket after an act
)
_BACKGROUND = ("/live", "/presence/")
_SAFE = frozenset({"GET", "HEAD"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_MAX_FORM_BYTES = 2 * 1024 * 1024
_MAX_UPLOAD_BYTES = 30 * 1024 * 1024
_ANSWERED_LATER = ("/profile", "/logout", "/static", "/live")  # open to who must change the password first


class SignInNeeded(Unauthenticated):
    """Nobody is signed in; a page sends them to `/login?next=…`, a fragment answers 401."""


class PasswordChangeNeeded(Forbidden):
    """The first password must be replaced before anything else: a page sends them to `/profile`."""


def desk_of(request: Request) -> Desk:
    """The desk's parts."""
    desk: Desk = request.app.state.desk
    return desk


DeskOf = Annotated[Desk, Depends(desk_of)]


async def find_signed_in(request: Request) -> SignedIn | None:
    """Who is signed in, if anybody."""
    known = getattr(request.state, "signed_in", None)
    if known is not None:
        signed_in: SignedIn = known
        return signed_in
    secret = request.cookies.get(COOKIE, "")
    if not secret:
        return None
    desk = desk_of(request)
    found = await run_in_threadpool(desk.sessions.find, secret)
    request.state.signed_in = found
    return found


async def signed_in(request: Request) -> SignedIn:
    """Who is signed in. Raises `SignInNeeded`."""
    found = await find_signed_in(request)
    if found is None:
        raise SignInNeeded("Sign in to go on.")
    return found


Me = Annotated[SignedIn, Depends(signed_in)]


class Needs:
    """The permission a route declares, and the check of it. Two routes that need the same share nothing.

    `also` is one more, of the service whose things are shown.
    """

    def __init__(self, permission: str, also: str = "") -> None:
        self.permission, self.also = permission, also

    async def __call__(self, request: Request) -> None:
        """Raises `SignInNeeded`, `Forbidden`."""
        if self.permission == PUBLIC:
            if request.method not in _SAFE:
                check_origin(request)
            return
        me = await signed_in(request)
        if self.permission != SELF:
            me.person.require(self.permission)
        if self.also:
            me.person.require(self.also)
        if me.user.must_change and not request.url.path.startswith(_ANSWERED_LATER):
            raise PasswordChangeNeeded("Choose a password of your own first.")
        if request.method not in _SAFE:
            check_origin(request)
            await _check_csrf(request, me)
        sessions = desk_of(request).sessions
        if not _by_itself(request) and sessions.touch_due(me):
            await run_in_threadpool(sessions.touch, me)


def _by_itself(request: Request) -> bool:
    """Whether the page asks without its person: that does not put off the end of the session."""
    return request.headers.get(BACKGROUND_HEADER) == "refresh" or request.url.path.startswith(_BACKGROUND)


def needs(permission: str, also: str = "") -> Any:
    """For `dependencies=[…]` of a route: who may call it."""
    return Depends(Needs(permission, also))


async def form_of(request: Request) -> FormData:
    """The posted form. Raises `Invalid` when it is no form or too long."""
    length = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "")
    if not kind.startswith(_FORMS):
        raise Invalid("This address takes forms.")
    limit = _MAX_FORM_BYTES if kind.startswith("application/") else _MAX_UPLOAD_BYTES
    if not length.isdigit() or int(length) > limit:  # a browser always says how long its form is
        raise Invalid("The form is too long.")
    form = await request.form(max_files=20, max_fields=500, max_part_size=_MAX_FORM_BYTES)
    request.state.form = form
    return form


class CloseForms:
    """Closes the files of a posted form when its request is over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        try:
            await self._app(scope, receive, send)
        finally:
            form = scope.get("state", {}).get("form")
            if isinstance(form, FormData):
                await form.close()


Form = Annotated[FormData, Depends(form_of)]


def check_origin(request: Request) -> None:
    """Raises `Forbidden` when the browser says that the request comes from another site.

    Source: OWASP CSRF Prevention Cheat Sheet, verifying origin with standard headers; Fetch metadata (W3C).
    """
    site = request.headers.get("sec-fetch-site", "")
    if site in {"cross-site", "same-site"}:
        raise Forbidden("This came from another site; open the desk itself and try again.")
    origin = request.headers.get("origin", "")
    if not origin:
        return
    if origin == "null" or urlsplit(origin).netloc not in _hosts(request):
        raise Forbidden("This came from another site; open the desk itself and try again.")


def _hosts(request: Request) -> frozenset[str]:
    public = urlsplit(desk_of(request).settings.public_url).netloc
    return frozenset(filter(None, {request.headers.get("host", ""), public}))


async def _check_csrf(request: Request, me: SignedIn) -> None:
    token = request.headers.get(CSRF_HEADER, "")
    if not token and request.headers.get("content-type", "").startswith(_FORMS):
        value = (await form_of(request)).get(CSRF_FIELD, "")
        token = value if isinstance(value, str) else ""
    if not hmac.compare_digest(token.encode(), me.csrf.encode()):
        raise Forbidden("This form is of an older session; reload the page and try again.")


def client_address(request: Request) -> str:
    """The peer's address as the server knows it (behind a proxy: as told, if the proxy is trusted)."""
    return request.client.host if request.client else ""


def set_session(request: Request, response: Response, new: NewSession) -> None:
    """Gives the browser its session; a former one is ended by `end_former`."""
    response.set_cookie(
        COOKIE,
        new.secret,
        max_age=int(timedelta(hours=12).total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path="/",
    )


def clear_session(response: Response) -> None:
    """Takes the session's cookie away."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def is_https(request: Request) -> bool:
    """Whether people reach the desk by https."""
    return request.url.scheme == "https" or desk_of(request).settings.public_url.startswith("https:")


async def sign_in(request: Request, email: str, password: str) -> NewSession | CodeNeeded:
    """Signs in and ends the session the browser had; put the result into the answer with `set_session`, `set_waiting`.

    Raises `Unauthenticated` in the same words for every reason, `RateLimited` with the seconds to wait.
    """
    desk = desk_of(request)
    former = await find_signed_in(request)
    new = await desk.sessions.sign_in(
        email, password, address=client_address(request), device=request.headers.get("user-agent", "")
    )
    if former is not None:
        await run_in_threadpool(desk.sessions.sign_out, former)
    return new


def set_waiting(request: Request, response: Response, waiting: CodeNeeded, after: str) -> None:
    """Lets this browser, for five minutes, give the code that is still to come and then go to `after`."""
    desk = desk_of(request)
    value = {"user": waiting.user_id, "version": waiting.version, "after": after, "at": desk.clock.now().timestamp()}
    response.set_cookie(
        _WAITING,
        seal(desk, "login-code", value),
        max_age=_WAITING_S,
        httponly=True,
        samesite="strict",
        secure=is_https(request),
        path="/login",
    )


def find_waiting(request: Request) -> tuple[CodeNeeded, str] | None:
    """Whose code this browser may give, and where to go then; None when there is nobody, or it took too long."""
    desk = desk_of(request)
    try:
        value = unseal(desk, "login-code", request.cookies.get(_WAITING, ""))
    except Invalid:
        return None
    if not 0 <= desk.clock.now().timestamp() - value["at"] < _WAITING_S:
        return None
    return CodeNeeded(value["user"], value["version"]), next_address(value["after"])


def clear_waiting(response: Response) -> None:
    """Takes the state between password and code away."""
    response.delete_cookie(_WAITING, path="/login", httponly=True, samesite="strict")


def next_address(wanted: str) -> str:
    """A place on this desk to go to after signing in; anything else becomes the start page."""
    if not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or any(ord(c) < 33 for c in wanted):
        return "/"
    return wanted


def seal(desk: Desk, purpose: str, value: Mapping[str, Any], *, session: str = "") -> str:
    """A value that travels through the browser and comes back unchanged: undo tokens, notices. Signed, not secret."""
    body = json.dumps({"v": value, "s": session}, separators=(",", ":")).encode()
    signature = desk.keys.sign(f"desk-{purpose}", body)[:16]
    return base64.urlsafe_b64encode(signature + body).decode().rstrip("=")


def unseal(desk: Desk, purpose: str, sealed: str, *, session: str = "") -> Mapping[str, Any]:
    """The value sealed for this purpose and session. Raises `Invalid` for any other."""
    try:
        data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    except (binascii.Error, ValueError) as error:
        raise Invalid("This link is damaged; reload the page and try again.") from error
    signature, body = data[:16], data[16:]
    if not hmac.compare_digest(desk.keys.sign(f"desk-{purpose}", body)[:16], signature):
        raise Invalid("This link is damaged; reload the page and try again.")
    content = json.loads(body)
    if content["s"] != session:
        raise Invalid("This was begun in another session; reload the page and try again.")
    value: Mapping[str, Any] = content["v"]
    return value


def set_notice(request: Request, response: Response, value: Mapping[str, Any]) -> None:
    """A notice (text, kind, undo …) for the next page this browser shows: post, redirect, get."""
    sealed = seal(desk_of(request), "notice", value)
    response.set_cookie(
        _NOTICE, quote(sealed), max_age=60, httponly=True, samesite="lax", secure=is_https(request), path="/"
    )


def take_notice(request: Request, response: Response) -> Mapping[str, Any] | None:
    """The notice left for this page, taken away by its answer; what a page fetches unasked leaves it."""
    sealed = request.cookies.get(_NOTICE, "")
    if not sealed or BACKGROUND_HEADER in request.headers:
        return None
    response.delete_cookie(_NOTICE, path="/", httponly=True, samesite="lax")
    try:
        return unseal(desk_of(request), "notice", sealed)
    except Invalid:
        return None
