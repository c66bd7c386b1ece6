"""From topics to use cases: replies asked for by tickets become deliveries."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.intake import wire
from services.intake.domain.delivery import Delivery
from services.intake.usecases.deliver import LONGEST_UNDO_US, request_deliveries
from services.kit import topics
from services.kit.app import Consumption
from services.kit.bus import Record
from services.kit.clock import Clock
from services.kit.ids import new_id
from services.kit.uow import Uow


def consumptions(clock: Clock, letters: Collection[str]) -> list[Consumption]:
    """What intake reads. `letters`: channels whose answers name their recipients and stand for themselves."""

    def handle(records: Sequence[Record], uow: Uow) -> None:
        now_us = int(clock.now().timestamp() * 1_000_000)
        request_deliveries(uow, [_delivery(record, now_us, letters) for record in records], now_us=now_us)

    return [
        Consumption(
            group="intake.replies",
            topic=topics.REPLIES,
            kinds=frozenset(wire.CONSUMES[topics.REPLIES]),
            handle=handle,
        )
    ]


def _delivery(record: Record, now_us: int, letters: Collection[str]) -> Delivery:
    data = record.envelope.payload
    request = wire.reply_request(data)
    first = next((one.value for one in request.to if one.kind == "email"), "")
    # Two letters to one address are two conversations: one of unknown fate must not hold up the other ticket's.
    conversation = "" if request.channel in letters else request.conversation
    return Delivery(
        id=new_id("dlv"),
        reply_id=request.reply_id,
        ticket_id=request.ticket_id,
        brand_id=request.brand_id,
        account_id=request.account_id,
        channel=request.channel,
        conversation=request.conversation,
        lane=f"{request.account_id}|{conversation or request.ticket_id}",
        due_us=min(request.not_before.ToMicroseconds(), now_us + LONGEST_UNDO_US),  # the asker's clock may be ahead
        requested_us=int(request.requested_at.ToMicroseconds()) if request.HasField("requested_at") else now_us,
        recipient=first.strip().lower(),
        automatic=request.automatic,
        request=data,
    )
