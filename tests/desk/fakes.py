"""Other services in memory, at the edge of their calls, and a desk built upon them."""
# ruff: noqa: N802 (the contract names the methods)

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.common.v1 import operations_pb2 as ops
from ascolto.common.v1 import operations_pb2_grpc as ops_rpc
from ascolto.intake.v1 import events_pb2 as intake_events
from ascolto.intake.v1 import service_pb2 as intake_pb
from ascolto.intake.v1 import service_pb2_grpc as intake_rpc
from ascolto.search.v1 import service_pb2 as search_pb
from ascolto.search.v1 import service_pb2_grpc as search_rpc
from ascolto.social.v1 import events_pb2 as social_events
from ascolto.social.v1 import service_pb2 as social_pb
from ascolto.social.v1 import service_pb2_grpc as social_rpc
from ascolto.tickets.v1 import events_pb2 as ticket_events
from ascolto.tickets.v1 import service_pb2 as tickets_pb
from ascolto.tickets.v1 import service_pb2_grpc as tickets_rpc
from services.desk import app as desk_app
from services.desk import commands
from services.desk.context import Desk
from services.kit.app import Service
from services.kit.clock import Clock, SystemClock
from services.kit.config import Settings
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.rpc import Guard, LocalServer, person_of
from services.kit.rpc.guard import call_counter
from services.kit.secrets import Keys
from tests import kitlib
from tests.desk.browser import Browser
from tests.desk.world import MOMENT, OTHER, SHOP, World, a_ticket, a_world, seen


