"""Where a group is in the log, kept in its consumer's own database; what both kinds of consumers ask."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from services.kit.bus import Log, Part
from services.kit.db.sql import Sql
from services.kit.ids import made_at
from services.kit.inbox import Place
from services.kit.uow import Database, Uow

_KNOWN = Sql("SELECT topic, part, next_offset FROM positions WHERE group_name = :group")


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far a group is behind: offsets, and the age of the oldest record not read."""

    position: int
    end: int
    age_s: float


class Positions:
    """The positions of one group. Called with parts, it tells the next offset of each."""

    def __init__(self, group: str, database: Database, log: Log, *, now_us: Callable[[], int]) -> None:
        self._group, self._database, self._log, self._now_us = group, database, log, now_us

    def __call__(self, parts: Collection[Part]) -> dict[Part, int]:
        """The next offset of each part; one never read before is registered at the log's begin, in one transaction."""
        known = self.known()
        if missing := [part for part in parts if part not in known]:
            bounds = {topic: self._log.bounds(topic) for topic in {part.topic for part in missing}}
            begins = {part: bounds[part.topic][part].begin for part in missing}
            now_us = self._now_us()

            def register(uow: Uow) -> None:
                for part, begin in begins.items():
                    Place(self._group, part.topic, part.partition).register(uow, begin, now_us)

            self._database.write(register)
            known = self.known()  # another member may have registered it first, and moved on
        return {part: known[part] for part in parts}

    def backlog(self, topic: str, now: datetime) -> Backlog:
        """What the group has not read of a topic, its parts added up. Raises what asking the log or the database does."""
        known, bounds = self.known(), self._log.bounds(topic)
        at = {part: known.get(part, found.begin) for part, found in bounds.items()}
        waiting = self._log.first({part: offset for part, offset in at.items() if offset != bounds[part].end})
        position, end, age_s = 0, 0, 0.0
        for part, offset in at.items():
            record = waiting.get(part)
            position += record.offset if record else offset  # on the local log other topics use offsets too
            end += max(bounds[part].end, record.offset + 1) if record else offset
            if record:
                age_s = max(age_s, (now - made_at(record.event_id)).total_seconds())
        return Backlog(position, end, age_s)

    def known(self) -> dict[Part, int]:
        """All positions of the group."""
        with self._database.read() as reader:
            rows = reader.rows(_KNOWN, {"group": self._group})
        return {Part(str(topic), int(part or 0)): int(offset or 0) for topic, part, offset in rows}
