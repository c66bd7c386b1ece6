"""The hot path costs the same number of statements whatever the number of contacts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from services.kit.clock import ManualClock
from services.kit.db.sql import Sql
from services.kit.uow import Event, Uow
from services.tickets.usecases.receive import receive_contacts
from services.tickets.wire.contacts import contact as read
from tests.tickets.world import World, amended, chat, contact, news, record


class Counting:
    """A transaction that counts what goes to the driver."""

    def __init__(self, inner: Uow) -> None:
        self._inner = inner
        self.statements = 0
        self.events: list[Event] = []

    def rows(self, statement: Sql, params: Any = None) -> Any:
        self.statements += 1
        return self._inner.rows(statement, params)

    def row(self, statement: Sql, params: Any = None) -> Any:
        self.statements += 1
        return self._inner.row(statement, params)

    def execute(self, statement: Sql, params: Any = None) -> int:
        self.statements += 1
        return self._inner.execute(statement, params)

    def execute_many(self, statement: Sql, rows: Iterable[Any]) -> int:
        self.statements += 1
        return self._inner.execute_many(statement, rows)

    def next_revs(self, count: int = 1) -> range:
        return self._inner.next_revs(count)

    def emit(self, *events: Event) -> None:
        self.events += events
        self._inner.emit(*events)


def statements(world: World, contacts: Sequence[Any]) -> int:
    arrived = [read(record(one), lambda _kind, _value: b"x") for one in contacts]
    directory, now_us = world.brands.directory(), int(world.clock.now().timestamp() * 1e6)

    def take(uow: Uow) -> int:
        counting = Counting(uow)
        receive_contacts(counting, arrived, directory=directory, now_us=now_us)
        return counting.statements

    take.rows = len(arrived)  # type: ignore[attr-defined]  # the kit's budget grows with it
    return world.database.write(take)


@pytest.mark.parametrize("kind", ["new", "known", "mail", "chat", "acknowledged"])
def test_a_hundred_contacts_take_as_many_statements_as_five(world: World, clock: ManualClock, kind: str) -> None:
    def some(count: int, mark: str) -> list[Any]:
        senders = [f"{mark}{n}@customers.example" for n in range(count)]
        if kind == "chat":
            return [chat(clock, sender) for sender in senders]
        if kind == "mail":
            return [contact(clock, sender=one, ancestors=[f"<{one}-a>", f"<{one}-b>"]) for one in senders]
        more: dict[str, Any] = {"threading": 3}
        if kind == "acknowledged":
            more |= {"acknowledge_by": "email", "verified": True}
        return [contact(clock, sender=one, **more) for one in senders]

    if kind == "known":
        world.take(*some(5, "a"), *some(100, "b"))

    few, many = statements(world, some(5, "a")), statements(world, some(100, "b"))

    assert few == many
    assert many <= 20


def test_a_whole_batch_of_mixed_kinds_is_one_commit(world: World, clock: ManualClock) -> None:
    one = chat(clock, external_id="m1")
    before = world.database.commits

    world.take(one, amended(one, "edited", "x", 5), contact(clock), contact(clock, threading=3))
    world.hear(news("int_none", 4, 1))

    assert world.database.commits - before <= 2
