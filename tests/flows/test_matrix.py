"""Scenario 28 on the contract: every method against every role, and against a person of another brand, who sees and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ascolto.common.v1.envelope_pb2 import Blob, Empty, Page
from ascolto.intake.v1 import service_pb2 as intake
from ascolto.intake.v1.service_pb2_grpc import IntakeStub
from ascolto.search.v1 import service_pb2 as search
from ascolto.search.v1.service_pb2_grpc import SearchStub
from ascolto.social.v1 import service_pb2 as social
from ascolto.social.v1.service_pb2_grpc import SocialStub
from ascolto.tickets.v1 import service_pb2 as tickets
from ascolto.tickets.v1.service_pb2_grpc import TicketsStub
from services.__main__ import commands, wire
from services.desk.domain import roles
from services.kit.application import Application
from services.kit.config import HostPort, Settings
from services.kit.errors import AscoltoError, Forbidden
from services.kit.principal import SERVICE, Person
from services.kit.rpc import Caller
from services.kit.rpc.guard import permission_of
from tests.faults.installation import BRANDS, free_address
from tests.kitlib import wait_until

CANARY = "segretobrezza"  # in everything of the second brand, beside what is sought
SOUGHT = "ornitorinco"
SERVICES: dict[str, tuple[Any, Any]] = {
    "intake": (intake, IntakeStub),
    "tickets": (tickets, TicketsStub),
    "social": (social, SocialStub),
    "search": (search, SearchStub),
}
METHODS = [
    (name, method)
    for name, (module, _) in SERVICES.items()
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
OFFICE = {
    "ListQuarantine",
    "ReplayQuarantine",
    "ListAudit",
    "Rebuild",
}  # of the whole installation, by their permission


@dataclass
class Company:
    """Two brands in one process. `ids` are things of the second one, by noun."""

    app: Application
    caller: Caller
    brands: list[str]
    ids: dict[str, str]
    number: int = 0

    def call(self, service: str, method: str, request: Message, person: Person | None = None) -> Any:
        stub = SERVICES[service][1](self.app.channels[service])
        return self.caller.invoke(getattr(stub, method), request, person=person, timeout_s=20)

    def state(self) -> list[Any]:
        """Everything of the second brand, as its owner sees it."""
        seen = Person("usr_brezza", permissions=frozenset({"admin"}), brand_ids=frozenset({self.brands[1]}))
        whole = self.call("tickets", "GetTicket", tickets.GetTicketRequest(id=self.ids["ticket"]), seen)
        return [
            whole.ticket,
            [one.rev for one in whole.interactions],
            self.call("tickets", "GetCustomer", tickets.GetCustomerRequest(id=self.ids["customer"]), seen).customer,
            self.call("tickets", "ListTickets", tickets.ListTicketsRequest(), seen).total,
            self.call("tickets", "ListCannedAnswers", tickets.ListCannedAnswersRequest(), seen),
            self.call("social", "GetMention", social.GetMentionRequest(id=self.ids["mention"]), seen).mention,
            self.call("social", "ListMentions", social.ListMentionsRequest(), seen).total,
            self.call("social", "ListSources", Empty(), seen).sources,
            [(one.id, one.version, one.query) for one in self.call("social", "ListWatches", Empty(), seen).watches],
            self.call("social", "ListNotifiers", Empty(), seen).notifiers,
            self.call("intake", "ListBrands", Empty()).brands,
            [
                (one.id, one.version, one.state, one.off_message)
                for one in self.call("intake", "ListAccounts", intake.ListAccountsRequest()).accounts
                if one.brand_id == self.brands[1]
            ],
        ]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    folder: Path = tmp_path_factory.mktemp("company")
    settings = {"ASCOLTO_DATA": str(folder), "ASCOLTO_MODELS": "0", "ASCOLTO_SMTP": free_address()}
    with Application(Settings.from_env(settings)) as app:
        app.migrate()
        ask = commands(wire(app))
        made = [ask["init"]({"brand": n, "email": e, "admin": ""}, lambda *_: None) for n, e in BRANDS]
        app.start(http=HostPort("127.0.0.1", 0))
        caller = Caller(service="tests", keys=app.keys, clock=app.clock)
        yield _filled(Company(app, caller, [one["brand"] for one in made], {"account": made[1]["accounts"]["api"]}))


def _filled(one: Company) -> Company:
    """The second brand with one of everything."""
    brand, ids = one.brands[1], one.ids
    contact = intake.NewContact(
        account=ids["account"], external_id="c1", conversation="dialogo", email=f"{CANARY}@posta.example",
        name=CANARY, subject=CANARY, text=f"{CANARY} {SOUGHT}", html=f"<p>{CANARY}</p>",
        attachments=[Blob(name=f"{CANARY}.txt", media_type="text/plain", inline=CANARY.encode())],
    )  # fmt: skip
    one.call("intake", "AcceptContacts", intake.AcceptContactsRequest(contacts=[contact]))
    listed = tickets.ListTicketsRequest(brand_id=brand)
    (ticket,) = wait_until(lambda: one.call("tickets", "ListTickets", listed).tickets, 20)
    ids |= {"ticket": ticket.id, "customer": ticket.customer_id, "brand": brand, "conversation": "dialogo"}
    one.number = ticket.number
    one.call("tickets", "ChangeTicket", tickets.ChangeTicketRequest(ticket_id=ticket.id, add_tags=[CANARY]))
    one.call("tickets", "AddNote", tickets.AddNoteRequest(ticket_id=ticket.id, text=CANARY, key="n"))
    reply = one.call("tickets", "Reply", tickets.ReplyRequest(ticket_id=ticket.id, text=CANARY, key="r"))
    canned = tickets.CannedAnswer(title=CANARY, shortcut="x", texts={"it": CANARY}, brand_id=brand)
    ids |= {"reply": reply.interaction.id, "answer": one.call("tickets", "PutCannedAnswer", canned).id}
    watch = social.Watch(name=CANARY, brand_id=brand, query=CANARY)
    ids["watch"] = one.call("social", "PutWatch", watch).id
    feed = {"url": f"https://{CANARY}.example/feed.xml"}
    source = social.PutSourceRequest(kind="rss", name=CANARY, on=False, brand_id=brand, settings=feed)
    ids["source"] = one.call("social", "PutSource", source).id
    notifier = social.Notifier(kind="email", target=f"{CANARY}@lumaca.example", on=True, brand_id=brand)
    ids["notifier"] = one.call("social", "PutNotifier", notifier).id
    post = social.NewMention(external_id="m1", author_handle=CANARY, text=f"{CANARY} {SOUGHT} pessimo")
    post.occurred_at.GetCurrentTime()
    ingest = social.IngestMentionsRequest(source=ids["source"], items=[post])
    ids["mention"] = one.call("social", "IngestMentions", ingest).items[0].id
    found = search.FindRequest(query=CANARY)
    wait_until(lambda: one.call("search", "Find", found).total >= 4, 20)
    delivered = tickets.GetTicketRequest(id=ticket.id)

    def settled() -> str:
        """The delivery of the answer, once nothing about it changes any more."""
        said = [each for each in one.call("tickets", "GetTicket", delivered).interactions if each.id == ids["reply"]]
        return said[0].delivery_id if said[0].delivery_id and said[0].delivery not in {0, 1} else ""

    ids["delivery"] = wait_until(settled, 20)
    return one


def _request(company: Company, method: MethodDescriptor) -> Message:
    """A request that names things of the second brand wherever it can name something."""
    return _message(company, GetMessageClass(method.input_type), method.name)


def _message(company: Company, kind: Callable[[], Message], name: str) -> Message:
    made = kind()
    for field in made.DESCRIPTOR.fields:  # type: ignore[attr-defined]  # messages of the pool have it
        if field.message_type is not None:
            if not field.message_type.GetOptions().map_entry and field.message_type.full_name.startswith("ascolto"):
                inner = _message(company, GetMessageClass(field.message_type), name)
                if isinstance(inner, Blob | Page):
                    continue
                target = getattr(made, field.name)
                target.append(inner) if field.is_repeated else target.CopyFrom(inner)
            elif field.message_type.name == "Timestamp" and field.name == "occurred_at":
                getattr(made, field.name).GetCurrentTime()
            continue
        value = _value(company, field, name)
        if value is not None:
            getattr(made, field.name).append(value) if field.is_repeated else setattr(made, field.name, value)
    return made


def _value(company: Company, field: FieldDescriptor, method: str) -> Any:
    fixed = {"text": "x", "key": "k2", "act": "ignore", "decision": "retry", "to": "a@b.example", "subject": "x", "name": "x",
             "query": SOUGHT, "words": SOUGHT, "external_id": "e2", "email": "a@b.example", "url": "https://a.example/",
             "target": "a@b.example", "title": "x", "channel": "api", "author_handle": "x", "number": company.number,
             "term": SOUGHT, "slug": "brezza", "time_zone": "Europe/Rome", "language": "it", "languages": "it", "off_message": "x"}  # fmt: skip
    noun = field.name.removesuffix("_ids").removesuffix("_id")
    if field.name in {"id", "ids"}:
        noun = next((one for one in company.ids if one in method.lower()), "ticket")
    if field.type == FieldDescriptor.TYPE_STRING:
        if field.name == "kind":
            return "rss" if "Source" in method else "email"
        if method in {"ListTickets", "ListMentions"} and noun != "brand":
            return None  # all that there is
        return company.ids.get(noun) if noun in company.ids else fixed.get(field.name)
    return fixed.get(field.name) if field.name == "number" else None


@pytest.mark.parametrize(("service", "method"), METHODS, ids=lambda one: getattr(one, "name", one))
def test_every_method_obeys_every_role(company: Company, service: str, method: MethodDescriptor) -> None:
    needed = permission_of(f"/{method.containing_service.full_name}/{method.name}")
    assert needed in {SERVICE, *roles.PERMISSIONS}
    if needed == SERVICE:
        return
    for role, permissions in {"nobody": frozenset(), **roles.ROLES}.items():
        person = Person("usr_x", permissions=permissions, brand_ids=frozenset({company.brands[0]}))
        refused = False
        try:
            company.call(service, method.name, GetMessageClass(method.input_type)(), person)
        except Forbidden as error:
            refused = needed in error.message
        except AscoltoError:
            pass
        assert refused == (not person.may(needed)), role


@pytest.mark.parametrize(("service", "method"), METHODS, ids=lambda one: getattr(one, "name", one))
def test_nothing_of_another_brand_is_seen_or_changed(company: Company, service: str, method: MethodDescriptor) -> None:
    needed = permission_of(f"/{method.containing_service.full_name}/{method.name}")
    if needed == SERVICE or method.name in OFFICE:
        return
    permissions = frozenset({*roles.PERMISSIONS})
    person = Person("usr_lumaca", permissions=permissions, brand_ids=frozenset({company.brands[0]}))
    before, request = company.state(), _request(company, method)

    try:
        told = company.call(service, method.name, request, person).SerializeToString()
    except AscoltoError as error:
        told = error.message.encode() + error.detail

    asked = request.SerializeToString()
    secrets = [CANARY, *company.ids.values()]
    assert not [one for one in secrets if one.encode() in told and one.encode() not in asked], told
    assert company.state() == before
