"""Topics → use cases: the detector listens to our own mentions."""

from __future__ import annotations

from collections.abc import Sequence

from ascolto.social.v1.events_pb2 import MentionSeen
from services.kit import topics
from services.kit.app import Consumption
from services.kit.bus import Record
from services.kit.clock import Clock
from services.kit.uow import Mode, Uow
from services.social.store import mentions
from services.social.usecases.detect import Heard, detect


def consumptions(clock: Clock) -> list[Consumption]:
    """What this service reads."""

    def hear(records: Sequence[Record], uow: Uow) -> None:
        seen = [
            (envelope := record.envelope, MentionSeen.FromString(envelope.payload).mention.id) for record in records
        ]
        rows = mentions.find_mentions(uow, [own for _, own in seen])
        heard = [Heard(rows[own], Mode(envelope.mode)) for envelope, own in seen if own in rows]
        detect(uow, heard, clock)

    return [
        Consumption(
            group="social-detect",
            topic=topics.MENTIONS,
            kinds=frozenset({"MentionSeen"}),
            ignored=frozenset({"MentionScored", "MentionRemoved"}),
            handle=hear,
            batch=200,
        )
    ]
