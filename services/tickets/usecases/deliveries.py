"""Brings answers up to date with their sending. Only a newer revision counts, so order and repeats do not matter."""

from __future__ import annotations

from collections.abc import Sequence

from services.kit.uow import Event, Params, Uow
from services.tickets.domain import ticket
from services.tickets.domain.threads import OURS
from services.tickets.domain.ticket import NEVER, State
from services.tickets.store import interactions, tickets
from services.tickets.wire import events
from services.tickets.wire import interactions as wire
from services.tickets.wire.contacts import DeliveryNews, bare_id
from services.tickets.wire.values import unpack

_FAILED, _BOUNCED, _UNKNOWN, _CANCELLED = 7, 8, 9, 10  # delivery states of the contract
_TROUBLE = {_FAILED, _BOUNCED, _UNKNOWN}


def apply_deliveries(uow: Uow, news: Sequence[DeliveryNews], *, now_us: int) -> int:
    """Applies the newest of each; returns how many answers changed. What we did not write is left alone."""
    newest: dict[str, DeliveryNews] = {}
    for one in news:
        if one.reply_id not in newest or newest[one.reply_id].rev < one.rev:
            newest[one.reply_id] = one
    homes = {kept.ticket_id for kept in interactions.get(uow, newest).values()}
    locked = tickets.lock(uow, homes, unpack)
    current = {key: kept for key, kept in interactions.get(uow, newest).items() if newest[key].rev > kept.delivery_rev}
    if not current:
        return 0
    out: list[Event] = []
    rows: list[Params] = []
    ids: list[Params] = []
    cancelled: list[tuple[str, str, int]] = []
    for (key, kept), rev in zip(current.items(), uow.next_revs(len(current)), strict=True):
        one = newest[key]
        on = locked[kept.ticket_id]
        interaction = wire.parse(kept.data)
        wire.deliver(interaction, one)
        on.rev = rev
        on.version += 1
        if one.state in _TROUBLE or kept.delivery_state in _TROUBLE:
            on.delivery_trouble = one.state in _TROUBLE
        rows.append(wire.saved(interaction, rev=rev, delivery_rev=one.rev))
        if one.external_id:
            ids.append(
                {
                    "message_id": bare_id(one.external_id),
                    "ticket_id": on.id,
                    "brand_id": on.brand_id,
                    "how": OURS,
                }
            )
        if one.state == _CANCELLED and kept.delivery_state != _CANCELLED and kept.kind == "message":
            cancelled.append((on.id, key, wire.state_before(interaction)))
        out.append(events.interaction_changed(interaction, on))
    interactions.save(uow, rows)
    for ticket_id, interaction_id, before in cancelled:
        on = locked[ticket_id]
        ticket.unanswered(
            on,
            interaction_id=interaction_id,
            waiting_us=interactions.waiting_since(uow, ticket_id) or NEVER,
            state_before=State(before) if before and on.last_interaction_id == interaction_id else None,
        )
        on.changed_us = now_us
        on.rev = uow.next_revs()[0]
        out.append(events.ticket_changed(on))
    tickets.put_message_ids(uow, ids)
    tickets.save(uow, locked.values())
    uow.emit(*out)
    return len(rows)
