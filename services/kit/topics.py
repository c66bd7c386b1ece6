"""The topics of design page 5. `docs/reference/topics.md` is held against this and against each service's `wire.py`."""

CONTACTS = "ascolto.contacts.v1"
REPLIES = "ascolto.replies.v1"
DELIVERIES = "ascolto.deliveries.v1"
TICKETS = "ascolto.tickets.v1"
CUSTOMERS = "ascolto.customers.v1"
MENTIONS = "ascolto.mentions.v1"
ALERTS = "ascolto.alerts.v1"

PRODUCERS = {
    CONTACTS: "intake",
    DELIVERIES: "intake",
    REPLIES: "tickets",
    TICKETS: "tickets",
    CUSTOMERS: "tickets",
    MENTIONS: "social",
    ALERTS: "social",
}


def dead_letter_topic(topic: str) -> str:
    """Where a log shows copies of what consumers of `topic` parked."""
    return f"{topic}.dlq"
