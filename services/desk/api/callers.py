"""Who calls the API: a bearer token with scopes, or a browser's session with its CSRF token."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from services.desk.api.parts import Api
from services.desk.web.deps import CSRF_HEADER, PUBLIC, Needs, check_origin, find_signed_in
from services.kit.errors import Forbidden, Unauthenticated
from services.kit.principal import Person

if TYPE_CHECKING:
    from services.desk.context import Desk

_SAFE = frozenset({"GET", "HEAD"})


def api_of(request: Request) -> Api:
    """The API's own parts."""
    api: Api = request.app.state.api
    return api


def desk_of_api(request: Request) -> Desk:
    """The desk's parts."""
    desk: Desk = request.app.state.desk
    return desk


async def caller(request: Request) -> Person:
    """The caller. Raises `Unauthenticated`, and `Forbidden` for a session's change without its CSRF token."""
    known: Person | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    person = await _bearer(request) or await _session(request)
    request.state.caller = person
    return person


async def _bearer(request: Request) -> Person | None:
    given = request.headers.get("authorization", "")
    if not given:
        return None
    scheme, _, secret = given.partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated("Send the token as `Authorization: Bearer asc_…`.")
    return await run_in_threadpool(api_of(request).tokens.person, secret.strip())


async def _session(request: Request) -> Person:
    me = await find_signed_in(request)
    if me is None:
        raise Unauthenticated("Send a token as `Authorization: Bearer asc_…`.")
    if request.method not in _SAFE:
        check_origin(request)
        if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), me.csrf.encode()):
            raise Forbidden(f"A session's changes carry its token in {CSRF_HEADER}.")
    if me.user.must_change:
        raise Forbidden("Choose a password of your own first.")
    return me.person


class ApiNeeds(Needs):
    """The permission a route of the API declares."""

    async def __call__(self, request: Request) -> None:
        """Raises `Unauthenticated`, `Forbidden`."""
        if self.permission != PUBLIC:
            (await caller(request)).require(self.permission)


def needs(permission: str) -> Any:
    """For `dependencies=[…]` of a route: which permission it needs."""
    return Depends(ApiNeeds(permission))


Caller = Annotated[Person, Depends(caller)]
ApiOf = Annotated[Api, Depends(api_of)]
