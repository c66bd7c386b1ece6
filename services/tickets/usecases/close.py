"""Closes what stayed solved for its brand's days. Due rows, claimed by lock and checked again in the same transaction."""

from __future__ import annotations

from services.kit.uow import Event, Uow
from services.tickets.domain import ticket
from services.tickets.domain.ticket import State, Ticket
from services.tickets.store import acknowledgements, interactions, tickets
from services.tickets.usecases.change import event_row
from services.tickets.wire import events
from services.tickets.wire.values import unpack

_BATCH = 200
_DAY_US = 86_400_000_000


def close_solved(uow: Uow, *, now_us: int, ids: list[str]) -> int:
    """Closes up to 200 due tickets; returns how many, so that the caller goes on while there are more."""
    due = tickets.due_to_close(uow, now_us, _BATCH)
    out: list[Event] = []
    rows: list[interactions.NewRow] = []
    closed: list[Ticket] = []
    for on in tickets.lock(uow, due, unpack).values():
        if on.state is not State.SOLVED or not 0 < on.close_us <= now_us:
            continue
        ticket.close(on, now_us=now_us)
        on.rev = uow.next_revs()[0]
        happened = [ticket.Happened("state_changed", "solved", "closed")]
        rows += event_row(on, happened, who="system", name="", ids=[ids[len(closed)]], now_us=now_us)
        closed.append(on)
        out.append(events.ticket_changed(on))
    tickets.save(uow, closed)
    interactions.add(uow, rows)
    uow.emit(*out)
    return len(closed)


def forget_windows(uow: Uow, *, now_us: int) -> None:
    """Drops acknowledgement windows older than a month and quota counts older than a week."""
    acknowledgements.prune(uow, before_us=now_us - 31 * _DAY_US, day=now_us // _DAY_US - 7)
