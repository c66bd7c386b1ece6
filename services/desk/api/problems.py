"""Every error of the API as `application/problem+json`. Source: RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from services.desk.api.models import FieldError
from services.desk.web.app import STATUS
from services.kit import log
from services.kit.errors import AscoltoError, Conflict, Internal, Invalid

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "The state has changed",
    411: "Length required",
    413: "Too large",
    415: "Not JSON",
    422: "Not valid",
    429: "Too many requests",
    500: "Our fault",
    503: "Not available",
}


class Stale(Conflict):
    """A conflict that shows the present state in the problem, under `shown`."""

    def __init__(self, message: str, shown: dict[str, Any]) -> None:
        super().__init__(message)
        self.shown = shown


class HttpProblem(AscoltoError):
    """An error of HTTP itself, with its own status."""

    kind = "invalid"

    def __init__(self, status: int, message: str, *, field: str = "") -> None:
        super().__init__(message, field=field)
        self.status = status


_UNREADABLE = HttpProblem(400, "The body is not valid JSON.", field="body")


def problem(status: int, detail: str, **more: Any) -> Response:
    """The answer. `more` are extension members; empty ones are left out."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    body |= {name: value for name, value in more.items() if value not in ("", None)}
    if trace := log.trace_id():
        body["trace_id"] = trace
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def of_error(error: AscoltoError) -> Response:
    """The problem of one of our errors."""
    status = error.status if isinstance(error, HttpProblem) else STATUS[error.kind]
    shown = error.shown if isinstance(error, Stale) else {}
    response = problem(status, error.message, kind=error.kind, field=error.field, **shown)
    if error.retry_after_s:
        response.headers["retry-after"] = str(int(error.retry_after_s) + 1)
    elif status == 503:
        response.headers["retry-after"] = "2"
    if status == 401:
        response.headers["www-authenticate"] = 'Bearer realm="ascolto"'
    return response


def install(app: FastAPI) -> None:
    """Registers the handlers."""
    logger = log.logger("desk")

    async def ours(_request: Request, error: Exception) -> Response:
        assert isinstance(error, AscoltoError)
        if error.kind == "internal":
            logger.error("api.failed", reason=error.message)
        return of_error(error)

    async def validation(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return of_error(invalid(error))

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if (
            error.status_code == 400
        ):  # FastAPI's word for JSON that Python's reader gives up on: too deep, a number too long
            return of_error(_UNREADABLE)
        detail = {404: "There is nothing at this address.", 405: "This address does not take that method."}
        response = problem(error.status_code, detail.get(error.status_code, str(error.detail)))
        response.headers.update(error.headers or {})
        return response

    async def defect(_request: Request, error: Exception) -> Response:
        logger.error("api.failed", reason=type(error).__name__, exc_info=error)
        return of_error(Internal("Something failed on our side; the log has the reason under this trace id."))

    app.add_exception_handler(AscoltoError, ours)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, defect)


def invalid(error: RequestValidationError) -> AscoltoError:
    """The first fault in a body or query, with the path of its field."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _UNREADABLE
    return fault(first, skip=1)


def fault(first: Mapping[str, Any], *, skip: int = 0) -> Invalid:
    """One fault as pydantic tells it; `skip` steps of its path are not the caller's."""
    path = list(first["loc"][skip:])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, FieldError):
        path.append(cause.field)
    field = (
        ".".join(str(step) for step in path).encode(errors="replace").decode() or "body"
    )  # a name may hold half a character
    if first["type"] == "extra_forbidden":
        return Invalid(f"There is no field {field}.", field=field)
    if first["type"] == "missing":
        return Invalid(f"{field} is missing.", field=field)
    return Invalid(f"{field}: {first['msg'].removeprefix('Value error, ')}.", field=field)
