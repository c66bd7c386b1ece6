"""The topics as the live feed sees them: each record becomes the name of what changed. No group, no position."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from ascolto.common.v1.envelope_pb2 import Envelope
from ascolto.intake.v1.events_pb2 import DeliveryChanged
from ascolto.social.v1.events_pb2 import MentionSeen
from services.desk.domain.roles import MENTIONS_READ, TICKETS_READ
from services.desk.live.feed import Change, LiveFeed
from services.desk.live.presence import Presence
from services.desk.wire import CONSUMES
from services.kit import topics
from services.kit.bus import Log, Record
from services.kit.bus.tail import Tail
from services.kit.clock import Clock
from services.kit.log import logger

_PACE_S = 0.1  # between two looks while much happens: pages ask for what changed twice a second at most
_WAIT_S = 0.3  # how often absent people are looked for, and how soon the loop stops


def changes_of(record: Record) -> Sequence[Change]:
    """What viewers are told of one record; nothing for kinds this version does not know."""
    if record.kind not in CONSUMES.get(record.topic, frozenset()):
        return ()
    envelope = record.envelope
    if record.topic == topics.TICKETS:
        return (Change("ticket", envelope.key or envelope.aggregate_id, envelope.rev, envelope.brand_id, TICKETS_READ),)
    if record.topic == topics.ALERTS:
        return (Change("alert", envelope.aggregate_id, envelope.rev, envelope.brand_id, MENTIONS_READ),)
    if record.topic == topics.DELIVERIES:
        delivery = DeliveryChanged.FromString(envelope.payload).delivery
        return (Change("delivery", delivery.ticket_id, envelope.rev, envelope.brand_id, TICKETS_READ),)
    return _mention(envelope)


def _mention(envelope: Envelope) -> Sequence[Change]:
    brands = MentionSeen.FromString(envelope.payload).mention.brand_ids  # the three events have this field alike
    return [
        Change("mention", envelope.aggregate_id, envelope.rev, brand, MENTIONS_READ)
        for brand in (brands or [envelope.brand_id])
    ]


class Listener:
    """The loop that fills the feed, from two minutes ago on."""

    name = "desk-live"

    def __init__(self, log: Log, feed: LiveFeed, presence: Presence, *, clock: Clock) -> None:
        self._log, self._feed, self._presence, self._clock = log, feed, presence, clock
        self._logger = logger("desk")

    def run(self, stop: threading.Event) -> None:
        """Reads until `stop`; what cannot be parsed is said in the log and passed over."""
        tail = Tail(self._log, tuple(CONSUMES), clock=self._clock)
        while not stop.is_set():
            found: list[Change] = []
            for record in tail.read(_WAIT_S):
                try:
                    found.extend(changes_of(record))
                except DecodeError as error:
                    self._logger.warning("live.unreadable", topic=record.topic, offset=record.offset, reason=str(error))
            self._feed.put(found)
            self._presence.sweep()
            if found:
                stop.wait(_PACE_S)
