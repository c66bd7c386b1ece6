"""The service as its callers see it: built by `build`, called through a channel, fed through the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ascolto.common.v1.envelope_pb2 import Blob, Empty, Identity, Page
from ascolto.intake.v1 import service_pb2 as intake
from ascolto.intake.v1.service_pb2_grpc import IntakeServicer, add_IntakeServicer_to_server
from ascolto.tickets.v1 import service_pb2 as pb
from ascolto.tickets.v1.events_pb2 import Ticket as TicketMessage
from ascolto.tickets.v1.service_pb2_grpc import TicketsStub
from services.kit import topics
from services.kit.clock import ManualClock
from services.kit.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from services.kit.principal import Person
from services.kit.rpc import Caller, Guard, LocalServer
from services.kit.rpc.guard import call_counter
from services.kit.secrets import Keys
from services.kit.uow import Event
from services.tickets.app import build
from services.tickets.store.lists import encode
from tests import kitlib
from tests.tickets.world import MAIL, chat, contact

ALL = frozenset({"tickets:read", "tickets:write", "settings:write", "search:read"})
ANNA = Person("usr_anna", "Anna Rossi", permissions=ALL)
READER = Person("usr_reader", permissions=frozenset({"tickets:read"}))
OTHER = Person("usr_other", permissions=ALL, brand_ids=frozenset({"brd_other"}))
KEYS = Keys(b"\x07" * 32)


class Intake(IntakeServicer):
    """Brands and accounts, or nothing at all while away."""

    away = False

    def list_brands(self, request: Any, context: Any) -> intake.ListBrandsResponse:
        if self.away:
            raise Unavailable("away")
        return intake.ListBrandsResponse(
            brands=[intake.Brand(id="brd_shop", name="Bottega", language="it"), intake.Brand(id="brd_other")]
        )

    def list_accounts(self, request: Any, context: Any) -> intake.ListAccountsResponse:
        return intake.ListAccountsResponse(
            accounts=[
                intake.Account(
                    id="acc_mail",
                    brand_id="brd_shop",
                    channel="email",
                    address="aiuto@bottega.example",
                    capabilities=MAIL,
                )
            ]
        )

    ListBrands, ListAccounts = list_brands, list_accounts


class Desk:
    """Calls tickets as a person, and lets intake's contacts through the log."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.clock = clock
        self.log = kitlib.make_log(folder)
        calls = call_counter(CollectorRegistry())
        self.intake = Intake()  # type: ignore[abstract]  # calls nobody makes here are left out
        intake_server = LocalServer(Guard(service="intake", keys=KEYS, clock=clock, calls=calls))
        add_IntakeServicer_to_server(self.intake, intake_server)  # type: ignore[arg-type]  # takes what generated code needs
        self.contacts = kitlib.make_kit_database(folder, "intake", clock=clock, log=self.log)
        parts = kitlib.make_parts(
            folder, "tickets", log=self.log, clock=clock, keys=KEYS, channels={"intake": intake_server.channel()}
        )
        self.service = build(parts)
        server = LocalServer(Guard(service="tickets", keys=KEYS, clock=clock, calls=calls))
        for add in self.service.rpc:
            add(server)  # type: ignore[arg-type]  # as above
        self.stub = TicketsStub(server.channel())
        self.caller = Caller(service="desk", keys=KEYS, clock=clock)
        self.consumers = kitlib.make_consumers([self.service], self.log, clock)
        self.call("ListTickets", pb.ListTicketsRequest())
        self.call("CountViews", pb.CountViewsRequest())

    def call(self, method: str, request: Any, person: Person = ANNA) -> Any:
        return self.caller.invoke(getattr(self.stub, method), request, person=person)

    def send(self, *contacts: Any) -> None:
        """As intake: into its outbox; then tickets consumes."""
        self.contacts.write(
            lambda uow: uow.emit(
                *(
                    Event(topics.CONTACTS, one.conversation, one.contact_id, rev, one, one.brand_id)
                    for rev, one in enumerate(contacts)
                )
            )
        )
        kitlib.drain(self.consumers)

    def close(self) -> None:
        self.service.database.close()
        self.contacts.close()
        self.log.close()


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    made = Desk(tmp_path, clock)
    made.service.workers[0]._refresh()  # type: ignore[attr-defined]  # what its thread does every 5 s
    yield made
    made.close()


def test_a_contact_from_the_log_is_listed_read_and_answered(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock))

    (row,) = desk.call("ListTickets", pb.ListTicketsRequest(view="unassigned")).tickets
    whole = desk.call("GetTicket", pb.GetTicketRequest(number=row.number))
    done = desk.call(
        "Reply",
        pb.ReplyRequest(
            ticket_id=row.id,
            text="Ciao",
            html="<p>Ciao<script>x()</script></p>",
            key="k",
            last_seen=whole.interactions[-1].id,
            attachments=[Blob(name="../etto.pdf", media_type="application/pdf", inline=b"%PDF")],
        ),
    )

    assert (row.customer_name, row.number) == ("Carla", 10001)
    assert done.interaction.html.inline == b"<p>Ciao</p>"
    assert done.interaction.attachments[0].key.startswith("tickets/")
    assert "/" not in done.interaction.attachments[0].name
    assert desk.call("Reply", pb.ReplyRequest(ticket_id=row.id, text="Ciao", key="k")).duplicate


