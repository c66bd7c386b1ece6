"""Who waits for a commit is woken by it: stages follow one another at once, and nobody polls.

One for a process: its databases tell it of each commit's topics (`notify`), PostgreSQL also of other processes' commits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class _Waiter:
    topics: frozenset[str]
    woken: threading.Event = field(default_factory=threading.Event)


class Wakes:
    """Commits by topic, as they happen. A commit is never missed: who asks again gives the ticket of the last answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticket = 1
        self._last: dict[str, int] = {}  # the ticket of each topic's last commit
        self._waiters: set[_Waiter] = set()
        self.listeners: list[Callable[[frozenset[str]], None]] = []  # told of each commit's topics, at once

    def notify(self, topics: frozenset[str]) -> None:
        """Wakes who waits for one of `topics`."""
        with self._lock:
            self._ticket += 1
            for topic in topics:
                self._last[topic] = self._ticket
            for waiter in self._waiters:
                if not waiter.topics.isdisjoint(topics):
                    waiter.woken.set()
        for listener in self.listeners:
            listener(topics)

    def wait(self, topics: Sequence[str], seen: int, timeout_s: float) -> int:
        """Blocks until something was committed to one of `topics` after the ticket `seen`; returns the new ticket."""
        waiter = _Waiter(frozenset(topics))
        with self._lock:
            if any(self._last.get(topic, 0) > seen for topic in topics):
                return self._ticket
            self._waiters.add(waiter)
        try:
            woken = waiter.woken.wait(timeout_s)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
                ticket = self._ticket
        return ticket if woken else max(seen, 0)
