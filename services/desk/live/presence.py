"""Who looks at a ticket and who writes on it: in memory, gone 30 s after the last heartbeat."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.desk.domain.roles import TICKETS_READ
from services.desk.live.feed import Change, LiveFeed

if TYPE_CHECKING:
    from services.kit.clock import Clock

ALIVE_S = 30.0
DOINGS = ("looking", "writing")


@dataclass(frozen=True, slots=True)
class Present:
    """One person at a ticket."""

    user_id: str
    name: str
    doing: str  # looking, writing
    since_s: float  # monotonic


@dataclass(frozen=True, slots=True)
class _Seat:
    person: Present
    brand_id: str
    seen_s: float


class Presence:
    """Heartbeats of browsers; tells the feed when somebody comes, goes, or begins or stops writing."""

    def __init__(self, feed: LiveFeed, *, clock: Clock) -> None:
        self._feed, self._clock = feed, clock
        self._seats: dict[tuple[str, str], _Seat] = {}  # (ticket, user)
        self._lock = threading.Lock()

    def beat(self, ticket_id: str, brand_id: str, *, user_id: str, name: str, doing: str) -> None:
        """Notes that a person is at a ticket they may see."""
        now = self._clock.monotonic()
        with self._lock:
            before = self._seats.get((ticket_id, user_id))
            same = before is not None and before.person.doing == doing and now - before.seen_s < ALIVE_S
            since = before.person.since_s if before and same else now
            self._seats[ticket_id, user_id] = _Seat(Present(user_id, name, doing, since), brand_id, now)
        if not same:
            self._tell(ticket_id, brand_id)

    def leave(self, ticket_id: str, user_id: str) -> None:
        """Notes that a person left."""
        with self._lock:
            seat = self._seats.pop((ticket_id, user_id), None)
        if seat is not None:
            self._tell(ticket_id, seat.brand_id)

    def at(self, ticket_id: str, *, but: str = "") -> Sequence[Present]:
        """Who is at the ticket, writers first; without oneself."""
        limit = self._clock.monotonic() - ALIVE_S
        with self._lock:
            found = [
                seat.person
                for (ticket, user), seat in self._seats.items()
                if ticket == ticket_id and user != but and seat.seen_s > limit
            ]
        return sorted(found, key=lambda present: (present.doing != "writing", present.since_s))

    def sweep(self) -> int:
        """Forgets who sent no heartbeat for 30 s and tells the feed; how many."""
        limit = self._clock.monotonic() - ALIVE_S
        with self._lock:
            gone = [(key, seat) for key, seat in self._seats.items() if seat.seen_s <= limit]
            for key, _ in gone:
                del self._seats[key]
        for (ticket_id, _), seat in gone:
            self._tell(ticket_id, seat.brand_id)
        return len(gone)

    def _tell(self, ticket_id: str, brand_id: str) -> None:
        self._feed.put([Change("presence", ticket_id, 0, brand_id, TICKETS_READ)])
