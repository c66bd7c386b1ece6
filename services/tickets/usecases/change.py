"""Changes a ticket's fields, and takes the next one. Fields merge one by one; only the same field clashes."""

from __future__ import annotations

from collections.abc import Sequence

from services.kit.errors import Conflict, NotFound
from services.kit.uow import Uow
from services.tickets.domain import ticket
from services.tickets.domain.brand import Directory
from services.tickets.domain.ticket import Change, Happened, Ticket
from services.tickets.store import audit, interactions, lists, tickets
from services.tickets.usecases.common import Act, lock_ticket
from services.tickets.wire import events
from services.tickets.wire import interactions as wire
from services.tickets.wire.values import ticket as ticket_message


def event_row(
    on: Ticket, happened: Sequence[Happened], *, who: str, name: str, ids: Sequence[str], now_us: int
) -> list[interactions.NewRow]:
    """Rows of quiet lines in the thread for what happened; `on.rev` must be drawn already."""
    rows: list[interactions.NewRow] = []
    for one, interaction_id in zip(happened, ids, strict=False):
        on.interactions += 1
        written = wire.Written(
            id=interaction_id,
            kind="event",
            text="",
            author_kind="system" if who == "system" else "agent",
            author_id="" if who == "system" else who,
            author_name=name,
            event_name=one.name,
            data={"before": one.before, "after": one.after},
        )
        rows.append(
            wire.row(wire.of_written(written, on, seq=on.interactions, rev=on.rev, now_us=now_us), account_id="")
        )
    return rows


def change_ticket(
    uow: Uow, act: Act, *, ticket_id: str, seen: int, change: Change, directory: Directory, strict: bool = False
) -> Ticket:
    """Makes a person's change. Raises `Conflict` with the present ticket when a wanted field was changed since `seen`.

    With `strict`, whatever a person did since is a conflict. A change that changes nothing writes nothing. `act.ids` must hold an id for each field of `Change`.
    """
    on = lock_ticket(uow, ticket_id, act.person)
    clash = ticket.clashes(on, change, seen=seen, strict=strict)
    if clash:
        raise Conflict(
            f"Somebody changed {', '.join(clash)} of ticket {on.number} meanwhile: look at it again.",
            field=clash[0],
            detail=ticket_message(on).SerializeToString(),
            ticket_id=on.id,
        )
    brand = directory.brand(on.brand_id)
    happened = ticket.apply(on, change, now_us=act.now_us, close_after_us=brand.close_after_us)
    if happened:
        _record(uow, act, on, happened)
    return on


def _record(uow: Uow, act: Act, on: Ticket, happened: Sequence[Happened]) -> None:
    on.rev = uow.next_revs()[0]
    interactions.add(
        uow,
        event_row(on, happened, who=act.person.user_id, name=act.person.name, ids=act.ids, now_us=act.now_us),
    )
    if any(one.name == "tagged" for one in happened):
        tickets.put_tags(uow, on)
    tickets.save(uow, [on])
    said = "; ".join(f"{one.name}: {one.before} → {one.after}" for one in happened if one.name != "subject_changed")
    audit.add(uow, [act.entry("ticket.changed", on.id, said or "subject_changed")])
    uow.emit(events.ticket_changed(on))


def take_next(uow: Uow, act: Act, *, brand_id: str, teams: Sequence[str], user_id: str) -> Ticket:
    """Gives a person the unassigned ticket whose promise is due first. Raises `NotFound` when nothing waits."""
    for candidate in lists.next_unassigned(uow, act.person, brand_id=brand_id, teams=teams, limit=20):
        on = lock_ticket(uow, candidate, act.person)
        if on.assignee or on.state not in (ticket.State.NEW, ticket.State.OPEN):
            continue  # somebody was quicker
        happened = ticket.apply(on, Change(assignee=user_id), now_us=act.now_us, close_after_us=0)
        _record(uow, act, on, happened)
        return on
    raise NotFound("Nothing waits that nobody has taken.")
