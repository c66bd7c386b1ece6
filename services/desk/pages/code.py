"""Between password and desk: the code of the second factor. And what every way in ends with."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from services.desk.i18n import Tongue
from services.desk.pages.frame import Frame
from services.desk.pages.ticket import text_of
from services.desk.usecases.sessions import NewSession
from services.desk.web.deps import (
    PUBLIC,
    Form,
    clear_waiting,
    client_address,
    find_waiting,
    needs,
    set_session,
)
from services.kit.errors import RateLimited, Unauthenticated

_LATE = "/login?was=late"


def routes(frame: Frame) -> APIRouter:
    """The addresses of the code."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/login/code", dependencies=[needs(PUBLIC)])
    def code_page(request: Request) -> Response:
        if find_waiting(request) is None:
            return RedirectResponse(_LATE, 303)
        return code_form(request)

    @router.post("/login/code", dependencies=[needs(PUBLIC)])
    async def code(request: Request, form: Form) -> Response:
        found, tongue = find_waiting(request), frame.tongue(request)
        if found is None:
            return RedirectResponse(_LATE, 303)
        waiting, after = found
        try:
            new = await run_in_threadpool(
                desk.sessions.enter_code,
                waiting,
                text_of(form, "code"),
                address=client_address(request),
                device=request.headers.get("user-agent", ""),
            )
        except RateLimited as error:
            return code_form(request, error=too_many(tongue, error), status=429)
        except Unauthenticated:
            text = tongue.text("The code is wrong, or was used before. Wait for the next one.")
            return code_form(request, error=text, status=401)
        response = entered(request, new, after)
        clear_waiting(response)
        return response

    def code_form(request: Request, *, error: str = "", status: int = 200) -> Response:
        tongue = frame.tongue(request)
        html = frame.pages.render("login_code.html", tongue, csrf="", error=error, theme="system")
        return HTMLResponse(html, status_code=status)

    return router


def entered(request: Request, new: NewSession, after: str) -> Response:
    """The browser has its session and goes on, to the profile first where the password must be changed."""
    response = RedirectResponse("/profile?change=1" if new.signed_in.user.must_change else after, 303)
    set_session(request, response, new)
    return response


def too_many(tongue: Tongue, error: RateLimited) -> str:
    """How long to wait before the next attempt."""
    wait = tongue.duration(error.retry_after_s)
    return tongue.text("Too many attempts. You can try again in %(time)s.", time=wait)
