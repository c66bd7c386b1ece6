"""How a consumer leaves the processor to others."""

from __future__ import annotations

import threading

from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from tests.contracts.bus import Sink, consumption, publish
from tests.kitlib import DatabaseFactory


class Watched(threading.Event):
    """A stop that is set when a run has rested so many times, and remembers how long each rest was to be."""

    def __init__(self, rests: int) -> None:
        super().__init__()
        self.rests: list[float] = []
        self._left = rests

    def wait(self, timeout: float | None = None) -> bool:
        self.rests.append(timeout or 0.0)
        if len(self.rests) == self._left:
            self.set()
        return self.is_set()


def test_a_backlog_gives_way_after_each_full_batch(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    intake, tickets = kit_database("intake"), kit_database("tickets")
    sink = Sink(tickets)
    publish(intake, ["a", "b", "c", "d", "e"])
    stop = Watched(3)

    Consumer(consumption(sink, batch=2), tickets, log, clock=clock).run(stop)

    assert sink.seen == ["a", "b", "c", "d", "e"]
    first, second, last = stop.rests
    assert 0 < first <= 0.25
    assert 0 < second <= 0.25
    assert 0 <= last <= 0.04
