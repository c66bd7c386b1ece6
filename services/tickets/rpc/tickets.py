"""Methods about tickets: lists, one, answers, notes, changes."""

from __future__ import annotations

from ascolto.tickets.v1 import service_pb2 as pb
from ascolto.tickets.v1.events_pb2 import Interaction
from ascolto.tickets.v1.events_pb2 import Ticket as TicketMessage
from services.kit import privacy
from services.kit.errors import Invalid
from services.kit.rpc import person_of
from services.tickets.domain.contact import scope_of
from services.tickets.domain.ticket import Change, State, clean_tags
from services.tickets.rpc.base import Base, limit_of
from services.tickets.store.lists import Filter
from services.tickets.usecases import read
from services.tickets.usecases.change import change_ticket, take_next
from services.tickets.usecases.common import find_ticket
from services.tickets.usecases.open import Mention, Outgoing, open_from_mention, open_outgoing
from services.tickets.usecases.reply import Draft, add_note, reply
from services.tickets.wire import values

_CHANGEABLE = 7  # fields of a change, each of which may leave a line in the thread


class TicketMethods(Base):
    """Tickets."""

    def ListTickets(self, request: pb.ListTicketsRequest, context: object) -> pb.ListTicketsResponse:
        """A page of tickets by filter or view."""
        person = person_of(context)
        wanted = Filter(
            view=request.view,
            states=tuple(int(state) for state in request.states),
            assignee=request.assignee,
            customer_id=request.customer_id,
            channel=request.channel,
            tag=request.tag,
            brand_id=request.brand_id,
            team=request.team,
            conversation=request.conversation,
            account_id=request.account_id,
            since_us=values.micros(request.since),
            until_us=values.micros(request.until),
            sort=request.sort or "due",
            teams=(request.team,) if request.team else (),
        )
        limit = limit_of(request.page.limit)
        with self.database.read() as reader:
            found, names, following, total = read.list_tickets(
                reader, person, wanted, after=request.page.after, limit=limit, now_us=self.now_us()
            )
        return pb.ListTicketsResponse(
            tickets=[values.ticket(one, customer_name=names.get(one.customer_id, "")) for one in found],
            next=following,
            total=total,
        )

    def GetTicket(self, request: pb.GetTicketRequest, context: object) -> pb.TicketWithInteractions:
        """One ticket with everything on it."""
        person = person_of(context)
        with self.database.read() as reader:
            whole = read.get_ticket(reader, person, ticket_id=request.id, number=request.number)
        self.saw(person, "ticket.seen", whole.ticket.id)
        name = whole.customer.name if whole.customer else ""
        return pb.TicketWithInteractions(
            ticket=values.ticket(whole.ticket, customer_name=name),
            interactions=[Interaction.FromString(one.data) for one in whole.interactions],
            customer=values.customer(whole.customer) if whole.customer else None,
            others=[values.ticket(one, customer_name=name) for one in whole.others],
        )

    def GetTickets(self, request: pb.GetTicketsRequest, context: object) -> pb.ListTicketsResponse:
        """Up to 200 by id."""
        if len(request.ids) > 200:
            raise Invalid("Ask for 200 tickets at most.", field="ids")
        with self.database.read() as reader:
            found, names = read.get_tickets(reader, person_of(context), list(request.ids))
        shown = [values.ticket(one, customer_name=names.get(one.customer_id, "")) for one in found]
        return pb.ListTicketsResponse(tickets=shown, total=len(shown))

    def CountViews(self, request: pb.CountViewsRequest, context: object) -> pb.CountViewsResponse:
        """Counts of the inbox's views."""
        with self.database.read() as reader:
            counts, late = read.count_views(
                reader,
                person_of(context),
                user_id=request.user_id,
                teams=list(request.teams),
                brand_id=request.brand_id,
                now_us=self.now_us(),
            )
        return pb.CountViewsResponse(counts=counts, late=late)

    def Reply(self, request: pb.ReplyRequest, context: object) -> pb.ReplyResponse:
        """Records an answer and asks for its sending."""
        act = self.act(person_of(context), "int")
        directory = self.brands.directory()
        interaction_id = act.ids[0]
        with self.database.read() as reader:  # nothing is stored for a ticket the caller may not see
            find_ticket(reader, request.ticket_id, act.person)
        text, body = self.keep_text(interaction_id, request.text)
        files, sizes = self.keep_files(interaction_id, request.attachments)
        draft = Draft(
            ticket_id=request.ticket_id,
            text=text,
            full_text=request.text if body else "",
            body=body,
            html=self.keep_html(interaction_id, request.html),
            files=files,
            file_sizes=sizes,
            last_seen=request.last_seen,
            key=request.key,
            anyway=request.anyway,
            undo_s=request.undo_s,
            to=tuple(request.to),
            cc=tuple(request.cc),
            then=State(request.then_state) if request.then_state else State.OPEN,
            author_name=request.author_name,
            public_confirmed=request.public_confirmed,
        )
        done = self.database.write(lambda uow: reply(uow, act, draft, directory=directory))
        return pb.ReplyResponse(
            interaction=Interaction.FromString(done.interaction),
            ticket=values.ticket(done.ticket),
            duplicate=done.duplicate,
        )

    def AddNote(self, request: pb.AddNoteRequest, context: object) -> Interaction:
        """Records an internal note."""
        act = self.act(person_of(context), "int")
        with self.database.read() as reader:
            find_ticket(reader, request.ticket_id, act.person)
        files, _ = self.keep_files(act.ids[0], request.attachments)
        done = self.database.write(
            lambda uow: add_note(
                uow, act, ticket_id=request.ticket_id, text=request.text, key=request.key, files=files,
                mentioned=request.mentioned,
            )
        )  # fmt: skip
        return Interaction.FromString(done.interaction)

    def ChangeTicket(self, request: pb.ChangeTicketRequest, context: object) -> TicketMessage:
        """Changes fields; only the same field clashes, unless the caller is strict."""
        act = self.act(person_of(context), *["int"] * _CHANGEABLE)
        directory = self.brands.directory()
        change = Change(
            state=State(request.state) if request.HasField("state") and request.state else None,
            assignee=request.assignee if request.HasField("assignee") else None,
            team=request.team if request.HasField("team") else None,
            tags=clean_tags(request.tags.tags) if request.HasField("tags") else None,
            priority=request.priority if request.HasField("priority") else None,
            subject=" ".join(request.subject.split())[:200] if request.HasField("subject") else None,
            add_tags=tuple(request.add_tags),
            remove_tags=tuple(request.remove_tags),
        )
        on = self.database.write(
            lambda uow: change_ticket(
                uow,
                act,
                ticket_id=request.ticket_id,
                seen=request.version,
                change=change,
                directory=directory,
                strict=request.strict,
            )
        )
        return values.ticket(on)

    def TakeNext(self, request: pb.TakeNextRequest, context: object) -> TicketMessage:
        """Takes the most urgent unassigned ticket."""
        act = self.act(person_of(context), "int")
        on = self.database.write(
            lambda uow: take_next(
                uow,
                act,
                brand_id=request.brand_id,
                teams=list(request.teams),
                user_id=request.user_id or act.person.user_id,
            )
        )
        return values.ticket(on)

    def OpenFromMention(self, request: pb.OpenFromMentionRequest, context: object) -> TicketMessage:
        """Opens a ticket from a mention or alert, once."""
        act = self.act(person_of(context), "tkt", "int", "cus")
        directory = self.brands.directory()
        kind = request.author.kind or "handle"
        author = values.identity(
            request.author, scope_of(kind, channel=request.source, account_id="", brand_id=request.brand_id)
        )
        mention = Mention(
            key=request.key,
            brand_id=request.brand_id,
            source=request.source,
            author=author,
            text=request.text,
            mention_id=request.mention_id,
            alert_id=request.alert_id,
            external_id=request.external_id,
            conversation=request.conversation,
            url=request.url,
            occurred_us=values.micros(request.occurred_at),
            language=request.language,
            tone=request.tone,
            subject=request.subject,
            person=privacy.subject(self.keys, author.kind, author.value) if author.value else b"",
        )
        return values.ticket(self.database.write(lambda uow: open_from_mention(uow, act, mention, directory=directory)))

    def OpenOutgoing(self, request: pb.OpenOutgoingRequest, context: object) -> TicketMessage:
        """Begins a conversation."""
        act = self.act(person_of(context), "tkt", "int", "cus")
        directory = self.brands.directory()
        wanted = Outgoing(
            brand_id=request.brand_id,
            account_id=request.account_id,
            customer_id=request.customer_id,
            to=request.to,
            subject=request.subject,
            key=request.key,
            person=privacy.subject(self.keys, "email", request.to) if request.to else b"",
        )
        return values.ticket(self.database.write(lambda uow: open_outgoing(uow, act, wanted, directory=directory)))
