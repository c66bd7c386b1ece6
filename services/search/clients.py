"""Calls to the owners: tickets and social. Whole pages when the index is rebuilt, recent ones while it is away."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from ascolto.social.v1 import service_pb2 as social
from ascolto.social.v1.service_pb2_grpc import SocialStub
from ascolto.tickets.v1 import service_pb2 as tickets
from ascolto.tickets.v1.service_pb2_grpc import TicketsStub
from services.kit.blobs import Blobs
from services.kit.errors import NotFound
from services.kit.principal import Person
from services.kit.rpc.caller import Caller
from services.search import wire
from services.search.domain.document import OF_A_TICKET, Change, Document, add_facts
from services.search.ports import Page

CALLS = ("tickets", "social")
_SCAN_S, _ASK_S = 30.0, 2.0


class GrpcOwners:
    """`ports.Owners` over the services' calls."""

    def __init__(self, caller: Caller, blobs: Blobs, *, tickets_at: grpc.Channel, social_at: grpc.Channel) -> None:
        self._caller, self._blobs = caller, blobs
        self._tickets, self._social = TicketsStub(tickets_at), SocialStub(social_at)

    def scan(self, what: str, after_rev: int, limit: int) -> Page:
        """Rows of `tickets`, `customers`, `mentions` or `interactions` with a rev above `after_rev`, in order."""
        if what == "mentions":
            wanted = social.ScanMentionsRequest(after_rev=after_rev, limit=limit)
            mentions = self._caller.invoke(self._social.ScanMentions, wanted, timeout_s=_SCAN_S)
            found = [wire.of_mention(mention) for mention in mentions.mentions]
            return Page(found, mentions.last_rev, mentions.done, mentions.total)
        request = tickets.ScanRequest(after_rev=after_rev, limit=limit)
        if what == "tickets":
            some = self._caller.invoke(self._tickets.ScanTickets, request, timeout_s=_SCAN_S)
            return Page([wire.of_ticket(ticket) for ticket in some.tickets], some.last_rev, some.done, some.total)
        if what == "customers":
            people = self._caller.invoke(self._tickets.ScanCustomers, request, timeout_s=_SCAN_S)
            changes = [wire.of_customer(customer) for customer in people.customers]
            return Page(changes, people.last_rev, people.done, people.total)
        return self._interactions(request)

    def _interactions(self, request: tickets.ScanRequest) -> Page:
        page = self._caller.invoke(self._tickets.ScanInteractions, request, timeout_s=_SCAN_S)
        changes: list[Change] = []
        for interaction in page.interactions:
            changes += wire.of_interaction(interaction, None, self._blobs)
        return Page(changes, page.last_rev, page.done, page.total)

    def recent(self, person: Person, words: Sequence[str], limit: int, *, newest: int = 0) -> list[Document]:
        """The newest messages that hold all words, from the store itself, for `person`. Raises `Unavailable`."""
        request = tickets.FindRecentRequest(words=words, limit=limit, newest=newest)
        answer = self._caller.invoke(self._tickets.FindRecent, request, person=person, timeout_s=_ASK_S)
        facts = {ticket.id: wire.facts_of(ticket) for ticket in answer.tickets}
        found = []
        for interaction in answer.interactions:
            for document in wire.documents(wire.of_interaction(interaction, None, self._blobs)):
                known = facts.get(document.ticket_id)
                if document.kind in OF_A_TICKET and not document.deleted:
                    found.append(add_facts(document, known) if known is not None else document)
        return found

    def ticket(self, person: Person, number: int) -> Document | None:
        """A ticket by its number, if `person` may see it. Raises `Unavailable`."""
        request = tickets.GetTicketRequest(number=number)
        try:
            answer = self._caller.invoke(self._tickets.GetTicket, request, person=person, timeout_s=_ASK_S)
        except NotFound:
            return None
        change = wire.of_ticket(answer.ticket)
        assert change.document is not None, "a ticket is a document"
        return add_facts(change.document, change.facts) if change.facts is not None else change.document
