"""Headers every answer of the desk carries, and the nonce of its inline scripts and styles.

A route that sets a header itself keeps it. Source: OWASP Secure Headers Project; CSP level 3.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FIXED = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    (b"cache-control", b"no-store"),
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")


def page_policy(nonce: str) -> str:
    """The policy of pages: own files, inline only by nonce, framed by nobody, forms to itself."""
    return (
        "default-src 'none'; "
        f"script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data:; media-src 'self'; font-src 'self'; connect-src 'self'; worker-src 'self'; frame-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


API_POLICY = "default-src 'none'; frame-ancestors 'none'"
FILE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"


def frame_policy(*, remote: bool) -> str:
    """The policy of a customer's HTML in its frame: no script, nothing fetched but, once asked for, pictures."""
    pictures = "data: https: http:" if remote else "data:"
    return (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
        f"style-src 'unsafe-inline'; img-src {pictures}; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )


class SecurityHeaders:
    """Adds what is missing; puts `nonce` into the request's state."""

    def __init__(self, app: ASGIApp, *, https: Callable[[Scope], bool], api: bool = False) -> None:
        self._app, self._https, self._api = app, https, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce
        policy = API_POLICY if self._api else page_policy(nonce)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _completed(message.get("headers", []), policy, https=self._https(scope))
            await send(message)

        await self._app(scope, receive, with_headers)


def _completed(headers: Any, policy: str, *, https: bool) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    names = {name.lower() for name, _ in given}
    added = [*_FIXED, (b"content-security-policy", policy.encode())]
    if https:
        added.append(_HSTS)
    return given + [(name, value) for name, value in added if name not in names]
