"""Timers of this service: solved tickets that are due to close. Due rows, not clocks in memory."""

from __future__ import annotations

import threading

from services.kit import log
from services.kit.clock import Clock
from services.kit.ids import new_id
from services.kit.leases import Leases
from services.kit.uow import Database, Lane, Uow
from services.tickets.usecases.close import close_solved, forget_windows

_LOOK_S = 15.0
_LEASE_S = 60.0
_BATCH = 200


class Closer:
    """Closes what stayed solved for its brand's days; one instance at a time holds the lease."""

    name = "tickets.closer"

    def __init__(self, *, database: Database, leases: Leases, clock: Clock, holder: str) -> None:
        self._database, self._leases, self._clock, self._holder = database, leases, clock, holder
        self._log = log.logger("tickets")

    def run(self, stop: threading.Event) -> None:
        """Looks every 15 s until stopped."""
        while not stop.wait(_LOOK_S):
            self.close_due()

    def close_due(self) -> int:
        """Closes everything due now; returns how many."""
        lease = self._leases.take(self.name, self._holder, seconds=_LEASE_S)
        if lease is None:
            return 0
        closed = 0
        while True:
            now_us = int(self._clock.now().timestamp() * 1_000_000)
            ids = [new_id("int") for _ in range(_BATCH)]

            def close(uow: Uow, now_us: int = now_us, ids: list[str] = ids) -> int:
                self._leases.fence(lease, uow)
                return close_solved(uow, now_us=now_us, ids=ids)

            done = self._database.write(close, lane=Lane.BULK)
            closed += done
            if done < _BATCH:
                break
        self._database.write(lambda uow: forget_windows(uow, now_us=now_us), lane=Lane.BULK)
        if closed:
            self._log.info("tickets.closed", count=closed)
        return closed
