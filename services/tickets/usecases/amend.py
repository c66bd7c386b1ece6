"""Applies customers' edits, deletions and reactions. What comes before its contact is parked and applied with it."""

from __future__ import annotations

from collections.abc import Sequence

from services.kit.uow import Event, Params, Uow
from services.tickets.store import interactions, tickets
from services.tickets.wire import events
from services.tickets.wire import interactions as wire
from services.tickets.wire.contacts import Amendment
from services.tickets.wire.values import unpack


def amend_interactions(uow: Uow, amendments: Sequence[Amendment], *, now_us: int) -> int:
    """Applies each to the interactions it names; returns how many changed. Any order, any repeat: one outcome."""
    keys = {(one.account_id, one.external_id) for one in amendments}
    found = interactions.by_external(uow, keys)
    locked = tickets.lock(uow, {kept.ticket_id for several in found.values() for kept in several}, unpack)
    # Read again under the lock: a delivery or another amendment may have been quicker.
    found = interactions.by_external(uow, keys) if locked else found
    live = {kept.id: wire.parse(kept.data) for several in found.values() for kept in several}
    state = {kept.id: kept for several in found.values() for kept in several}
    changed: dict[str, None] = {}
    parked: list[Params] = []
    for one in amendments:
        key = interactions.parent_key(one.account_id, one.external_id)
        if key not in found:
            parked.append(
                {"id": one.id, "parent_key": key, "act": one.act, "text": one.text, "occurred_us": one.occurred_us}
            )
            continue
        for kept in found[key]:
            if wire.amend(live[kept.id], one.act, one.text, one.occurred_us):
                changed[kept.id] = None
    interactions.park(uow, parked)
    out: list[Event] = []
    rows: list[Params] = []
    for interaction_id, rev in zip(changed, uow.next_revs(len(changed)) if changed else (), strict=True):
        kept = state[interaction_id]
        interaction = live[interaction_id]
        on = locked[kept.ticket_id]
        on.rev = rev
        on.version += 1
        on.changed_us = now_us
        if on.last_interaction_id == interaction_id:
            on.excerpt = wire.last_words(interaction)
        rows.append(wire.saved(interaction, rev=rev, delivery_rev=kept.delivery_rev))
        out.append(events.interaction_changed(interaction, on))
    interactions.save(uow, rows)
    if changed:
        tickets.save(uow, [locked[key] for key in {state[one].ticket_id for one in changed}])
    uow.emit(*out)
    return len(changed)
