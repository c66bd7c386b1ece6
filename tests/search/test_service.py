"""The service as others meet it: calls through the guard, real log, real threads, restart, progress, health."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.search.v1 import service_pb2 as pb
from ascolto.search.v1.service_pb2_grpc import SearchStub
from ascolto.tickets.v1 import events_pb2 as tickets
from services.kit import topics
from services.kit.app import Service
from services.kit.errors import Forbidden, Invalid
from services.kit.principal import Person
from services.kit.rpc.caller import Caller
from services.kit.rpc.guard import Guard, call_counter
from services.kit.rpc.local import LocalServer
from services.kit.uow import Event
from services.search.app import build
from tests.kitlib import make_kit_database, make_log, make_parts, wait_until
from tests.search.world import Owner

AGENT = Person("usr_1", permissions=frozenset({"search:read", "tickets:read"}))


@dataclass
class Running:
    """The service with its threads, its owner, and a way to call it."""

    service: Service
    owner: Owner
    tickets: Any
    caller: Caller
    stub: SearchStub
    stop: threading.Event
    threads: list[threading.Thread]

    def find(self, query: str, person: Person = AGENT, **fields: Any) -> pb.FindResponse:
        return self.caller.invoke(self.stub.Find, pb.FindRequest(query=query, **fields), person=person)

    def status(self) -> pb.StatusResponse:
        return self.caller.invoke(self.stub.Status, Empty())

    def say(self, ticket_id: str, text: str) -> None:
        """A message at the owner, told of through its outbox."""
        owner = self.owner
        ticket = owner.tickets.setdefault(ticket_id, tickets.Ticket(id=ticket_id, number=len(owner.tickets) + 1))
        ticket.brand_id, ticket.state, ticket.rev = "brd_1", tickets.STATE_OPEN, owner.next_rev()
        interaction = tickets.Interaction(id=f"int_{owner.rev}", ticket_id=ticket_id, kind="message", text=text)
        interaction.rev, interaction.brand_id = owner.next_rev(), "brd_1"
        owner.interactions[interaction.id] = interaction
        event = tickets.InteractionRecorded(interaction=interaction, ticket=ticket)
        made = Event(topics.TICKETS, ticket_id, interaction.id, interaction.rev, event)
        self.tickets.write(lambda uow: uow.emit(made))

    def end(self) -> None:
        self.stop.set()
        for act in self.service.on_stop:
            act()
        for thread in self.threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in self.threads)
        self.service.database.close()


class House:
    """A data folder in which the service can be started again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "kit").mkdir()
        self.log = make_log(folder)
        self.tickets = make_kit_database(folder, "tickets", log=self.log)
        self.social = make_kit_database(folder, "social", log=self.log)
        self.running: Running | None = None
        self.owner: Owner | None = None

    def start(self) -> Running:
        parts = make_parts(self.folder, "search", log=self.log)
        self.owner = self.owner or Owner(parts.blobs)  # type: ignore[arg-type]  # the folder's blobs
        service = build(parts, self.owner)
        counter = call_counter(CollectorRegistry())
        server: Any = LocalServer(Guard(service="search", keys=parts.keys, clock=parts.clock, calls=counter))
        for register in service.rpc:
            register(server)
        stop = threading.Event()
        threads = [threading.Thread(target=worker.run, args=(stop,), daemon=True) for worker in service.workers]
        for thread in threads:
            thread.start()
        caller = Caller(service="desk", keys=parts.keys, clock=parts.clock)
        self.running = Running(service, self.owner, self.tickets, caller, SearchStub(server.channel()), stop, threads)
        wait_until(lambda: self.running is not None and self.running.status().state == "ready")
        return self.running

    def close(self) -> None:
        if self.running is not None:
            self.running.end()
        self.tickets.close()
        self.social.close()
        self.log.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_what_is_said_is_found_within_a_moment(house: House) -> None:
    running = house.start()
    running.say("tkt_1", "Il pacco è <b>danneggiato</b>")

    found = wait_until(lambda: (answer := running.find("pacco danneggiati", by_ticket=True)).hits and answer)

    (hit,) = found.hits
    assert (hit.kind, hit.ticket_id, hit.state, found.total) == ("message", "tkt_1", "open", 1)
    assert hit.snippet_html == "Il <mark>pacco</mark> è &lt;b&gt;<mark>danneggiato</mark>&lt;/b&gt;"
    assert {facet.field for facet in found.facets} >= {"kind", "channel", "brand", "state"}
    assert not found.degraded


def test_everything_is_there_after_a_restart(house: House) -> None:
    running = house.start()
    for number in range(50):
        running.say(f"tkt_{number}", f"pacco {number}")
    wait_until(lambda: running.find("pacco").total == 50)
    running.end()

    again = house.start()
    again.say("tkt_50", "pacco 50")

    wait_until(lambda: again.find("pacco").total == 51)
    assert again.status().generation == "1"


def test_a_rebuild_shows_progress_and_ends_ready_with_the_same_documents(house: House) -> None:
    running = house.start()
    for number in range(20):
        running.say(f"tkt_{number}", f"pacco {number}")
    wait_until(lambda: running.find("pacco").total == 20)
    operator = Person("usr_2", permissions=frozenset({"operations"}))

    begun = running.caller.invoke(running.stub.Rebuild, Empty(), person=operator)

    assert begun.state == "rebuilding"
    wait_until(lambda: running.status().generation == "2" and running.status().state == "ready")
    status = running.status()
    assert status.documents == 40
    assert dict(status.by_kind) == {"message": 20, "ticket": 20}
    assert running.find("pacco").total == 20


def test_paging_through_the_call_shows_everything_once(house: House) -> None:
    running = house.start()
    for number in range(45):
        running.say(f"tkt_{number}", f"pacco {number}")
    wait_until(lambda: running.find("pacco").total == 45)
    seen: list[str] = []
    after = ""

    while True:
        page = running.find("pacco sort:new", limit=20, after=after)
        seen += [hit.id for hit in page.hits]
        if not page.next:
            break
        after = page.next

    assert len(seen) == len(set(seen)) == 45


@pytest.mark.parametrize("after", ["x", "W10", "WyJhIl0", "!!", "WzEsMiwtM10", "é"])
def test_a_foreign_cursor_is_refused_by_name(house: House, after: str) -> None:
    running = house.start()

    with pytest.raises(Invalid) as caught:
        running.find("pacco", after=after)

    assert caught.value.field == "after"


def test_who_may_not_search_is_refused(house: House) -> None:
    running = house.start()

    with pytest.raises(Forbidden):
        running.find("pacco", person=Person("usr_3"))


def test_an_unknown_time_zone_is_no_error(house: House) -> None:
    running = house.start()

    for zone in ("Europe/Rome", "Middle/Earth", "../../etc/passwd", "", "Europe"):
        running.find("on:today", time_zone=zone)
