"""gRPC → use case. One class, split by subject."""

from services.tickets.rpc.service import TicketsService

__all__ = ["TicketsService"]
