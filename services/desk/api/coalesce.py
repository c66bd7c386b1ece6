"""Contacts on their way to intake: what waits while a call is under way goes together in the next, at most 100.

One line per caller, because a call carries one person. Lives on the event loop; calls run in a small pool. After a call
with a crowd in it the next waits a moment: those just answered write again, and go along instead of making a call of
their own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from services.kit.errors import Internal, Unavailable
from services.kit.principal import Person

if TYPE_CHECKING:
    from ascolto.intake.v1.service_pb2 import AcceptContactsResponse, Accepted, NewContact

Accept = Callable[[Person, "Sequence[NewContact]"], "AcceptContactsResponse"]
_TOGETHER = 100
_TOGETHER_BYTES = 3 * 1024 * 1024  # a call has at most 4 MiB
_WAITING = 2_000
_THREADS = 4
_CROWD, _ENOUGH = 4, 50  # contacts in a call
_REST_S = 0.01


class _Line:
    """What waits of one caller."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[NewContact, asyncio.Future[Accepted]]] = deque()
        self.running = False


class Coalescer:
    """Hands contacts to intake; each caller's `put` is answered after the commit."""

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._lines: dict[Person, _Line] = {}
        self._waiting = 0
        self._pool = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="desk-contacts")

    async def put(self, person: Person, contacts: Sequence[NewContact]) -> Sequence[Accepted]:
        """Takes in contacts, in order. Raises `Unavailable` when too many wait or intake is away."""
        if self._waiting + len(contacts) > _WAITING:
            raise Unavailable("Too many contacts wait; try again in a second.", retry_after_s=1.0)
        loop = asyncio.get_running_loop()
        line = self._lines.setdefault(person, _Line())
        futures: list[asyncio.Future[Accepted]] = [loop.create_future() for _ in contacts]
        line.waiting.extend(zip(contacts, futures, strict=True))
        self._waiting += len(contacts)
        if not line.running:
            line.running = True
            task = loop.create_task(self._drain(person, line))
            task.add_done_callback(lambda done: done.exception())
        return await asyncio.gather(*futures)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _drain(self, person: Person, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        try:
            while line.waiting:
                batch = _batch(line)
                self._waiting -= len(batch)
                try:
                    response = await loop.run_in_executor(self._pool, self._accept, person, [item for item, _ in batch])
                except Exception as error:  # noqa: BLE001 (whatever failed, each caller is told it)
                    _fail(batch, error)
                    continue
                if len(response.items) != len(batch):
                    _fail(batch, Internal("Intake answered for another number of contacts than were given."))
                    continue
                for (_, future), answer in zip(batch, response.items, strict=True):
                    if not future.done():
                        future.set_result(answer)
                if len(batch) >= _CROWD and len(line.waiting) < _ENOUGH:
                    await asyncio.sleep(_REST_S)
        finally:
            line.running = False
            if not line.waiting:
                self._lines.pop(person, None)


def _batch(line: _Line) -> list[tuple[NewContact, asyncio.Future[Accepted]]]:
    """The next contacts that fit into one call; always at least one."""
    batch: list[tuple[NewContact, asyncio.Future[Accepted]]] = []
    size = 0
    while line.waiting and len(batch) < _TOGETHER:
        size += line.waiting[0][0].ByteSize()
        if batch and size > _TOGETHER_BYTES:
            break
        batch.append(line.waiting.popleft())
    return batch


def _fail(batch: Sequence[tuple[NewContact, asyncio.Future[Accepted]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