def test_a_blob_of_a_customer_cannot_be_attached_by_its_key(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock))
    (row,) = desk.call("ListTickets", pb.ListTicketsRequest()).tickets

    with pytest.raises(Invalid):
        desk.call("Reply", pb.ReplyRequest(ticket_id=row.id, text="x", attachments=[Blob(key="intake/con_1/0")]))


def test_pages_follow_each_other_without_gap_or_double(desk: Desk, clock: ManualClock) -> None:
    for n in range(7):
        desk.send(contact(clock, sender=f"c{n}@customers.example", threading=3))
        clock.advance(minutes=n % 3)

    for sort in ("due", "longest", "newest", "priority"):
        seen: list[str] = []
        after = ""
        while True:
            page = desk.call("ListTickets", pb.ListTicketsRequest(page=Page(limit=2, after=after), sort=sort))
            seen += [one.id for one in page.tickets]
            assert page.total == 7
            after = page.next
            if not after:
                break
        assert len(seen) == len(set(seen)) == 7, sort


@pytest.mark.parametrize("after", ["x", "W10", "bm90anNvbg", "é", encode([10**30, "tkt_1"])])
def test_a_cursor_that_is_not_ours_is_refused(desk: Desk, after: str) -> None:
    with pytest.raises(Invalid):
        desk.call("ListTickets", pb.ListTicketsRequest(page=Page(after=after)))


def test_views_count_what_they_list(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock, threading=3), chat(clock), contact(clock, suspicious=True, threading=3))
    taken = desk.call("TakeNext", pb.TakeNextRequest())
    desk.call("ChangeTicket", pb.ChangeTicketRequest(ticket_id=taken.id, team="resi"))
    clock.advance(hours=5)

    counts = desk.call("CountViews", pb.CountViewsRequest(user_id="usr_anna", teams=["resi"]))

    for view, count in counts.counts.items():
        listed = desk.call("ListTickets", pb.ListTicketsRequest(view=view, team="resi" if view == "team" else ""))
        assert len(listed.tickets) == listed.total == count, view
    assert dict(counts.counts) == {
        "mine": 1, "named": 0, "unassigned": 1, "team": 1, "chats": 1, "all": 2, "open": 2, "spam": 1, "waiting": 0, "solved": 0,
    }  # fmt: skip
    assert counts.late["open"] == 2


def test_nothing_of_another_brand_is_seen_or_touched(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock))
    (row,) = desk.call("ListTickets", pb.ListTicketsRequest()).tickets
    calls: list[tuple[str, Any]] = [
        ("GetTicket", pb.GetTicketRequest(id=row.id)),
        ("GetTicket", pb.GetTicketRequest(number=row.number)),
        ("Reply", pb.ReplyRequest(ticket_id=row.id, text="x")),
        ("AddNote", pb.AddNoteRequest(ticket_id=row.id, text="x")),
        ("ChangeTicket", pb.ChangeTicketRequest(ticket_id=row.id, priority=4)),
        ("TakeNext", pb.TakeNextRequest()),
        ("GetCustomer", pb.GetCustomerRequest(id=row.customer_id)),
        ("ChangeCustomer", pb.ChangeCustomerRequest(id=row.customer_id, notes="x")),
        ("OpenOutgoing", pb.OpenOutgoingRequest(account_id="acc_mail", to="a@b.example", subject="x")),
    ]

    for method, request in calls:
        with pytest.raises(NotFound):
            desk.call(method, request, OTHER)

    assert desk.call("ListTickets", pb.ListTicketsRequest(), OTHER).total == 0
    assert not desk.call("GetTickets", pb.GetTicketsRequest(ids=[row.id]), OTHER).tickets
    assert not desk.call("GetCustomers", pb.GetCustomersRequest(ids=[row.customer_id]), OTHER).customers
    assert not desk.call("FindRecent", pb.FindRecentRequest(words=["pacco"]), OTHER).interactions
    assert sum(desk.call("CountViews", pb.CountViewsRequest(), OTHER).counts.values()) == 0


def test_a_reader_may_not_write(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock))
    (row,) = desk.call("ListTickets", pb.ListTicketsRequest(), READER).tickets

    with pytest.raises(Forbidden):
        desk.call("Reply", pb.ReplyRequest(ticket_id=row.id, text="x"), READER)


def test_a_stale_change_carries_the_present_ticket_over_the_wire(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock))
    (row,) = desk.call("ListTickets", pb.ListTicketsRequest()).tickets
    desk.call("ChangeTicket", pb.ChangeTicketRequest(ticket_id=row.id, version=row.version, priority=4))

    with pytest.raises(Conflict) as caught:
        desk.call("ChangeTicket", pb.ChangeTicketRequest(ticket_id=row.id, version=row.version, priority=1))

    assert TicketMessage.FromString(caught.value.detail).priority == 4


