"""A forgotten password: ask for a link by address, and choose a new one behind the link."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from services.desk.pages.code import too_many
from services.desk.pages.frame import Frame
from services.desk.pages.ticket import text_of
from services.desk.web.deps import PUBLIC, Form, clear_session, client_address, needs
from services.kit.errors import AscoltoError, Invalid, NotFound, RateLimited


def routes(frame: Frame) -> APIRouter:
    """The addresses of a forgotten password."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/login/reset", dependencies=[needs(PUBLIC)])
    def reset_page(request: Request, token: str = "") -> Response:
        if not token:
            return ask_form(request)
        try:
            desk.resets.check(token)
        except NotFound:
            return gone(request)
        return new_form(request, token)

    @router.post("/login/reset", dependencies=[needs(PUBLIC)])
    async def ask(request: Request, form: Form) -> Response:
        email = text_of(form, "email").strip()
        try:
            await run_in_threadpool(desk.resets.ask, email, address=client_address(request))
        except RateLimited as error:
            text = too_many(frame.tongue(request), error)
            return await run_in_threadpool(ask_form, request, email=email, error=text, status=429)
        return await run_in_threadpool(ask_form, request, asked=True)

    @router.post("/login/reset/new", dependencies=[needs(PUBLIC)])
    async def choose(request: Request, form: Form) -> Response:
        token = text_of(form, "token")
        try:
            await run_in_threadpool(desk.resets.use, token, text_of(form, "new"))
        except NotFound:
            return await run_in_threadpool(gone, request)
        except Invalid:
            return new_form(request, token, refused=True)
        response = RedirectResponse("/login?was=reset", 303)
        clear_session(response)
        return response

    def can_send() -> bool:
        try:
            return desk.clients.intake.can_send_notices()
        except AscoltoError:
            return True  # the mail waits until intake answers again

    def ask_form(
        request: Request, *, email: str = "", error: str = "", asked: bool = False, status: int = 200
    ) -> Response:
        return drawn(request, "login_reset.html", status, email=email, error=error, asked=asked, able=can_send())

    def gone(request: Request) -> Response:
        text = frame.tongue(request).text("This link was used before or is older than an hour. Ask for another one.")
        return ask_form(request, error=text, status=410)

    def new_form(request: Request, token: str, *, refused: bool = False) -> Response:
        return drawn(request, "login_new_password.html", 422 if refused else 200, token=token, refused=refused)

    def drawn(request: Request, template: str, status: int, **context: Any) -> Response:
        html = frame.pages.render(template, frame.tongue(request), csrf="", theme="system", **context)
        return HTMLResponse(html, status_code=status)

    return router
