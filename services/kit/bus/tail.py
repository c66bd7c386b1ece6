"""Reading as broadcast: every instance sees every record, no group, no position kept. Live pages read so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.kit.bus import Log, Record
from services.kit.clock import Clock

TWO_MINUTES = timedelta(minutes=2)


class Tail:
    """What was and is committed to some topics, beginning `back` from now; close it."""

    def __init__(
        self, log: Log, topics: Sequence[str], *, clock: Clock, back: timedelta = TWO_MINUTES, limit: int = 500
    ) -> None:
        self._limit = limit
        self._reading = log.follow(topics, clock.now() - back)

    def read(self, timeout_s: float) -> list[Record]:
        """What came since the last call, up to `limit` a part; waits up to `timeout_s` when there is nothing.

        Order holds within a partition alone; readers go by `rev`. Call it again while it returns records.
        """
        polled = self._reading.poll(self._limit, timeout_s)
        return [record for records in polled.values() for record in records]

    def close(self) -> None:
        """Ends the reading."""
        self._reading.close()
