"""Deliveries: asked for, claimed, on the wire, ended. Each function is one transaction; times are microseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.intake import wire
from services.intake.domain.delivery import Delivery, State, gives_up, may_follow, resolved
from services.intake.ports import Receipt
from services.intake.store import deliveries as store
from services.kit.errors import Conflict, NotFound
from services.kit.uow import Uow

CLAIM_S = 120.0  # a send is bounded to 60 s; what takes longer hangs
AUTOMATIC_A_DAY = 5  # to one address of one brand: beyond it two machines are answering each other
_DAY_US = 86_400_000_000
LONGEST_UNDO_US = 30_000_000  # how long tickets may let a person change their mind


def request_deliveries(uow: Uow, wanted: Sequence[Delivery], *, now_us: int) -> None:
    """Queues what tickets asked for; a reply cancelled before it came, or known already, is not queued again."""
    ids = [one.reply_id for one in wanted]
    known, stopped = store.known_replies(uow, ids), store.cancelled_replies(uow, ids)
    fresh: list[Delivery] = []
    for one in wanted:
        if one.reply_id in known:
            continue
        known.add(one.reply_id)
        state = State.CANCELLED if one.reply_id in stopped else State.QUEUED
        fresh.append(replace(one, state=state, changed_us=now_us, rev=uow.next_revs()[0]))
    if fresh:
        store.add(uow, fresh)
        uow.emit(*(wire.delivery_changed(one) for one in fresh))


def claim(uow: Uow, *, epoch: int, now_us: int) -> Delivery | None:
    """Takes the first delivery that is due and first of its lane; None when there is none.

    Automatic mail to an address that came back, or beyond the day's limit, fails here and never leaves.
    """
    found = store.lock_claimable(uow, now_us)
    if found is None:
        return None
    if store.cancelled_replies(uow, [found.reply_id]):  # while it was being queued: neither saw the other
        _change(uow, found, state=State.CANCELLED, changed_us=now_us)
        return None
    if found.automatic and (stop := _stops_automatic(uow, found, now_us)):
        _change(uow, found, state=State.FAILED, error=stop, changed_us=now_us)
        return None
    ends_us = now_us + int(CLAIM_S * 1_000_000)
    claimed = replace(found, state=State.CLAIMED, epoch=epoch, claim_ends_us=ends_us, rev=uow.next_revs()[0])
    store.save(uow, claimed, before_rev=found.rev)
    return claimed


def _stops_automatic(uow: Uow, delivery: Delivery, now_us: int) -> str:
    if not delivery.recipient:
        return ""
    reason = store.suppressed(uow, brand_id=delivery.brand_id, address=delivery.recipient, now_us=now_us)
    if reason:
        return f"Not sent: automatic mail to this address is stopped ({reason})."
    if delivery.attempts:
        return ""
    count = store.count_automatic(uow, brand_id=delivery.brand_id, recipient=delivery.recipient, day=now_us // _DAY_US)
    return (
        "Not sent: too many automatic mails to this address today; it may be a machine."
        if count > AUTOMATIC_A_DAY
        else ""
    )


def begin(uow: Uow, claimed: Delivery, *, now_us: int) -> Delivery:
    """Marks it as on the wire: from here only evidence or a person decides. Raises `Conflict` when the claim was lost."""
    begun = replace(
        claimed, state=State.TRANSMITTING, attempts=claimed.attempts + 1, changed_us=now_us, rev=uow.next_revs()[0]
    )
    if not store.save(uow, begun, before_rev=claimed.rev):
        raise Conflict(f"Delivery {claimed.id} is no longer ours to send.")
    return begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended. `due_us` is set when it is tried again."""

    state: State
    external_id: str = ""
    error: str = ""
    due_us: int = 0
    refused: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    moved: Delivery | None = None  # to be sent by another account


