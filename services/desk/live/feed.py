"""The live feed: a ring of names of what changed, and a bounded queue for each open stream.

It holds kind, id, version and brand, never contents. Threads put, one event loop takes; a viewer that is too slow is
told to reload and loses nothing but the details.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

RING = 5_000  # at 40 changes a second, two minutes
_QUEUE = 500  # a stream that is this far behind is told to reload
MAX_STREAMS = 8  # of one session: a browser needs one, a person has a few browsers windows without shared workers


@dataclass(frozen=True, slots=True)
class Call:
    """Why a change may ring: a customer wrote to this owner, team and kind of channel; a note names somebody; or an alert was raised."""

    assignee: str = ""
    team: str = ""
    chat: bool = False
    alert: bool = False
    named: tuple[str, ...] = ()  # user ids

    def scope(self, user_id: str, teams: Collection[str]) -> str:
        """Which of `CALLS` it is for this person; empty when it is somebody else's."""
        if self.alert:
            return "alerts"
        if self.named:
            return "mine" if user_id in self.named else ""
        if self.assignee:
            return "mine" if self.assignee == user_id else ""
        if self.team and self.team not in teams:
            return ""
        return "chats" if self.chat else "unassigned"


@dataclass(frozen=True, slots=True)
class Change:
    """Something changed. `permission` is what a viewer needs to be told; an empty `brand_id` is everybody's."""

    kind: str  # ticket, ticket_named (by a note), mention, alert, delivery, presence, customer
    id: str
    version: int
    brand_id: str
    permission: str
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """A change at its place in the ring."""

    number: int
    change: Change


class Subscription:
    """One open stream: what it still has to be told. Belongs to the loop it was made on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, admits: Callable[[Change], bool], begun: int) -> None:
        self._loop, self._admits, self.begun = loop, admits, begun
        self._waiting: deque[Numbered] = deque()
        self._wake = asyncio.Event()
        self.overrun = False
        self.closed = False

    def offer(self, item: Numbered) -> None:
        """Queues a change the viewer may know of; from any thread."""
        if not self._admits(item.change) or self.overrun:
            return
        if len(self._waiting) >= _QUEUE:
            self._waiting.clear()
            self.overrun = True
        else:
            self._waiting.append(item)
        self.wake()

    def close(self) -> None:
        """Ends the stream; from any thread."""
        self.closed = True
        self.wake()

    def wake(self) -> None:
        """Lets the stream look; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:
            self.closed = True  # its loop has ended, and with it the stream

    async def take(self, timeout_s: float) -> tuple[list[Numbered], bool]:
        """What waits, at once or after up to `timeout_s`; and whether the viewer must reload instead."""
        if not self._waiting and not self.overrun and not self.closed:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                return [], False
        self._wake.clear()
        if self.overrun:
            self.overrun = False
            return [], True
        items = []
        while self._waiting:
            items.append(self._waiting.popleft())
        return items, False


class LiveFeed:
    """The ring and its subscriptions. Numbers go up by arrival; `epoch` tells one run of the process from another."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self._ring: deque[Numbered] = deque(maxlen=RING)
        self._numbers = itertools.count(1)
        self._last = 0
        self._streams: dict[Subscription, str] = {}
        self._lock = threading.Lock()
        self._closed = False

    def put(self, changes: Sequence[Change]) -> None:
        """Adds changes in the order they arrived and tells every stream."""
        with self._lock:
            items = [Numbered(next(self._numbers), change) for change in changes]
            if not items:
                return
            self._last = items[-1].number
            self._ring.extend(items)
            for stream in self._streams:
                for item in items:
                    stream.offer(item)

    def subscribe(
        self, session_id: str, admits: Callable[[Change], bool], *, last_event_id: str = ""
    ) -> tuple[Subscription, bool] | None:
        """A stream from after `last_event_id` on, and whether the viewer must reload first because the gap is too old.

        None when the session has its `MAX_STREAMS` open already. Call it on the event loop.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._closed or self.count(session_id) >= MAX_STREAMS:
                return None
            seen = self._seen(last_event_id)
            stale = bool(last_event_id) and seen is None
            stream = Subscription(loop, admits, self._last if seen is None else seen)
            if seen is not None:
                for item in self._ring:
                    if item.number > seen:
                        stream.offer(item)
            self._streams[stream] = session_id
        return stream, stale

    def leave(self, stream: Subscription) -> None:
        """Forgets a stream."""
        with self._lock:
            self._streams.pop(stream, None)

    def count(self, session_id: str = "") -> int:
        """How many streams are open, of one session or of all."""
        return sum(1 for owner in list(self._streams.values()) if not session_id or owner == session_id)

    def event_id(self, number: int) -> str:
        """What a browser sends back as Last-Event-ID."""
        return f"{self.epoch}-{number}"

    @property
    def last(self) -> int:
        """The newest number."""
        return self._last

    def close(self) -> None:
        """Ends every stream and takes no more."""
        with self._lock:
            self._closed = True
            for stream in self._streams:
                stream.close()

    def _seen(self, last_event_id: str) -> int | None:
        epoch, _, text = last_event_id.partition("-")
        if epoch != self.epoch or not text.isdigit():
            return None
        number = int(text)
        oldest = self._ring[0].number if self._ring else self._last + 1
        if number > self._last or number + 1 < oldest:
            return None
        return number
