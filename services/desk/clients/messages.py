"""Names for the contract's messages that pages and use cases hand on without making any."""

from __future__ import annotations

from ascolto.common.v1.envelope_pb2 import Blob
from ascolto.common.v1.operations_pb2 import DeadLetter, HealthResponse
from ascolto.intake.v1.service_pb2 import AcceptContactsResponse, Accepted, Account, Brand, NewContact
from ascolto.search.v1.service_pb2 import FindResponse, Hit
from ascolto.social.v1.events_pb2 import Alert, Mention
from ascolto.social.v1.service_pb2 import AlertDetail, MentionDetail
from ascolto.tickets.v1.events_pb2 import Customer, Interaction, Ticket
from ascolto.tickets.v1.service_pb2 import CustomerWithHistory, ReplyResponse, TicketWithInteractions
from ascolto.tickets.v1.service_pb2 import UnseenInteractions as Unseen

__all__ = [
    "AcceptContactsResponse",
    "Accepted",
    "Account",
    "Alert",
    "AlertDetail",
    "Blob",
    "Brand",
    "Customer",
    "CustomerWithHistory",
    "DeadLetter",
    "FindResponse",
    "HealthResponse",
    "Hit",
    "Interaction",
    "Mention",
    "MentionDetail",
    "NewContact",
    "ReplyResponse",
    "Ticket",
    "TicketWithInteractions",
    "Unseen",
]
