"""Bare ASGI: a body read with a limit, an answer, a problem. Errors of ours become HTTP by one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from services.kit.errors import AscoltoError

STATUS: Mapping[str, int] = {
    "invalid": 422,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "rate_limited": 429,
    "unavailable": 503,
    "internal": 500,
}
_TITLES = {
    400: "Not readable",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Not this method",
    409: "Changed meanwhile",
    413: "Too large",
    422: "Not valid",
    429: "Too many",
    503: "Not available",
}
Headers = Iterable[tuple[bytes, bytes]]


class TooLarge(Exception):
    """The body exceeds its limit; nothing of it is kept."""


def header(scope: Scope, name: bytes) -> bytes:
    """A request header by its lower-case name; empty when absent."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def headers_of(scope: Scope) -> dict[str, str]:
    """All request headers, lower-case names, as text."""
    return {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}


def peer(scope: Scope) -> str:
    """The caller's address, as the server knows it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body. Raises `TooLarge` by the declared length, or while reading."""
    declared = header(scope, b"content-length")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise TooLarge
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the caller went away")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooLarge
    return b"".join(parts)


async def respond(send: Send, status: int, body: bytes, media_type: bytes, *, headers: Headers = ()) -> None:
    """Sends one answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, content: Any, *, headers: Headers = ()) -> None:
    """Sends JSON that nobody may cache."""
    await respond(
        send,
        status,
        msgspec.json.encode(content),
        b"application/json",
        headers=[(b"cache-control", b"no-store"), *headers],
    )


async def problem(send: Send, status: int, detail: str, *, field: str = "", retry_after_s: float = 0.0) -> None:
    """Sends an error. Source: RFC 9457."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Failed"),
        "status": status,
        "detail": detail,
    }
    if field:
        content["field"] = field
    extra = [(b"cache-control", b"no-store")]
    if status in {429, 503}:
        extra.append((b"retry-after", str(max(1, round(retry_after_s))).encode()))
    if status == 401:
        extra.append((b"www-authenticate", b"Bearer"))
    await respond(send, status, msgspec.json.encode(content), b"application/problem+json", headers=extra)


async def fail(send: Send, error: AscoltoError, *, malformed: bool = False) -> None:
    """Sends one of our errors; `malformed` input is 400 instead of 422."""
    status = 400 if malformed and error.kind == "invalid" else STATUS.get(error.kind, 500)
    field = error.field or ("body" if status == 400 else "")
    await problem(send, status, error.message, field=field, retry_after_s=error.retry_after_s)
