"""The application behind `/`: the pages' routes and the desk's own, their errors, and their headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from services.desk.web import files, live
from services.desk.web.deps import CloseForms, PasswordChangeNeeded, SignInNeeded
from services.desk.web.headers import SecurityHeaders
from services.desk.web.registry import declared
from services.kit import log
from services.kit.errors import AscoltoError, Internal, Invalid, NotFound

if TYPE_CHECKING:
    from services.desk.context import Desk, PageSet

STATUS = {
    "invalid": 422,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "rate_limited": 429,
    "unavailable": 503,
    "internal": 500,
}


def https_of(desk: Desk) -> Any:
    """Whether a request came by https, or the desk is known by an https address."""
    public = desk.settings.public_url.startswith("https:")

    def is_https(scope: Scope) -> bool:
        return public or scope.get("scheme") == "https"

    return is_https


def build_web(desk: Desk, pages: PageSet | None) -> FastAPI:
    """The application; raises `Internal` when a route declares no permission."""
    app = FastAPI(title="Ascolto desk", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.desk = desk
    app.include_router(live.router)
    app.include_router(files.router)
    if pages is not None:
        app.router.routes.extend(pages.router.routes)
    _Errors(pages).install(app)
    declared(app)
    app.add_middleware(CloseForms)
    app.add_middleware(SecurityHeaders, https=https_of(desk))
    return app


class _Errors:
    """Every error as a page (or a line of text where there are no pages), never as a trace."""

    def __init__(self, pages: PageSet | None) -> None:
        self._pages = pages
        self._log = log.logger("desk")

    def install(self, app: FastAPI) -> None:
        """Registers the handlers."""
        app.add_exception_handler(AscoltoError, self._ours)
        app.add_exception_handler(RequestValidationError, self._validation)
        app.add_exception_handler(HTTPException, self._http)
        app.add_exception_handler(Exception, self._defect)

    async def _ours(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, AscoltoError)
        if isinstance(error, SignInNeeded) and _wants_page(request):
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(target, safe='')}", 303)
        if isinstance(error, PasswordChangeNeeded) and _wants_page(request):
            return RedirectResponse("/profile?change=1", 303)
        if error.kind == "internal":
            self._log.error("page.failed", path=request.url.path, reason=error.message)
        return self._answer(request, error)

    async def _validation(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        if first["loc"][0] == "path":
            return self._answer(request, NotFound("There is nothing at this address."))
        field = str(first["loc"][-1])
        return self._answer(request, Invalid(f"{field}: {first['msg']}.", field=field))

    async def _http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return self._answer(request, NotFound("There is nothing at this address."))
        return self._answer(request, Invalid(str(error.detail)), status=error.status_code)

    async def _defect(self, request: Request, error: Exception) -> Response:
        self._log.error("page.failed", path=request.url.path, reason=type(error).__name__, exc_info=error)
        return self._answer(request, Internal("Something failed on our side."))

    def _answer(self, request: Request, error: AscoltoError, status: int = 0) -> Response:
        trace_id = log.trace_id()
        if _wants_json(request):
            body = {"title": error.kind, "detail": error.message, "field": error.field, "id": trace_id}
            response: Response = JSONResponse(body)
        elif self._pages is not None:
            response = self._pages.error(request, error, trace_id)
        else:
            response = PlainTextResponse(f"{error.message}\n")
        response.status_code = status or STATUS[error.kind]
        if error.retry_after_s:
            response.headers["retry-after"] = str(int(error.retry_after_s) + 1)
        return response


def _wants_page(request: Request) -> bool:
    """Whether a person navigates, rather than a script or htmx asking for a fragment."""
    return request.method in {"GET", "HEAD"} and "hx-request" not in request.headers and not _wants_json(request)


def _wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "text/html" not in accept and ("json" in accept or "text/event-stream" in accept)
