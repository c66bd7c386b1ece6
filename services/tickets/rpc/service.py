"""The servicer: methods about customers, canned answers, audit and the index's rebuild; those on tickets beside it."""

from __future__ import annotations

from collections.abc import Sequence

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.tickets.v1 import service_pb2 as pb
from ascolto.tickets.v1.events_pb2 import Customer as CustomerMessage
from ascolto.tickets.v1.events_pb2 import Interaction
from ascolto.tickets.v1.service_pb2_grpc import TicketsServicer
from services.kit.errors import Invalid
from services.kit.principal import Person
from services.kit.rpc import person_of
from services.kit.uow import Reader
from services.tickets.domain.ticket import Ticket
from services.tickets.rpc.base import limit_of
from services.tickets.rpc.tickets import TicketMethods
from services.tickets.store import audit, customers, interactions, lists, tickets
from services.tickets.store.canned import Canned
from services.tickets.usecases import canned, read
from services.tickets.usecases.customers import change_customer, find_customers
from services.tickets.wire import values

_MAX_SCAN = 1000
_SCAN_BYTES = 3_000_000  # a page of the rebuild stays under the 4 MiB of a message


class TicketsService(TicketMethods, TicketsServicer):
    """`ascolto.tickets.v1.Tickets`."""

    def GetCustomer(self, request: pb.GetCustomerRequest, context: object) -> pb.CustomerWithHistory:
        """A customer with identities and history."""
        person = person_of(context)
        with self.database.read() as reader:
            found = read.get_customer(
                reader,
                person,
                request.id,
                after=request.page.after,
                limit=limit_of(request.page.limit),
                now_us=self.now_us(),
            )
        self.saw(person, "customer.seen", found.customer.id)
        return pb.CustomerWithHistory(
            customer=values.customer(found.customer),
            tickets=[values.ticket(one, customer_name=found.customer.name) for one in found.tickets],
            interactions=[Interaction.FromString(one.data) for one in found.interactions],
            next=found.following,
            tickets_total=found.total,
        )

    def GetCustomers(self, request: pb.GetCustomersRequest, context: object) -> pb.GetCustomersResponse:
        """Up to 200 by id."""
        if len(request.ids) > 200:
            raise Invalid("Ask for 200 customers at most.", field="ids")
        with self.database.read() as reader:
            found = find_customers(reader, person_of(context), list(request.ids))
        return pb.GetCustomersResponse(customers=[values.customer(one) for one in found])

    def ChangeCustomer(self, request: pb.ChangeCustomerRequest, context: object) -> CustomerMessage:
        """Changes name, notes or language."""
        act = self.act(person_of(context))
        customer = self.database.write(
            lambda uow: change_customer(
                uow,
                act,
                customer_id=request.id,
                version=request.version,
                name=request.name if request.HasField("name") else None,
                notes=request.notes if request.HasField("notes") else None,
                language=request.language if request.HasField("language") else None,
            )
        )
        return values.customer(customer)

    def ListCannedAnswers(self, request: pb.ListCannedAnswersRequest, context: object) -> pb.ListCannedAnswersResponse:
        """Those that fit, best first."""
        with self.database.read() as reader:
            found = canned.list_canned_answers(
                reader,
                person_of(context),
                brand_id=request.brand_id,
                query=request.query,
                language=request.language,
                channel=request.channel,
            )
        return pb.ListCannedAnswersResponse(answers=[_canned_message(one) for one in found])

    def PutCannedAnswer(self, request: pb.CannedAnswer, context: object) -> pb.CannedAnswer:
        """Makes or replaces one."""
        act = self.act(person_of(context), "can")

        return _canned_message(self.database.write(lambda uow: canned.put_canned_answer(uow, act, _canned(request))))

    def DeleteCannedAnswer(self, request: pb.DeleteCannedAnswerRequest, context: object) -> Empty:
        """Removes one."""
        act = self.act(person_of(context))
        self.database.write(
            lambda uow: canned.delete_canned_answer(uow, act, answer_id=request.id, version=request.version)
        )
        return Empty()

    def ListTags(self, request: Empty, context: object) -> pb.ListTagsResponse:
        """Tags in use in the caller's brands."""
        with self.database.read() as reader:
            return pb.ListTagsResponse(tags=tickets.tags(reader, person_of(context).brand_ids))

    def ListAudit(self, request: pb.ListAuditRequest, context: object) -> pb.ListAuditResponse:
        """Who saw and changed what, newest first."""
        limit = limit_of(request.page.limit)
        before = str(lists.decode(request.page.after, 1)[0]) if request.page.after else ""
        with self.database.read() as reader:
            found = audit.page(
                reader, object_id=request.object_id, user_id=request.user_id, before=before, limit=limit + 1
            )
        entries = [
            pb.AuditEntry(
                id=one.id,
                at=values.stamp(one.at_us),
                user_id=one.user_id,
                act=one.act,
                object_id=one.object_id,
                detail=one.detail,
            )
            for one in found[:limit]
        ]
        return pb.ListAuditResponse(entries=entries, next=lists.encode([entries[-1].id]) if len(found) > limit else "")

    def ScanInteractions(self, request: pb.ScanRequest, context: object) -> pb.ScanInteractionsResponse:
        """A page of interactions, by rev."""
        limit = _scan_limit(request)
        with self.database.read() as reader:
            rows = interactions.scan(reader, request.after_rev, limit)
            total = 0 if request.after_rev else interactions.count(reader)
            kept: list[interactions.Kept] = []
            size = 0
            for row in rows:
                size += len(row.data)
                if kept and size > _SCAN_BYTES:
                    break
                kept.append(row)
        return pb.ScanInteractionsResponse(
            interactions=[Interaction.FromString(row.data) for row in kept],
            last_rev=kept[-1].rev if kept else request.after_rev,
            done=len(kept) == len(rows) < limit,
            total=total,
        )

    def ScanTickets(self, request: pb.ScanRequest, context: object) -> pb.ScanTicketsResponse:
        """A page of tickets, by rev."""
        limit = _scan_limit(request)
        with self.database.read() as reader:
            found = [tickets.of_row(row, values.unpack) for row in lists.scan(reader, request.after_rev, limit)]
            total = 0 if request.after_rev else lists.count_all(reader)
        return pb.ScanTicketsResponse(
            tickets=list(map(values.ticket, found)),
            last_rev=found[-1].rev if found else request.after_rev,
            done=len(found) < limit,
            total=total,
        )

    def ScanCustomers(self, request: pb.ScanRequest, context: object) -> pb.ScanCustomersResponse:
        """A page of customers, by rev."""
        limit = _scan_limit(request)
        with self.database.read() as reader:
            found = customers.scan(reader, request.after_rev, limit)
            total = 0 if request.after_rev else customers.count(reader)
        return pb.ScanCustomersResponse(
            customers=[values.customer(one) for one in found],
            last_rev=found[-1].rev if found else request.after_rev,
            done=len(found) < limit,
            total=total,
        )

    def FindRecent(self, request: pb.FindRecentRequest, context: object) -> pb.FindRecentResponse:
        """Newest messages that hold all the words, from the store."""
        person = person_of(context)
        with self.database.read() as reader:
            kept = read.recent_interactions(reader, person, brand_id=request.brand_id, newest=request.newest)
            found = _holding(kept, [word.lower() for word in request.words if word], limit_of(request.limit))
            shown, names = _tickets_of(reader, person, found)
        return pb.FindRecentResponse(
            interactions=found,
            tickets=[values.ticket(one, customer_name=names.get(one.customer_id, "")) for one in shown],
        )


