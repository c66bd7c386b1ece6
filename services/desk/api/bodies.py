"""The bytes of a request, before anything reads them: at most 15 MiB, UTF-8, JSON."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.desk.api.problems import problem

MAX_BYTES = 15 * 1024 * 1024
_BODIED = frozenset({"POST", "PUT", "PATCH"})


class Bodies:
    """Reads the body whole, refuses what cannot be one, and hands it on in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] not in _BODIED:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        length = request.headers.get("content-length", "0")
        body = b"" if length.isdigit() and int(length) > MAX_BYTES else await _read(receive)
        if body is None or (length.isdigit() and int(length) > MAX_BYTES):
            refusal = problem(413, f"A body has at most {MAX_BYTES} bytes.", field="body")
            refusal.headers["connection"] = "close"  # what was not read of the body must not become the next request
        elif body and _media_type(request) != "application/json":
            refusal = problem(415, "Send the body as application/json.", field="body")
        elif not _is_utf8(body):
            refusal = problem(400, "The body is not valid UTF-8.", field="body")
        else:
            await self._app(scope, _again(body, receive), send)
            return
        await refusal(scope, receive, send)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(receive: Receive) -> bytes | None:
    """The body, or None as soon as it is too long."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > MAX_BYTES:
            return None
        parts.append(piece)
        if not message.get("more_body", False):
            return b"".join(parts)


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
