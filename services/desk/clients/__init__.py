"""The desk's calls to the other services. Calls: intake, tickets, social, search; nobody calls the desk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.desk.clients.intake import IntakeClient
from services.desk.clients.operations import OperationsClient, Part
from services.desk.clients.search import SearchClient
from services.desk.clients.social import SocialClient
from services.desk.clients.tickets import TicketsClient

if TYPE_CHECKING:
    import grpc

    from services.kit.rpc import Caller

CALLS = frozenset({"intake", "tickets", "social", "search"})

__all__ = [
    "CALLS",
    "Clients",
    "IntakeClient",
    "OperationsClient",
    "Part",
    "SearchClient",
    "SocialClient",
    "TicketsClient",
]


@dataclass(frozen=True, slots=True)
class Clients:
    """All services the desk asks."""

    tickets: TicketsClient
    search: SearchClient
    social: SocialClient
    intake: IntakeClient
    operations: OperationsClient

    @classmethod
    def connect(cls, caller: Caller, channels: Mapping[str, grpc.Channel]) -> Clients:
        """Clients over the given channels, by service name."""
        return cls(
            tickets=TicketsClient(caller, channels["tickets"]),
            search=SearchClient(caller, channels["search"]),
            social=SocialClient(caller, channels["social"]),
            intake=IntakeClient(caller, channels["intake"]),
            operations=OperationsClient(caller, channels),
        )