class Tickets(tickets_rpc.TicketsServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    def _ticket(self, id_: str, number: int = 0) -> ticket_events.Ticket:
        self.world.answer("tickets")
        for ticket in self.world.tickets.values():
            if ticket.id == id_ or (number and ticket.number == number):
                seen(ticket.brand_id)
                return ticket
        raise NotFound(f"There is no ticket {id_ or number}.")

    def ListTickets(self, request: Any, context: Any) -> Any:
        self.world.answer("tickets")
        mine = [t for t in self.world.tickets.values() if person_of(context).sees_brand(t.brand_id)]
        rest = [t for t in sorted(mine, key=lambda t: t.id) if t.id > request.page.after]
        page = rest[: request.page.limit]
        return tickets_pb.ListTicketsResponse(
            tickets=page, next=page[-1].id if len(rest) > len(page) else "", total=len(mine)
        )

    def GetTicket(self, request: Any, context: Any) -> Any:
        ticket = self._ticket(request.id, request.number)
        return tickets_pb.TicketWithInteractions(ticket=ticket, interactions=self.world.messages[ticket.id])

    def GetTickets(self, request: Any, context: Any) -> Any:
        self.world.answer("tickets")
        found = [self.world.tickets[one] for one in request.ids if one in self.world.tickets]
        return tickets_pb.ListTicketsResponse(tickets=[t for t in found if person_of(context).sees_brand(t.brand_id)])

    def Reply(self, request: Any, context: Any) -> Any:
        ticket = self._ticket(request.ticket_id)
        if request.key in self.world.replies:
            return tickets_pb.ReplyResponse(interaction=self.world.replies[request.key], ticket=ticket, duplicate=True)
        last = self.world.messages[ticket.id][-1]
        if request.last_seen and request.last_seen != last.id and not request.anyway:
            unseen = tickets_pb.UnseenInteractions(interactions=[last], ticket=ticket)
            raise Conflict("A message came meanwhile.", detail=unseen.SerializeToString())
        made = ticket_events.Interaction(
            id=f"int_reply{len(self.world.replies)}",
            ticket_id=ticket.id,
            text=request.text,
            delivery=intake_events.DELIVERY_STATE_QUEUED,
            attachments=request.attachments,
            direction=ticket_events.DIRECTION_OUT,
        )
        self.world.replies[request.key] = made
        self.world.htmls += [request.html] if request.html else []
        return tickets_pb.ReplyResponse(interaction=made, ticket=ticket)

    def AddNote(self, request: Any, context: Any) -> Any:
        ticket = self._ticket(request.ticket_id)
        return ticket_events.Interaction(
            id="int_note", ticket_id=ticket.id, kind="note", text=request.text, mentioned=request.mentioned
        )

    def ChangeTicket(self, request: Any, context: Any) -> Any:
        ticket = self._ticket(request.ticket_id)
        if request.version and request.version != ticket.version:
            raise Conflict("The ticket was changed meanwhile.", detail=ticket.SerializeToString())
        if request.HasField("state"):
            ticket.state = request.state
        ticket.version += 1
        return ticket

    def OpenFromMention(self, request: Any, context: Any) -> Any:
        self.world.answer("tickets")
        if request.key not in self.world.opened:
            self.world.opened.append(request.key)
        id_ = f"tkt_from_{request.key}"
        self.world.tickets.setdefault(id_, a_ticket(id_, 900, request.brand_id))
        self.world.messages.setdefault(id_, [])
        return self.world.tickets[id_]

    def GetCustomer(self, request: Any, context: Any) -> Any:
        self.world.answer("tickets")
        seen(request.id.removeprefix("cus_"))
        return tickets_pb.CustomerWithHistory(customer=ticket_events.Customer(id=request.id, name="Mara Customer"))


class Intake(intake_rpc.IntakeServicer):
    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.Lock()

    def AcceptContacts(self, request: Any, context: Any) -> Any:
        if self.world.gate is not None:
            self.world.gate.wait(5)
        self.world.answer("intake")
        with self.lock:
            self.world.batches.append(len(request.contacts))
            return intake_pb.AcceptContactsResponse(items=[self._accept(item) for item in request.contacts])

    def _accept(self, item: Any) -> intake_pb.Accepted:
        if item.account != "acc_api":
            return intake_pb.Accepted(error="There is no account of that id.", field="account", kind="not_found")
        self.world.file_sizes += [len(self.world.blobs.get(f.key)) for f in item.attachments if f.key]
        key = (item.account, item.external_id)
        duplicate = key in self.world.contacts
        id_ = self.world.contacts.setdefault(key, f"con_{len(self.world.contacts)}")
        return intake_pb.Accepted(id=id_, duplicate=duplicate)

    def CancelDelivery(self, request: Any, context: Any) -> Any:
        self.world.answer("intake")
        return intake_pb.CancelDeliveryResponse(cancelled=request.reply_id == "int_reply0")

    def ListBrands(self, request: Any, context: Any) -> Any:
        self.world.answer("intake")
        return intake_pb.ListBrandsResponse(
            brands=[intake_pb.Brand(id=SHOP, name="Shop"), intake_pb.Brand(id=OTHER, name="Other")]
        )

    def ListAccounts(self, request: Any, context: Any) -> Any:
        self.world.answer("intake")
        every = [intake_pb.Account(id=f"acc_{b}", brand_id=b, channel="email", state="on") for b in (SHOP, OTHER)]
        return intake_pb.ListAccountsResponse(accounts=[a for a in every if person_of(context).sees_brand(a.brand_id)])

    def SendNotice(self, request: Any, context: Any) -> Any:
        self.world.answer("intake")
        self.world.notices.append(request)
        return common.Empty()

    def CanSendNotices(self, request: Any, context: Any) -> Any:
        self.world.answer("intake")
        return intake_pb.CanSendNoticesResponse(able=self.world.can_send)

    def PutAccessKeys(self, request: Any, context: Any) -> Any:
        self.world.answer("intake")
        self.world.access_keys, self.world.pushes = list(request.keys), self.world.pushes + 1
        return common.Empty()


class Social(social_rpc.SocialServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    def IngestMentions(self, request: Any, context: Any) -> Any:
        self.world.answer("social")
        return social_pb.IngestMentionsResponse(
            items=[social_pb.IngestResult(id=f"men_{item.external_id}") for item in request.items]
        )

    def ListMentions(self, request: Any, context: Any) -> Any:
        self.world.answer("social")
        person = person_of(context)
        mine = [m for m in self.world.mentions.values() if any(person.sees_brand(b) for b in m.brand_ids)]
        return social_pb.ListMentionsResponse(mentions=mine, total=len(mine))

    def GetMention(self, request: Any, context: Any) -> Any:
        self.world.answer("social")
        mention = self.world.mentions.get(request.id)
        if mention is None:
            raise NotFound("There is no such mention.")
        seen(mention.brand_ids[0])
        return social_pb.MentionDetail(mention=mention)

    def ChangeMention(self, request: Any, context: Any) -> Any:
        self.GetMention(request, context)
        mention = self.world.mentions[request.id]
        if request.act == "ignore" and not request.reason:
            raise Invalid("Say why this mention needs no answer.", field="reason")
        mention.state = {"ignore": "ignored", "take": "mine"}.get(request.act, mention.state)
        return mention

    def ListAlerts(self, request: Any, context: Any) -> Any:
        self.world.answer("social")
        seen_ = [a for a in self.world.alerts.values() if person_of(context).sees_brand(a.brand_id)]
        mine = [a for a in seen_ if a.parent_id == request.parent_id]
        return social_pb.ListAlertsResponse(
            alerts=mine,
            total=len(mine),
            children=[a for a in seen_ if a.parent_id in {one.id for one in mine}],
            hours=[social_pb.AlertHours(alert_id=one.id, per_hour=[0] * 20 + [1, 5, 30, 6]) for one in mine],
            detector_lag_s=self.world.detector_lag_s,
        )

    def _alert(self, id_: str) -> social_events.Alert:
        self.world.answer("social")
        if id_ not in self.world.alerts:
            raise NotFound("There is no such alert.")
        seen(self.world.alerts[id_].brand_id)
        return self.world.alerts[id_]

    def GetAlert(self, request: Any, context: Any) -> Any:
        alert = self._alert(request.id)
        children = [one for one in self.world.alerts.values() if one.parent_id == alert.id]
        return social_pb.AlertDetail(
            alert=alert,
            posts=[self.world.mentions["men_one"]],
            children=children,
            parent=self.world.alerts.get(alert.parent_id),
            told=self.world.told,
            judged=9,
            judged_real=7,
        )

    def ChangeAlert(self, request: Any, context: Any) -> Any:
        alert = self._alert(request.id)
        if request.version and request.version != alert.version:
            raise Conflict("Somebody was first.", detail=alert.SerializeToString())
        alert.version += 1
        self.world.changes.append(request)
        if request.act == "link_ticket":
            alert.ticket_ids.append(request.ticket_id)
        if request.act == "claim":
            alert.owner, alert.state = request.user_id, "claimed"
        return alert


class Search(search_rpc.SearchServicer):
    def __init__(self, world: World) -> None:
        self.world = world

    def Find(self, request: Any, context: Any) -> Any:
        self.world.answer("search")
        hits = [
            search_pb.Hit(kind="ticket", id=t.id, ticket_id=t.id, number=t.number, title=t.subject, occurred_at=MOMENT)
            for t in self.world.tickets.values()
            if person_of(context).sees_brand(t.brand_id)
        ]
        return search_pb.FindResponse(hits=hits, total=len(hits), ignored=["stat:"])


class Operations(ops_rpc.OperationsServicer):
    def __init__(self, world: World, service: str) -> None:
        self.world, self.service = world, service

    def Health(self, request: Any, context: Any) -> Any:
        self.world.answer(self.service)
        return ops.HealthResponse(service=self.service, ready=True, dead_letters=2)

    def ListDeadLetters(self, request: Any, context: Any) -> Any:
        self.world.answer(self.service)
        every = [ops.DeadLetter(id=f"dlq_{n}", service=self.service, reason="poison") for n in range(2)]
        rest = [letter for letter in every if letter.id > request.page.after]
        page = rest[: request.page.limit]
        return ops.ListDeadLettersResponse(items=page, next=page[-1].id if len(rest) > len(page) else "")

    def ReplayDeadLetters(self, request: Any, context: Any) -> Any:
        self.world.answer(self.service)
        known = [one for one in request.ids if one in {"dlq_0", "dlq_1"}]
        self.world.replayed += [f"{self.service}.{one}" for one in known]
        results = [
            ops.ReplayOutcome(id=one, ok=one in known, kind="" if one in known else "not_found") for one in request.ids
        ]
        return ops.ReplayDeadLettersResponse(results=results)


def channels(world: World, keys: Keys, clock: Clock) -> dict[str, Any]:
    servicers: dict[str, tuple[Any, Any]] = {
        "tickets": (tickets_rpc.add_TicketsServicer_to_server, Tickets),
        "intake": (intake_rpc.add_IntakeServicer_to_server, Intake),
        "social": (social_rpc.add_SocialServicer_to_server, Social),
        "search": (search_rpc.add_SearchServicer_to_server, Search),
    }
    calls = call_counter(CollectorRegistry())
    found = {}
    for name, (add, servicer) in servicers.items():
        server: Any = LocalServer(Guard(service=name, keys=keys, clock=clock, calls=calls))
        add(servicer(world), server)
        ops_rpc.add_OperationsServicer_to_server(Operations(world, name), server)
        found[name] = server.channel()
    return found


@dataclass
class Rig:
    """A desk over fakes: `web` and `api` are its applications."""

    world: World
    service: Service
    desk: Desk
    parts: Any

    @property
    def web(self) -> Any:
        return next(mount.app for mount in self.service.mounts if mount.prefix == "/")

    @property
    def api(self) -> Any:
        return next(mount.app for mount in self.service.mounts if mount.prefix == "/api/v1")

    def password(self, email: str, *roles: str, **more: Any) -> str:
        return commands.create_user(self.parts.database, email=email, roles=roles, clock=self.parts.clock, **more)

    def token(self, *scopes: str, **more: Any) -> str:
        return commands.create_token(self.parts.database, name="test", scopes=scopes, clock=self.parts.clock, **more)

    def bearer(self, *scopes: str, **more: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(*scopes, **more)}"}

    def client(self, **more: Any) -> Browser:
        return Browser(self.api, **more)


@contextmanager
def a_rig(folder: Path, *, clock: Clock | None = None, pages: Any = None, **settings: Any) -> Iterator[Rig]:
    """A desk in `folder`; closed at the end."""
    clock = clock or SystemClock()
    keys = Keys(b"\x07" * 32)
    world = a_world()
    log = kitlib.make_log(folder)
    parts = kitlib.make_parts(
        folder,
        "desk",
        log=log,
        clock=clock,
        keys=keys,
        channels=channels(world, keys, clock),
        settings=replace(Settings(), data=folder, **settings),
    )
    world.blobs = parts.blobs
    desks: list[Desk] = []

    def keep(desk: Desk) -> Any:
        desks.append(desk)
        return pages(desk) if pages else None

    service = desk_app.build(parts, pages=keep)
    try:
        yield Rig(world, service, desks[0], parts)
    finally:
        for act in service.on_stop:
            act()
        parts.database.close()
        log.close()
        parts.egress.close()
