"""Canned answers for one ticket: those that fit, their variables filled; what has no value stays in double braces."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.desk.clients.messages import TicketWithInteractions
from services.desk.context import Desk
from services.desk.pages.frame import brand_of
from services.desk.usecases.sessions import SignedIn

_VARIABLE = re.compile(r"\{\{\s*([a-z_.]+)\s*\}\}")  # {{customer.name}}, spaces inside allowed


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables filled."""
    return _VARIABLE.sub(lambda found: values.get(found[1]) or found[0], text)


def answers(desk: Desk, me: SignedIn, found: TicketWithInteractions, query: str) -> list[dict[str, str]]:
    """Title and filled text of the eight answers that fit best, in the ticket's language where it exists."""
    ticket = found.ticket
    name = found.customer.name or ticket.customer_name
    values = {
        "customer.name": name,
        "customer.first_name": name.split(" ")[0] if name else "",
        "ticket.number": str(ticket.number),
        "ticket.subject": ticket.subject,
        "agent.name": me.user.name,
        "brand.name": desk.directory.brand_name(ticket.brand_id),
        "order.number": ticket.order_number,
    }
    listed = desk.clients.tickets.canned(
        me.person,
        brand_id=ticket.brand_id or brand_of(me),
        query=query,
        language=ticket.language,
        channel=ticket.channel,
    )
    made = []
    for one in listed.answers:
        language = (
            ticket.language if one.texts.get(ticket.language) else next((k for k, v in one.texts.items() if v), "")
        )
        if language:
            suffix = f" ({language})" if language != ticket.language else ""
            made.append({"label": f"{one.title}{suffix}", "text": fill(one.texts[language], values)})
    return made[:8]