def end(uow: Uow, begun: Delivery, outcome: Outcome, *, now_us: int) -> Delivery:
    """Writes how the attempt ended. Evidence that comes late still settles an `unknown`, nothing else."""
    current = store.find(uow, begun.id)
    if current is None:
        raise NotFound(f"There is no delivery {begun.id}.")
    late = current.rev != begun.rev
    if late and not (current.state is State.UNKNOWN and outcome.state in (State.SENT, State.DELIVERED)):
        return current
    if not may_follow(current.state, outcome.state):
        return current
    for address in outcome.gone:
        store.suppress(
            uow,
            brand_id=current.brand_id,
            address=address.lower(),
            reason=outcome.error or "the address does not exist",
            until_us=now_us + 30 * _DAY_US,
        )
    state, error = outcome.state, outcome.error
    if (
        state is State.QUEUED
        and current.state is State.TRANSMITTING
        and gives_up(requested_us=max(current.requested_us, 1), now_us=now_us)
    ):
        state, error = State.FAILED, f"Given up after 48 hours: {error}"
    target = outcome.moved or current
    return _change(
        uow,
        current,
        state=state,
        external_id=outcome.external_id or current.external_id,
        error=error,
        due_us=outcome.due_us if state is State.QUEUED else current.due_us,
        failed_recipients=outcome.refused or current.failed_recipients,
        account_id=target.account_id,
        channel=target.channel,
        recipient=target.recipient,
        request=target.request,
        changed_us=now_us,
    )


def sent(receipt: Receipt) -> Outcome:
    """The outcome of a receipt."""
    refused = f"Not accepted for {', '.join(receipt.refused)}." if receipt.refused else ""
    state = State.DELIVERED if receipt.delivered else State.SENT
    return Outcome(state=state, external_id=receipt.external_id, error=refused, refused=receipt.refused)


def recover(uow: Uow, *, epoch: int, now_us: int) -> int:
    """Frees what a sender that is gone, or hangs, holds: claimed ones wait again, those on the wire become `unknown`."""
    found = store.orphans(uow, epoch, now_us)
    for one in found:
        if one.state is State.CLAIMED:
            _change(uow, one, state=State.QUEUED, changed_us=now_us)
        else:
            lost = "The connection ended while it was being sent: nobody knows whether it arrived. Decide."
            _change(uow, one, state=State.UNKNOWN, error=lost, changed_us=now_us)
    return len(found)


def doubt_unsent(uow: Uow, *, now_us: int, limit: int = 500) -> int:
    """After a restore: whatever was about to be sent may have been sent since the backup, so a person decides.

    Returns how many; call it until that is 0.
    """
    found = store.unsent(uow, limit)
    for one in found:
        reason = "Restored from a backup: it may have been sent since. Decide."
        _change(uow, one, state=State.UNKNOWN, error=reason, changed_us=now_us)
    return len(found)


def cancel(uow: Uow, *, reply_id: str, now_us: int) -> tuple[bool, State]:
    """Stops a reply while it is queued, or before it has come here. False when it is too late."""
    found = store.find_by_reply(uow, reply_id)
    if found is None:
        store.add_tombstone(uow, reply_id, now_us)
        return True, State.CANCELLED
    if found.state is not State.QUEUED:
        return found.state is State.CANCELLED, found.state
    _change(uow, found, state=State.CANCELLED, changed_us=now_us)
    return True, State.CANCELLED


def resolve(
    uow: Uow, *, delivery_id: str, reply_id: str, decision: str, brand_ids: frozenset[str], now_us: int
) -> Delivery:
    """A person's decision about an unknown or failed delivery. Raises `NotFound`, `Conflict`."""
    found = store.find(uow, delivery_id) if delivery_id else store.find_by_reply(uow, reply_id)
    if found is None or (brand_ids and found.brand_id not in brand_ids):
        raise NotFound(f"There is no delivery {delivery_id or reply_id}.")
    state = resolved(found.state, decision)
    if state is found.state:
        return found
    requested_us = now_us if state is State.QUEUED else found.requested_us
    error = "" if state is not State.FAILED else "Given up by a colleague."
    due_us = now_us if state is State.QUEUED else found.due_us
    return _change(uow, found, state=state, error=error, due_us=due_us, requested_us=requested_us, changed_us=now_us)


def _change(uow: Uow, before: Delivery, **changes: object) -> Delivery:
    after = replace(before, rev=uow.next_revs()[0], **changes)  # type: ignore[arg-type]  # names and types are the fields'
    if not store.save(uow, after, before_rev=before.rev):
        raise Conflict(f"Delivery {before.id} changed meanwhile.")
    uow.emit(wire.delivery_changed(after))
    return after
