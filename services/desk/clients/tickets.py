"""Calls to tickets: lists, one ticket, replies, changes, customers, canned answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.social.v1 import events_pb2 as social
from ascolto.tickets.v1 import events_pb2 as events
from ascolto.tickets.v1 import service_pb2 as pb
from ascolto.tickets.v1 import service_pb2_grpc as rpc
from services.desk.clients.base import Client, stamp

if TYPE_CHECKING:
    import grpc

    from services.desk.domain.writing import Upload
    from services.kit.principal import Person
    from services.kit.rpc import Caller

STATES = {
    "new": events.STATE_NEW,
    "open": events.STATE_OPEN,
    "waiting": events.STATE_WAITING,
    "solved": events.STATE_SOLVED,
    "closed": events.STATE_CLOSED,
    "spam": events.STATE_SPAM,
}
_WORDS = {number: word for word, number in STATES.items()}
TONES = {social.TONE_NEGATIVE: "negative", social.TONE_NEUTRAL: "neutral", social.TONE_POSITIVE: "positive"}


def state_word(state: int) -> str:
    """The state's name, empty when unset."""
    return _WORDS.get(state, "")  # type: ignore[call-overload, no-any-return]  # enums travel as plain numbers


class TicketsClient(Client):
    """Typed calls; each raises the service's own error."""

    def __init__(self, caller: Caller, channel: grpc.Channel) -> None:
        super().__init__(caller, channel)
        self._stub = rpc.TicketsStub(channel)

    def list(
        self,
        person: Person,
        *,
        view: str = "",
        states: Sequence[str] = (),
        assignee: str = "",
        customer_id: str = "",
        channel: str = "",
        tag: str = "",
        brand_id: str = "",
        team: str = "",
        conversation: str = "",
        account_id: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        sort: str = "",
        limit: int = 50,
        after: str = "",
    ) -> pb.ListTicketsResponse:
        """One page of tickets; `states` by name."""
        request = pb.ListTicketsRequest(
            page=common.Page(limit=limit, after=after),
            states=[STATES[state] for state in states],
            assignee=assignee,
            customer_id=customer_id,
            channel=channel,
            tag=tag,
            brand_id=brand_id,
            since=stamp(since),
            until=stamp(until),
            view=view,
            sort=sort,
            team=team,
            conversation=conversation,
            account_id=account_id,
        )
        return self._call(self._stub.ListTickets, request, person)

    def get(self, person: Person, *, id: str = "", number: int = 0) -> pb.TicketWithInteractions:
        """One ticket with all it holds."""
        return self._call(self._stub.GetTicket, pb.GetTicketRequest(id=id, number=number), person, 5.0)

    def rows(self, person: Person, ids: Sequence[str]) -> pb.ListTicketsResponse:
        """Up to 200 tickets by id, in that order; those not to be seen are left out."""
        return self._call(self._stub.GetTickets, pb.GetTicketsRequest(ids=ids), person)

    def counts(self, person: Person, *, brand_id: str = "") -> pb.CountViewsResponse:
        """Counts of the person's views."""
        request = pb.CountViewsRequest(user_id=person.user_id, teams=sorted(person.teams), brand_id=brand_id)
        return self._call(self._stub.CountViews, request, person)

    def reply(
        self,
        person: Person,
        *,
        ticket_id: str,
        text: str,
        html: str = "",
        attachments: Sequence[common.Blob] = (),
        last_seen: str = "",
        key: str = "",
        anyway: bool = False,
        undo_s: int = 0,
        to: Sequence[str] = (),
        cc: Sequence[str] = (),
        then_state: str = "",
        public_confirmed: bool = False,
    ) -> pb.ReplyResponse:
        """Asks for an answer to be sent. Raises `Conflict` whose `detail` is `UnseenInteractions` (see `unseen`)."""
        request = pb.ReplyRequest(
            ticket_id=ticket_id,
            text=text,
            html=html,
            attachments=attachments,
            last_seen=last_seen,
            key=key,
            anyway=anyway,
            undo_s=undo_s,
            to=to,
            cc=cc,
            then_state=STATES.get(then_state, events.STATE_UNSPECIFIED),
            author_name=person.name,
            public_confirmed=public_confirmed,
        )
        return self._call(self._stub.Reply, request, person, 10.0)

    def note(
        self,
        person: Person,
        *,
        ticket_id: str,
        text: str,
        key: str = "",
        attachments: Sequence[common.Blob] = (),
        mentioned: Sequence[str] = (),
    ) -> events.Interaction:
        """Adds an internal note that tells the users it mentions."""
        request = pb.AddNoteRequest(
            ticket_id=ticket_id, text=text, key=key, attachments=attachments, mentioned=mentioned
        )
        return self._call(self._stub.AddNote, request, person, 10.0)

    def change(
        self,
        person: Person,
        *,
        ticket_id: str,
        version: int = 0,
        state: str | None = None,
        assignee: str | None = None,
        team: str | None = None,
        tags: Sequence[str] | None = None,
        priority: int | None = None,
        add_tags: Sequence[str] = (),
        remove_tags: Sequence[str] = (),
        subject: str | None = None,
        strict: bool = False,
    ) -> events.Ticket:
        """Changes fields; None leaves one alone. Raises `Conflict` whose `detail` is the current ticket (see `current`).

        Only a wanted field that changed since `version` clashes; with `strict`, whatever a person did since.
        """
        request = pb.ChangeTicketRequest(
            ticket_id=ticket_id, version=version, add_tags=add_tags, remove_tags=remove_tags, strict=strict
        )
        if state is not None:
            request.state = STATES[state]
        if assignee is not None:
            request.assignee = assignee
        if team is not None:
            request.team = team
        if tags is not None:
            request.tags.CopyFrom(pb.TagList(tags=tags))
        if priority is not None:
            request.priority = priority
        if subject is not None:
            request.subject = subject
        return self._call(self._stub.ChangeTicket, request, person)

    def take_next(self, person: Person, *, brand_id: str = "") -> events.Ticket:
        """Takes the most urgent unassigned ticket. Raises `NotFound` when nothing waits."""
        request = pb.TakeNextRequest(user_id=person.user_id, brand_id=brand_id, teams=sorted(person.teams))
        return self._call(self._stub.TakeNext, request, person)

    def open_from_mention(
        self, person: Person, *, key: str, mention: social.Mention, alert: social.Alert | None = None, subject: str = ""
    ) -> events.Ticket:
        """Opens, once per `key`, the ticket of a mention, or of an alert with its most telling post."""
        brand = alert.brand_id if alert else (mention.brand_ids[0] if mention.brand_ids else "")
        request = pb.OpenFromMentionRequest(
            key=key,
            mention_id=mention.id,
            alert_id=alert.id if alert else "",
            source=mention.source,
            brand_id=brand,
            external_id=mention.external_id,
            conversation=mention.conversation,
            author=common.Identity(
                kind="handle", value=mention.author_handle, name=mention.author_name, source=mention.source_id
            ),
            text=mention.text,
            url=mention.url,
            occurred_at=mention.occurred_at if mention.HasField("occurred_at") else None,
            language=mention.language,
            tone=TONES.get(mention.tone, ""),
            subject=subject,
        )
        return self._call(self._stub.OpenFromMention, request, person, 5.0)

    def open_outgoing(
        self,
        person: Person,
        *,
        customer_id: str = "",
        account_id: str,
        brand_id: str = "",
        to: str = "",
        subject: str = "",
        key: str = "",
    ) -> events.Ticket:
        """Opens a ticket to write to somebody first."""
        request = pb.OpenOutgoingRequest(
            customer_id=customer_id, account_id=account_id, brand_id=brand_id, to=to, subject=subject, key=key
        )
        return self._call(self._stub.OpenOutgoing, request, person)

    def customer(self, person: Person, *, id: str, limit: int = 50, after: str = "") -> pb.CustomerWithHistory:
        """One customer with tickets and the newest interactions."""
        request = pb.GetCustomerRequest(id=id, page=common.Page(limit=limit, after=after))
        return self._call(self._stub.GetCustomer, request, person)

    def customers(self, person: Person, ids: Sequence[str]) -> pb.GetCustomersResponse:
        """Several customers by id."""
        return self._call(self._stub.GetCustomers, pb.GetCustomersRequest(ids=ids), person)

    def change_customer(
        self,
        person: Person,
        *,
        id: str,
        version: int = 0,
        name: str | None = None,
        notes: str | None = None,
        language: str | None = None,
    ) -> events.Customer:
        """Changes a customer's own fields."""
        request = pb.ChangeCustomerRequest(id=id, version=version, name=name, notes=notes, language=language)
        return self._call(self._stub.ChangeCustomer, request, person)

    def canned(
        self, person: Person, *, brand_id: str = "", query: str = "", language: str = "", channel: str = ""
    ) -> pb.ListCannedAnswersResponse:
        """Canned answers that fit, best first."""
        request = pb.ListCannedAnswersRequest(brand_id=brand_id, query=query, language=language, channel=channel)
        return self._call(self._stub.ListCannedAnswers, request, person)

    def put_canned(
        self,
        person: Person,
        *,
        id: str = "",
        brand_id: str = "",
        title: str,
        shortcut: str = "",
        texts: Mapping[str, str],
        channel: str = "",
        version: int = 0,
    ) -> pb.CannedAnswer:
        """Makes or changes a canned answer."""
        answer = pb.CannedAnswer(
            id=id, brand_id=brand_id, title=title, shortcut=shortcut, texts=texts, channel=channel, version=version
        )
        return self._call(self._stub.PutCannedAnswer, answer, person)

    def delete_canned(self, person: Person, *, id: str, version: int = 0) -> None:
        """Deletes a canned answer."""
        self._call(self._stub.DeleteCannedAnswer, pb.DeleteCannedAnswerRequest(id=id, version=version), person)

    def tags(self, person: Person) -> Sequence[str]:
        """All tags in use."""
        return self._call(self._stub.ListTags, common.Empty(), person).tags

    def audit(
        self, person: Person, *, object_id: str = "", user_id: str = "", limit: int = 50, after: str = ""
    ) -> pb.ListAuditResponse:
        """What was done to tickets and customers, newest first."""
        page = common.Page(limit=limit, after=after)
        return self._call(
            self._stub.ListAudit, pb.ListAuditRequest(page=page, object_id=object_id, user_id=user_id), person
        )

    def recent(
        self, person: Person, words: Sequence[str], *, limit: int = 50, brand_id: str = ""
    ) -> pb.FindRecentResponse:
        """Newest messages with these words, straight from the store."""
        return self._call(
            self._stub.FindRecent, pb.FindRecentRequest(words=words, limit=limit, brand_id=brand_id), person
        )

    @staticmethod
    def unseen(detail: bytes) -> pb.UnseenInteractions:
        """What the writer of a refused reply had not seen."""
        return pb.UnseenInteractions.FromString(detail)

    @staticmethod
    def current(detail: bytes) -> events.Ticket:
        """The ticket as it stands, from a refused change."""
        return events.Ticket.FromString(detail)

    @staticmethod
    def blobs(uploads: Sequence[Upload]) -> Sequence[common.Blob]:
        """Uploaded files as an answer's attachments."""
        return [
            common.Blob(
                key=upload.blob_key,
                name=upload.name,
                media_type=upload.media_type,
                size_bytes=upload.size_bytes,
                sha256=upload.sha256,
            )
            for upload in uploads
        ]
