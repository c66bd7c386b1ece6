"""Reading as broadcast: every instance sees every record, no group, no position kept. Live pages read so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.kit.bus import Log, Record
from services.kit.clock import Clock

TWO_MINUTES = timedelta(minutes=2)


class Tail:
    """What was and is committed to some topics, beginning `back` from now."""

    def __init__(
        self, log: Log, topics: Sequence[str], *, clock: Clock, back: timedelta = TWO_MINUTES, limit: int = 500
    ) -> None:
        self._log, self._topics, self._limit = log, tuple(topics), limit
        moment = clock.now() - back
        self._next = {
            (topic, partition): log.since(topic, partition, moment)
            for topic in topics
            for partition in log.partitions(topic)
        }
        self._seen = 0

    def read(self, timeout_s: float) -> list[Record]:
        """What came since the last call, up to `limit` a partition; waits up to `timeout_s` when there is nothing.

        Order holds within a partition alone; readers go by `rev`. Call it again while it returns records.
        """
        if records := self._step():
            return records
        self._seen = self._log.wait(self._topics, self._seen, timeout_s)
        return self._step()

    def _step(self) -> list[Record]:
        found: list[Record] = []
        for (topic, partition), position in self._next.items():
            start = max(position, self._log.begin(topic, partition))  # who slept past the pruning reloads
            records = self._log.read(topic, partition, start, self._limit)
            self._next[topic, partition] = records[-1].offset + 1 if records else start
            found.extend(records)
        return found
