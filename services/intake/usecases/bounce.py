"""A delivery report reaches the delivery it is about; it opens no ticket."""

from __future__ import annotations

from dataclasses import replace

from services.intake import wire
from services.intake.domain.channel import Account
from services.intake.domain.contact import Inbound
from services.intake.domain.delivery import Delivery, State, may_follow
from services.intake.store import deliveries as store
from services.kit.uow import Event, Uow

SUPPRESS_FOR_S = 30 * 86400  # an address that came back may be mended


def apply_bounces(uow: Uow, account: Account, inbound: Inbound, now_us: int) -> list[Event]:
    """Marks the delivery bounced (a hard one) and stops automatic mail to the address; events to emit.

    A soft one, and a report about nothing of ours, changes nothing: the raw bytes are kept either way.
    """
    bounce = inbound.bounce
    if bounce is None:
        return []
    delivery = _subject_of(uow, account, bounce.delivery_id, bounce.message_id)
    if bounce.hard:
        for address in bounce.recipients[:50]:
            store.suppress(
                uow,
                brand_id=account.brand_id,
                address=address.strip().lower(),
                reason=bounce.reason or "the mail came back",
                until_us=now_us + SUPPRESS_FOR_S * 1_000_000,
            )
    if delivery is None or not bounce.hard or not may_follow(delivery.state, State.BOUNCED):
        return []
    changed = replace(
        delivery,
        state=State.BOUNCED,
        error=bounce.reason or "The mail came back.",
        failed_recipients=bounce.recipients[:50],
        changed_us=now_us,
        rev=uow.next_revs()[0],
    )
    store.save(uow, changed, before_rev=delivery.rev)
    return [wire.delivery_changed(changed)]


def _subject_of(uow: Uow, account: Account, delivery_id: str, message_id: str) -> Delivery | None:
    """By the id the channel read from our own signature, whatever brand's mailbox the report came to; else by Message-ID."""
    if delivery_id and (found := store.find(uow, delivery_id)) is not None:
        return found
    return store.find_by_external(uow, message_id, account.brand_id)