def _tickets_of(reader: Reader, person: Person, found: Sequence[Interaction]) -> tuple[list[Ticket], dict[str, str]]:
    return read.get_tickets(reader, person, [one.ticket_id for one in found])


def _holding(kept: Sequence[interactions.Kept], words: Sequence[str], limit: int) -> list[Interaction]:
    found: list[Interaction] = []
    plain = [word.encode() for word in words if word.isascii()]  # they stand so in the bytes: most rows need no parsing
    for row in kept:
        stored = row.data.lower()
        if not all(word in stored for word in plain):
            continue
        one = Interaction.FromString(row.data)
        text = f"{one.subject}\n{one.text}\n{one.author.name}\n{one.author.value}".lower()
        if all(word in text for word in words):
            found.append(one)
            if len(found) == limit:
                break
    return found


def _scan_limit(request: pb.ScanRequest) -> int:
    return min(request.limit or 500, _MAX_SCAN)


def _canned(message: pb.CannedAnswer) -> Canned:
    return Canned(
        id=message.id,
        brand_id=message.brand_id,
        title=message.title.strip(),
        shortcut=message.shortcut.strip(),
        texts={language: text for language, text in message.texts.items() if text.strip()},
        channel=message.channel,
        version=message.version,
    )


def _canned_message(one: Canned) -> pb.CannedAnswer:
    return pb.CannedAnswer(
        id=one.id,
        brand_id=one.brand_id,
        title=one.title,
        shortcut=one.shortcut,
        texts=one.texts,
        channel=one.channel,
        version=one.version,
        changed_at=values.stamp(one.changed_us),
    )
