"""Domain ↔ contract, and the list of what this service produces and consumes. The only place that builds messages."""

from __future__ import annotations

from services.kit import topics

PRODUCES = {
    topics.TICKETS: frozenset({"TicketOpened", "TicketChanged", "InteractionRecorded", "InteractionChanged"}),
    topics.CUSTOMERS: frozenset({"CustomerChanged"}),
    topics.REPLIES: frozenset({"ReplyRequested"}),
}
CONSUMES = {
    topics.CONTACTS: frozenset({"ContactReceived", "ContactAmended"}),
    topics.DELIVERIES: frozenset({"DeliveryChanged"}),
}
