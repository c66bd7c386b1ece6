"""The product with a defect put in on purpose: what the oracle must see. Run as `python -m tests.faults.broken DEFECT run`.

`early-position`: a consumer stores its position before the effect, in a transaction of its own.
`early-ack`: the hook answers before the commit. `skipped-outbox`: some events are never written.
`skipped-inbox`: nobody remembers what was applied.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from services.__main__ import main
from services.intake.domain.contact import Accepted
from services.intake.usecases.prepare import Prepared
from services.intake.web import hooks
from services.kit import consume, crash
from services.kit.bus import Record
from services.kit.db.postgres_uow import PostgresUow
from services.kit.db.sqlite_uow import SqliteUow
from services.kit.inbox import Place, keep_unapplied, move_all
from services.kit.uow import Uow


def early_position() -> None:
    """Breaks the rule that position and effect are one transaction."""
    apply = consume.Consumer._apply

    def with_position_first(self: Any, records: Sequence[Record]) -> None:
        following = {record.partition: record.offset + 1 for record in records}
        moves = [
            (Place(self.consumption.group, self.consumption.topic, part), self._next[part], offset)
            for part, offset in following.items()
        ]
        self._database.write(lambda uow: move_all(uow, moves, self.now_us()))
        apply(self, records)

    def effect_alone(self: Any, uow: Uow) -> None:
        consumption = self._consumer.consumption
        wanted = [record for record in self._records if record.kind in consumption.kinds]
        if wanted := keep_unapplied(uow, consumption.group, wanted, self._consumer.now_us()):
            consumption.handle(wanted, uow)
        crash.point(self._consumer.before_commit)

    consume.Consumer._apply = with_position_first  # type: ignore[method-assign]  # the defect
    consume._Batch.__call__ = effect_alone  # type: ignore[method-assign]  # the defect


def early_ack() -> None:
    """Breaks the rule that a 202 comes after the commit: the answer leaves, the contact waits in memory."""

    async def accept(self: Any, prepared: Prepared) -> Accepted:
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, lambda: loop.create_task(original(self, prepared)))
        return Accepted(prepared.raw_id)

    original = hooks.Coalescer.accept
    hooks.Coalescer.accept = accept  # type: ignore[method-assign]  # the defect


def skipped_outbox() -> None:
    """Breaks the rule that an event is written with its effect: one call in five writes none."""
    for kind in (SqliteUow, PostgresUow):
        kind.emit = _forgetful(kind.emit, count(1))  # type: ignore[method-assign]  # the defect


def _forgetful(emit: Any, numbers: Iterator[int]) -> Any:
    def now_and_then(self: Any, *events: Any) -> None:
        if next(numbers) % 5:
            emit(self, *events)

    return now_and_then


def skipped_inbox() -> None:
    """Breaks the rule that what was applied is known and left out."""
    consume.keep_unapplied = lambda _uow, _group, records, _now_us: list(records)


DEFECTS = {
    "early-position": early_position,
    "early-ack": early_ack,
    "skipped-outbox": skipped_outbox,
    "skipped-inbox": skipped_inbox,
}

if __name__ == "__main__":
    DEFECTS[sys.argv.pop(1)]()
    sys.exit(main())
