"""Who looks at a ticket and who writes on it: rows that every process of the desk reads, gone 30 s after the last heartbeat."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from services.desk.domain.roles import TICKETS_READ
from services.desk.live.feed import Change, LiveFeed
from services.desk.store import presence as store
from services.desk.store.presence import Seat

if TYPE_CHECKING:
    from services.kit.clock import Clock
    from services.kit.uow import Database

ALIVE = timedelta(seconds=30)
DOINGS = ("looking", "writing")
_ALIVE_US = int(ALIVE.total_seconds() * 1e6)


class Presence:
    """Heartbeats of browsers; tells the feed when somebody comes, goes, or begins or stops writing, whoever's process heard it."""

    def __init__(self, database: Database, feed: LiveFeed, *, clock: Clock) -> None:
        self._database, self._feed, self._clock = database, feed, clock
        self._seats: dict[tuple[str, str], Seat] = {}  # (ticket, user)
        self._lock = threading.Lock()

    def beat(self, ticket_id: str, brand_id: str, *, user_id: str, name: str, doing: str) -> None:
        """Notes that a person is at a ticket they may see."""
        now_us = self._now_us
        seat = Seat(ticket_id, user_id, name, doing, brand_id, now_us, now_us)
        with self._lock:
            before = self._seats.get((ticket_id, user_id))
            same = before is not None and before.doing == doing and now_us - before.seen_us < _ALIVE_US
            if before is not None and same:
                seat = replace(seat, since_us=before.since_us)
            self._seats[ticket_id, user_id] = seat
        self._database.write(lambda uow: store.put(uow, seat))
        if not same:
            self._tell(seat)

    def leave(self, ticket_id: str, user_id: str) -> None:
        """Notes that a person left."""
        self._database.write(lambda uow: store.remove(uow, ticket_id, user_id))
        with self._lock:
            seat = self._seats.pop((ticket_id, user_id), None)
        if seat is not None:
            self._tell(seat)

    def at(self, ticket_id: str, *, but: str = "") -> Sequence[Seat]:
        """Who is at the ticket, writers first; without oneself."""
        limit_us = self._now_us - _ALIVE_US
        with self._lock:
            found = [
                seat
                for (ticket, user), seat in self._seats.items()
                if ticket == ticket_id and user != but and seat.seen_us > limit_us
            ]
        return sorted(found, key=lambda seat: (seat.doing != "writing", seat.since_us))

    def refresh(self) -> None:
        """Takes over what every process wrote, forgets who sent no heartbeat for 30 s, and tells the feed what differs."""
        begun_us = self._now_us
        limit_us = begun_us - _ALIVE_US
        with self._database.read() as reader:
            rows = store.everybody(reader)
        if any(seat.seen_us <= limit_us for seat in rows):
            self._database.write(lambda uow: store.prune(uow, limit_us))
        there = {(seat.ticket_id, seat.user_id): seat for seat in rows if seat.seen_us > limit_us}
        with self._lock:
            before = self._seats
            there |= {
                key: seat for key, seat in before.items() if seat.seen_us > begun_us
            }  # heard since the rows were read
            self._seats = there
        for key in before.keys() | there.keys():
            old, new = before.get(key), there.get(key)
            if old is None or new is None or old.doing != new.doing:
                self._tell(new or before[key])

    @property
    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)

    def _tell(self, seat: Seat) -> None:
        self._feed.put([Change("presence", seat.ticket_id, 0, seat.brand_id, TICKETS_READ)])
