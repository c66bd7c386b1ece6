"""The contract's messages as JSON of the REST API, and its bodies as messages."""

from __future__ import annotations

from services.kit import topics

CONSUMES = {
    topics.TICKETS: frozenset({"TicketOpened", "TicketChanged", "InteractionRecorded", "InteractionChanged"}),
    topics.MENTIONS: frozenset({"MentionSeen", "MentionScored", "MentionRemoved"}),
    topics.ALERTS: frozenset({"AlertRaised", "AlertChanged"}),
    topics.DELIVERIES: frozenset({"DeliveryChanged"}),
}
