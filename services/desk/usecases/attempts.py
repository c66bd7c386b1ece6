"""How often somebody may try a password: per account and per address, decided before anything is hashed.

In memory, because it only protects the processor and the guesser's patience; the password itself is the lock.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from services.kit.clock import Clock
from services.kit.errors import RateLimited

_WINDOW_S = 15 * 60
_LONGEST_WAIT_S = 15 * 60
_REMEMBERED = 20_000


@dataclass(slots=True)
class _Count:
    began: float
    failures: int = 0
    blocked_until: float = 0.0


class Attempts:
    """Counts failures by key; past `limit` in 15 minutes each further one doubles the wait, from 1 s to 15 minutes."""

    def __init__(self, *, limit: int, clock: Clock) -> None:
        self._limit, self._clock = limit, clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, *keys: str) -> None:
        """Counts an attempt as failed until `succeed`. Raises `RateLimited` with the seconds to wait, counting nothing."""
        now = self._clock.monotonic()
        with self._lock:
            wait = max((self._count(key, now).blocked_until - now for key in keys), default=0.0)
            if wait > 0:
                raise RateLimited(f"Too many attempts; try again in {int(wait) + 1} seconds.", retry_after_s=wait)
            for key in keys:
                count = self._count(key, now)
                count.failures += 1
                if count.failures >= self._limit:
                    count.blocked_until = now + min(2.0 ** (count.failures - self._limit), _LONGEST_WAIT_S)

    def succeed(self, *keys: str) -> None:
        """Forgets the failures of these keys."""
        with self._lock:
            for key in keys:
                self._counts.pop(key, None)

    def _count(self, key: str, now: float) -> _Count:
        count = self._counts.get(key)
        if count is None or (now - count.began > _WINDOW_S and now >= count.blocked_until):
            count = self._counts[key] = _Count(began=now)
        self._counts.move_to_end(key)
        while len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return count
