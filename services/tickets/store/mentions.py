"""Who is named in a note of a ticket and has not written on it since."""

from __future__ import annotations

from collections.abc import Sequence

from services.kit.db.sql import Sql
from services.kit.uow import Uow

_ADD = Sql("INSERT INTO ticket_mentions (user_id, ticket_id) VALUES (:user_id, :ticket_id) ON CONFLICT DO NOTHING")
_ANSWER = Sql("DELETE FROM ticket_mentions WHERE user_id = :user_id AND ticket_id = :ticket_id")


def add(uow: Uow, ticket_id: str, user_ids: Sequence[str]) -> None:
    """Puts the ticket on the lists of those people."""
    if user_ids:
        uow.execute_many(_ADD, [{"user_id": one, "ticket_id": ticket_id} for one in user_ids])


def answer(uow: Uow, ticket_id: str, user_id: str) -> None:
    """Takes it off one's own."""
    uow.execute(_ANSWER, {"user_id": user_id, "ticket_id": ticket_id})
