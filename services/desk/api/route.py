"""What every route of the API does around its handler: rights first, no unknown parameter, and stored answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from services.desk.api.callers import api_of, caller
from services.desk.web.registry import needs_of
from services.kit.errors import Invalid

KEY = "idempotency-key"
REPLAYED = "idempotency-replayed"


class ApiRoute(APIRoute):
    """A route of the API."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, with ours around it."""
        inner = super().get_route_handler()
        known = {field.alias for field in self.dependant.query_params}

        async def handle(request: Request) -> Response:
            for needs in needs_of(self.dependant):
                await needs(request)
            if unknown := set(request.query_params) - known:
                name = min(unknown)
                raise Invalid(f"There is no parameter {name}.", field=name)
            key = request.headers.get(KEY, "")
            if not key or request.method != "POST":
                return await inner(request)
            return await _once(request, key, inner)

        return handle


async def _once(request: Request, key: str, inner: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    answers = api_of(request).answers
    person = await caller(request)
    body = await request.body()
    scope = f"{person.user_id}\x00{request.url.path}"
    key_hash, stored = await run_in_threadpool(answers.begin, scope=scope, key=key, request=body)
    if stored is not None:
        return Response(
            stored.body, status_code=stored.status, media_type=stored.media_type, headers={REPLAYED: "true"}
        )
    try:
        response = await inner(request)
    except BaseException:
        await run_in_threadpool(answers.release, key_hash)
        raise
    if response.status_code < 300:
        await run_in_threadpool(
            answers.keep,
            key_hash,
            status=response.status_code,
            media_type=response.media_type or "application/json",
            body=bytes(response.body),
        )
    else:
        await run_in_threadpool(answers.release, key_hash)
    return response
