"""A caller of an ASGI application in the test's own thread: keeps cookies, speaks httpx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Self

import httpx


class Browser:
    """Requests one after the other; `gather` sends several at once."""

    def __init__(self, app: Any, *, headers: Mapping[str, str] | None = None) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 50000))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=headers, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._runner.run(self.http.aclose())
        self._runner.close()

    @property
    def cookies(self) -> httpx.Cookies:
        return self.http.cookies

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        if isinstance(more.get("content"), Iterator):
            more["content"] = _slowly(more["content"])
        return self._runner.run(self.http.request(method, url, **more))

    def gather(self, *requests: tuple[str, str, dict[str, Any]]) -> list[httpx.Response]:
        async def all_at_once() -> list[httpx.Response]:
            return await asyncio.gather(*(self.http.request(method, url, **more) for method, url, more in requests))

        return self._runner.run(all_at_once())

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.request("GET", url, **more)

    def post(self, url: str, **more: Any) -> httpx.Response:
        return self.request("POST", url, **more)

    def patch(self, url: str, **more: Any) -> httpx.Response:
        return self.request("PATCH", url, **more)

    def delete(self, url: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", url, **more)


async def _slowly(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
