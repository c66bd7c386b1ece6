"""One customer: who it is, what they have been through, and writing to them first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from services.desk.clients.base import moment
from services.desk.clients.messages import CustomerWithHistory
from services.desk.clients.tickets import state_word
from services.desk.i18n import Tongue
from services.desk.pages import rows, thread, ticket_view, words
from services.desk.pages.frame import Frame, brand_of
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.pages.views import Channel, Choice, Context
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import Conflict
from services.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class TicketLine:
    """One of the customer's tickets."""

    number: int
    subject: str
    channel: Channel
    state: str
    state_kind: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said, on any channel."""

    shape: str
    ours: bool
    author: str
    channel: str
    at: datetime
    text: str
    language: str
    number: int
    href: str


def routes(frame: Frame) -> APIRouter:
    """The addresses of customers."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/customers/{id}", dependencies=[needs("tickets:read")])
    def one(request: Request, me: Me, id: str, after: str = "") -> Response:
        tongue = frame.tongue(request, me)
        found = desk.clients.tickets.customer(me.person, id=id, after=after)
        person = _person(tongue, found)
        more = f"/customers/{id}?{urlencode({'after': found.next})}" if found.next else ""
        return frame.show(
            request, me, "customer.html", "customers", person.name, person=person, tickets=_tickets(tongue, found),
            tickets_total=found.tickets_total, timeline=_timeline(frame, tongue, found), next=more, ways=_ways(me, tongue, found),
        )  # fmt: skip

    def _ways(me: SignedIn, tongue: Tongue, found: CustomerWithHistory) -> list[Choice]:
        """Accounts by which one can write to somebody first: those whose answers go to an address the customer has."""
        if not any(one.kind == "email" for one in found.customer.identities):
            return []
        brands = set(found.customer.brand_ids)
        chosen = brand_of(me)
        return [
            Choice(one.id, f"{tongue.word('channel', one.channel)} {one.address}")
            for one in desk.directory.accounts(me.person)
            if one.capabilities.recipients and one.state != "off" and (not brands or one.brand_id in brands)
            and (not chosen or one.brand_id == chosen)
        ]  # fmt: skip

    @router.post("/customers/{id}", dependencies=[needs("tickets:write")])
    def change(request: Request, me: Me, form: Form, id: str) -> Response:
        tongue = frame.tongue(request, me)
        version = text_of(form, "version")
        try:
            desk.clients.tickets.change_customer(
                me.person, id=id, version=int(version) if version.isdigit() else 0, name=text_of(form, "name"),
                notes=text_of(form, "notes"),
            )  # fmt: skip
        except Conflict as error:
            return frame.back(request, f"/customers/{id}", {"text": error.message, "kind": "warning"})
        return frame.back(request, f"/customers/{id}", {"text": tongue.text("Saved.")})

    @router.post("/customers/{id}/tickets", dependencies=[needs("tickets:write")])
    def write_first(request: Request, me: Me, form: Form, id: str) -> Response:
        account_id = text_of(form, "account")
        account = next((one for one in desk.directory.accounts(me.person) if one.id == account_id), None)
        ticket = desk.clients.tickets.open_outgoing(
            me.person,
            customer_id=id,
            account_id=account_id,
            brand_id=account.brand_id if account else "",
            key=new_id("key"),
        )
        return frame.back(request, f"/tickets/{ticket.number}")

    return router


def _person(tongue: Tongue, found: CustomerWithHistory) -> Context:
    customer = found.customer
    name = plain(customer.name, 80) or next(
        (plain(one.value, 80) for one in customer.identities), tongue.text("Unknown")
    )
    return Context(
        customer_id=customer.id,
        name=name,
        facts=ticket_view.facts(tongue, customer, found.tickets_total or len(found.tickets)),
        identities=ticket_view.identities(tongue, customer),
        language=tongue.word("language", customer.language),
        notes=customer.notes,
        version=customer.version,
    )


def _tickets(tongue: Tongue, found: CustomerWithHistory) -> list[TicketLine]:
    made = []
    for one in found.tickets:
        state = state_word(one.state)
        subject = plain(one.subject or one.excerpt, 120) or tongue.text("(no subject)")
        at = moment(one, "changed_at") or moment(one, "opened_at")
        kind = words.STATE_KINDS.get(state, "")
        made.append(
            TicketLine(one.number, subject, rows.channel_of(tongue, one), tongue.word("state", state), kind, at)
        )
    return made


def _timeline(frame: Frame, tongue: Tongue, found: CustomerWithHistory) -> list[Said]:
    numbers = {one.id: one for one in found.tickets}
    made = []
    for one in found.interactions:
        if one.kind == "event":
            continue
        at = moment(one, "occurred_at") or moment(one, "recorded_at") or tongue.now
        ticket = numbers.get(one.ticket_id)
        author = plain(one.author.name or one.author.value, 80)
        if one.author_kind == "agent":
            author = frame.desk.directory.name(one.author_id) or author
        shape = "note" if one.kind == "note" else "message"
        href = f"/tickets/{ticket.number}#{one.id}" if ticket else f"/tickets/by/{one.ticket_id}"
        text = thread.excerpt(one.text)
        made.append(
            Said(shape, one.direction != 1, author, tongue.word("channel", one.channel), at, text, one.language,
                 ticket.number if ticket else 0, href)
        )  # fmt: skip
    return sorted(made, key=lambda said: said.at, reverse=True)
