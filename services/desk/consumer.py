"""The topics as the live feed sees them: each record becomes the name of what changed. No group, no position."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing

from google.protobuf.message import DecodeError

from ascolto.common.v1.envelope_pb2 import MODE_LIVE, Envelope
from ascolto.intake.v1.events_pb2 import DeliveryChanged
from ascolto.social.v1.events_pb2 import MentionSeen
from ascolto.tickets.v1.events_pb2 import DIRECTION_IN, STATE_SPAM, InteractionRecorded
from services.desk.domain.roles import MENTIONS_READ, TICKETS_READ
from services.desk.live.feed import Call, Change, LiveFeed
from services.desk.live.presence import Presence
from services.desk.wire import CONSUMES
from services.kit import topics
from services.kit.bus import Log, Record
from services.kit.bus.tail import Tail
from services.kit.clock import Clock
from services.kit.log import logger

_PACE_S = 0.1  # between two looks while much happens: pages ask for what changed twice a second at most
_WAIT_S = 0.3  # how soon the loop stops
_LOOK_S = 1.0  # how often it looks who is there


def changes_of(record: Record, *, begun_s: float = 0) -> Sequence[Change]:
    """What viewers are told of one record; nothing for kinds this version does not know. What came before `begun_s` rings nobody."""
    if record.kind not in CONSUMES.get(record.topic, frozenset()):
        return ()
    envelope = record.envelope
    fresh = envelope.mode == MODE_LIVE and envelope.received_at.seconds >= begun_s
    if record.topic == topics.TICKETS:
        name = envelope.key or envelope.aggregate_id
        call = _call(envelope) if fresh else None
        kind = "ticket_named" if call and call.named else "ticket"
        return (Change(kind, name, envelope.rev, envelope.brand_id, TICKETS_READ, call),)
    if record.topic == topics.ALERTS:
        call = Call(alert=True) if fresh and record.kind == "AlertRaised" else None
        return (Change("alert", envelope.aggregate_id, envelope.rev, envelope.brand_id, MENTIONS_READ, call),)
    if record.topic == topics.DELIVERIES:
        delivery = DeliveryChanged.FromString(envelope.payload).delivery
        return (Change("delivery", delivery.ticket_id, envelope.rev, envelope.brand_id, TICKETS_READ),)
    return _mention(envelope)


def _call(envelope: Envelope) -> Call | None:
    """What a customer says calls, and a note whom it names: nothing automatic, nothing else of ours."""
    if envelope.kind != "InteractionRecorded":
        return None
    recorded = InteractionRecorded.FromString(envelope.payload)
    said, ticket = recorded.interaction, recorded.ticket
    if said.mentioned:
        return Call(named=tuple(said.mentioned))
    if said.direction != DIRECTION_IN or said.automatic or ticket.state == STATE_SPAM:
        return None
    return Call(ticket.assignee, ticket.team, chat=ticket.capabilities.live)


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
        begun_s = int(self._clock.now().timestamp())  # the two minutes before are read for gaps, not to be heard again
        with closing(Tail(self._log, tuple(CONSUMES), clock=self._clock)) as tail:
            looked = float("-inf")
            while not stop.is_set():
                self._step(tail, begun_s, stop)
                if self._clock.monotonic() - looked >= _LOOK_S:
                    looked = self._clock.monotonic()
                    self._presence.refresh()

    def _step(self, tail: Tail, begun_s: int, stop: threading.Event) -> None:
        found: list[Change] = []
        for record in tail.read(_WAIT_S):
            try:
                found.extend(changes_of(record, begun_s=begun_s))
            except DecodeError as error:
                self._logger.warning("live.unreadable", topic=record.topic, offset=record.offset, reason=str(error))
        self._feed.put(found)
        if found:
            stop.wait(_PACE_S)
