"""What both probes begin with: a bare ASGI route that takes a contact and answers once it is durable."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import uvicorn

_MOST = 100  # contacts that become durable together


class From(msgspec.Struct):
    """Who wrote it."""

    email: str
    name: str


class Contact(msgspec.Struct):
    """A contact as it is posted."""

    external_id: str
    sender: From = msgspec.field(name="from")
    subject: str
    text: str


class Taken(NamedTuple):
    """A contact whose sender waits."""

    contact: Contact
    body: bytes
    answer: asyncio.Future[None]


class Edge:
    """POST takes a contact, GET answers how many are searchable: `indexed`, which the probe counts."""

    def __init__(self) -> None:
        self.indexed = 0
        self.decoder = msgspec.json.Decoder(Contact)
        self._waiting: queue.SimpleQueue[Taken] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None

    def group(self) -> list[Taken]:
        """Those that wait, a hundred at most; blocks until there is one."""
        group = [self._waiting.get()]
        while len(group) < _MOST:
            try:
                group.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return group

    def answer(self, group: Sequence[Taken]) -> None:
        """Tells their senders that they are durable."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._resolve, [one.answer for one in group])

    @staticmethod
    def _resolve(futures: list[asyncio.Future[None]]) -> None:
        for future in futures:
            if not future.done():
                future.set_result(None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        self._loop = asyncio.get_running_loop()
        if scope["method"] == "GET":
            await _answer(send, 200, str(self.indexed).encode())
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.put(Taken(self.decoder.decode(body), body, future))
        await future
        await _answer(send, 202, b'{"id":"x"}')

    def serve(self, port: int) -> None:
        """Serves on loopback until ended."""
        uvicorn.run(self, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off")


async def _answer(send: Any, status: int, body: bytes) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})