def test_a_mention_opens_one_ticket_internal_without_an_account(desk: Desk) -> None:
    request = pb.OpenFromMentionRequest(
        key="men_1", mention_id="men_1", source="feed", brand_id="brd_shop", text="Pessimo", tone="negative",
        author=Identity(kind="handle", value="carla"),
    )  # fmt: skip

    first, again = desk.call("OpenFromMention", request), desk.call("OpenFromMention", request)

    assert first.id == again.id
    assert (first.account_id, first.tone, first.mention_id) == ("", "negative", "men_1")
    with pytest.raises(Invalid):
        desk.call("Reply", pb.ReplyRequest(ticket_id=first.id, text="x"))


def test_we_may_write_first_and_the_answer_comes_back_to_the_same_ticket(desk: Desk, clock: ManualClock) -> None:
    request = pb.OpenOutgoingRequest(
        account_id="acc_mail", to="dario@customers.example", subject="Il suo reso", key="k"
    )
    opened = desk.call("OpenOutgoing", request)
    assert desk.call("OpenOutgoing", request).id == opened.id

    done = desk.call("Reply", pb.ReplyRequest(ticket_id=opened.id, text="Buongiorno"))
    desk.send(contact(clock, sender="dario@customers.example", token_ticket_id=opened.id))

    assert [one.value for one in done.interaction.to] == ["dario@customers.example"]
    whole = desk.call("GetTicket", pb.GetTicketRequest(id=opened.id))
    assert whole.interactions[-1].author_id == opened.customer_id


def test_canned_answers_are_versioned_and_found_best_first(desk: Desk) -> None:
    texts = {"it": "Gentile {{customer.name}}, il reso è gratuito."}
    made = desk.call("PutCannedAnswer", pb.CannedAnswer(title="Reso gratuito", shortcut="reso", texts=texts))
    desk.call("PutCannedAnswer", pb.CannedAnswer(title="Spedizione", brand_id="brd_shop", texts={"it": "reso"}))

    found = desk.call("ListCannedAnswers", pb.ListCannedAnswersRequest(query="reso", brand_id="brd_shop")).answers

    assert [one.title for one in found] == ["Reso gratuito", "Spedizione"]
    with pytest.raises(Conflict):
        desk.call("PutCannedAnswer", pb.CannedAnswer(id=made.id, title="x", texts=texts, version=7))
    desk.call("DeleteCannedAnswer", pb.DeleteCannedAnswerRequest(id=made.id, version=made.version))
    assert len(desk.call("ListCannedAnswers", pb.ListCannedAnswersRequest()).answers) == 1


def test_scans_page_by_rev_through_everything(desk: Desk, clock: ManualClock) -> None:
    desk.send(*[contact(clock, sender=f"c{n}@customers.example", threading=3) for n in range(5)])
    for method, field in (
        ("ScanInteractions", "interactions"),
        ("ScanTickets", "tickets"),
        ("ScanCustomers", "customers"),
    ):
        seen: list[int] = []
        after, done = 0, False
        while not done:
            page = desk.caller.invoke(getattr(desk.stub, method), pb.ScanRequest(after_rev=after, limit=2))
            seen += [one.rev for one in getattr(page, field)]
            assert page.total == (0 if after else 5), "counting everything again at each page would cost more than it"
            after, done = page.last_rev, page.done
        assert len(set(seen)) == 5
        assert seen == sorted(seen)


def test_who_looked_is_written_down_once(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock))
    (row,) = desk.call("ListTickets", pb.ListTicketsRequest()).tickets
    for _ in range(3):
        desk.call("GetTicket", pb.GetTicketRequest(id=row.id))
    admin = Person("usr_admin", permissions=frozenset({"admin"}))

    entries = kitlib.wait_until(lambda: desk.call("ListAudit", pb.ListAuditRequest(), admin).entries)

    assert [(one.user_id, one.act) for one in entries] == [("usr_anna", "ticket.seen")]


def test_what_is_recent_is_found_without_the_index(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock), contact(clock, sender="b@customers.example", threading=3, text="Tutto bene"))

    found = desk.call("FindRecent", pb.FindRecentRequest(words=["ROTTO", "pacco"]))

    assert [one.text for one in found.interactions] == ["Il pacco è arrivato rotto."]
    assert [one.number for one in found.tickets] == [10001]
    assert desk.call("FindRecent", pb.FindRecentRequest(words=["È"])).interactions
    assert desk.call("FindRecent", pb.FindRecentRequest(words=["rotto"], newest=2)).interactions
    assert not desk.call("FindRecent", pb.FindRecentRequest(words=["rotto"], newest=1)).interactions


def test_answers_go_on_with_stale_brands_while_intake_is_away(desk: Desk, clock: ManualClock) -> None:
    desk.send(contact(clock))
    (row,) = desk.call("ListTickets", pb.ListTicketsRequest()).tickets
    desk.intake.away = True
    clock.advance(seconds=60)

    assert desk.call("Reply", pb.ReplyRequest(ticket_id=row.id, text="x")).interaction.id
    assert desk.call("ListTags", Empty()).tags == []
