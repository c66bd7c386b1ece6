"""An owner of tickets in memory, its events in a log in memory, and search over both."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from pathlib import Path

from google.protobuf.message import Message

from ascolto.common.v1.envelope_pb2 import Envelope
from ascolto.tickets.v1 import events_pb2 as pb
from services.kit import topics
from services.kit.app import Worker
from services.kit.blobs import FolderBlobs
from services.kit.bus import Bounds, Part, Positions, Record
from services.kit.clock import ManualClock
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import Unavailable
from services.kit.ids import new_id
from services.kit.leases import Leases
from services.kit.principal import Person
from services.search import wire
from services.search.consumer import Indexer
from services.search.domain.document import Document, add_facts
from services.search.index.local import LocalEngine
from services.search.ports import Engine, Page
from services.search.usecases.find import Answer, Finder, Question
from services.search.usecases.generations import Generations
from services.search.usecases.rebuild import Rebuilder
from tests.kitlib import make_database

PERSON = Person("usr_1", permissions=frozenset({"search:read", "tickets:read"}))


class MemoryLog:
    """A log that keeps what it is given in the order it is given."""

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.records: dict[str, list[Record]] = {topic: [] for topic in wire.CONSUMES}

    def append(self, topic: str, message: Message, *, kind: str = "", data: bytes = b"") -> None:
        kind = kind or type(message).__name__
        event_id = new_id("evt")
        envelope = Envelope(event_id=event_id, kind=kind, payload=message.SerializeToString())
        records = self.records[topic]
        records.append(
            Record(topic, self.partition, len(records), "k", kind, event_id, data or envelope.SerializeToString())
        )

    def bounds(self, topic: str) -> dict[Part, Bounds]:
        return {Part(topic, self.partition): Bounds(0, len(self.records[topic]))}

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        return self.records[topic][offset : offset + limit]

    def first(self, places: Mapping[Part, int]) -> dict[Part, Record]:
        return {part: record for part, offset in places.items() for record in self.read(*part, offset, 1)}

    def join(self, group: str, topics_: Sequence[str], positions: Positions) -> MemoryReading:
        return MemoryReading(self, topics_, positions)

    def follow(self, topics_: Sequence[str], moment: object) -> MemoryReading:
        return MemoryReading(self, topics_, lambda parts: dict.fromkeys(parts, 0))

    def copy_parked(self, uow: object, records: object) -> None:
        return

    def migrate(self, retention: object) -> list[str]:
        return []

    def faults(self) -> list[str]:
        return []

    def workers(self, duties: object) -> list[Worker]:
        return []

    def ping(self) -> None:
        return

    def close(self) -> None:
        return


class MemoryReading:
    """Reads all of it, and never waits."""

    def __init__(self, log: MemoryLog, topics_: Sequence[str], positions: Positions) -> None:
        self.log, self.positions = log, positions
        self.next = dict(positions([Part(topic, log.partition) for topic in topics_]))

    def poll(self, limit: int, timeout_s: float) -> dict[Part, list[Record]]:
        read = {part: self.log.read(*part, position, limit) for part, position in self.next.items()}
        found = {part: records for part, records in read.items() if records}
        self.next |= {part: records[-1].offset + 1 for part, records in found.items()}
        return found

    def rewind(self, parts: Collection[Part]) -> None:
        self.next.update(self.positions(parts))

    def close(self) -> None:
        return


class Owner:
    """Tickets, interactions and customers with their newest rev; answers scans as the service does."""

    def __init__(self, blobs: FolderBlobs) -> None:
        self.blobs = blobs
        self.rev = 0
        self.tickets: dict[str, pb.Ticket] = {}
        self.interactions: dict[str, pb.Interaction] = {}
        self.customers: dict[str, pb.Customer] = {}
        self.after_page: Callable[[], None] | None = None
        self.away = False
        self.page_size = 3

    def next_rev(self) -> int:
        self.rev += 1
        return self.rev

    def scan(self, what: str, after_rev: int, limit: int) -> Page:
        if self.away:
            raise Unavailable("The owner is away.")
        if what == "mentions":
            return Page([], 0, done=True, total=0)
        rows = sorted((row for row in getattr(self, what).values()), key=lambda row: row.rev)
        rows = [row for row in rows if row.rev > after_rev]
        page = [type(row).FromString(row.SerializeToString()) for row in rows[: self.page_size]]
        if self.after_page is not None:
            self.after_page()
        if what == "tickets":
            changes = [wire.of_ticket(row) for row in page]
        elif what == "customers":
            changes = [wire.of_customer(row) for row in page]
        else:
            changes = []
            for row in page:
                changes += wire.of_interaction(row, None, self.blobs)
        last = page[-1].rev if page else after_rev
        return Page(changes, last, done=len(rows) <= self.page_size, total=len(rows))

    def recent(self, person: Person, words: Sequence[str], limit: int, *, newest: int = 0) -> list[Document]:
        if self.away:
            raise Unavailable("The owner is away.")
        found = [
            document
            for document in self.expected().values()
            if document.kind in {"message", "note"} and all(word.lower() in document.text.lower() for word in words)
        ]
        if newest:
            among = sorted((document.rev for document in self.expected().values()), reverse=True)[:newest]
            found = [document for document in found if document.rev in among]
        return sorted(found, key=lambda document: -document.occurred_us)[:limit]

    def ticket(self, person: Person, number: int) -> Document | None:
        return next((one for one in self.expected().values() if one.kind == "ticket" and one.number == number), None)

    def expected(self) -> dict[str, Document]:
        """What the index must hold, no more and no less."""
        found: dict[str, Document] = {}
        facts = {}
        for ticket in self.tickets.values():
            change = wire.of_ticket(ticket)
            assert change.document is not None
            assert change.facts is not None
            facts[ticket.id] = change.facts
            found[ticket.id] = add_facts(change.document, change.facts)
        for interaction in self.interactions.values():
            for document in wire.documents(wire.of_interaction(interaction, None, self.blobs)):
                if not document.deleted:
                    found[document.id] = add_facts(document, facts[document.ticket_id])
        for customer in self.customers.values():
            (found[customer.id],) = wire.documents([wire.of_customer(customer)])
        return found


class World:
    """Search with its owner, driven by hand."""

    def __init__(self, folder: Path, template: Path, engine: Engine | None = None) -> None:
        self.folder = folder
        self.engine = engine or LocalEngine("local:", folder / "search")
        if template.exists():  # on PostgreSQL the server keeps empty ones
            shutil.copy(template, folder / "search.db")
        self.clock = ManualClock()
        self.blobs = FolderBlobs(folder / "blobs")
        self.owner = Owner(self.blobs)
        self.log = MemoryLog()
        self.start()

    def start(self) -> None:
        self.database: SqliteDatabase = make_database(self.folder, "search", clock=self.clock, budget_s=1.0)
        self._begin("search")

    def beside(self, engine: Engine | None = None) -> World:
        """A second process over the same databases and index, which reads a partition of its own."""
        other = copy(self)
        other.engine, other.log = engine or self.engine, MemoryLog(self.log.partition + 1)
        other._begin(f"search-{other.log.partition}")
        return other

    def _begin(self, holder: str) -> None:
        self.generations = Generations(self.database, self.engine, clock=self.clock)
        self.indexer = Indexer(self.generations, self.database, self.log, self.blobs, clock=self.clock)
        self.rebuilder = Rebuilder(self.generations, self.owner, self.database, Leases(self.database), holder)
        self.finder = Finder(self.generations, self.owner, lambda: self.indexer.behind().events)

    def stop(self) -> None:
        self.generations.close()
        self.database.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def ready(self) -> World:
        self.rebuilder.run_once()
        self.indexer.run_once()
        return self

    def find(self, query: str, **changes: object) -> Answer:
        values: dict[str, object] = {"person": PERSON, "now": self.clock.now(), "zone": self.clock.now().tzinfo}
        return self.finder.find(Question(query, **(values | changes)))  # type: ignore[arg-type]  # fields by name

    def message(
        self, ticket_id: str, text: str, *, id_: str = "", kind: str = "message", **more: object
    ) -> pb.InteractionRecorded:
        """A message on a ticket, with the event that tells of it (not yet in the log)."""
        ticket = self.owner.tickets.get(ticket_id)
        if ticket is None:
            ticket = pb.Ticket(id=ticket_id, number=len(self.owner.tickets) + 1, brand_id="brd_1", subject="Un caso")
            ticket.state = pb.STATE_NEW
            self.owner.tickets[ticket_id] = ticket
        interaction = pb.Interaction(
            id=id_ or new_id("int"),
            ticket_id=ticket_id,
            brand_id="brd_1",
            kind=kind,
            channel="email",
            text=text,
            rev=self.owner.next_rev(),
            direction=pb.DIRECTION_IN,
            **more,  # type: ignore[arg-type]  # fields by name
        )
        interaction.occurred_at.FromDatetime(self.clock.now())
        self.owner.interactions[interaction.id] = interaction
        ticket.rev = self.owner.next_rev()
        return pb.InteractionRecorded(interaction=interaction, ticket=ticket)

    def say(self, ticket_id: str, text: str, **more: object) -> str:
        """A message that is told of at once; returns its id."""
        event = self.message(ticket_id, text, **more)  # type: ignore[arg-type]  # as above
        self.log.append(topics.TICKETS, event)
        return event.interaction.id

    def indexed(self) -> dict[str, Document]:
        """Everything the live index holds."""
        index = self.generations.live
        assert index is not None
        ids = {*self.owner.tickets, *self.owner.interactions, *self.owner.customers}
        found = {document.id: document for document in index.sources(sorted(ids))}
        assert index.documents() == len(found), "nothing but what the owner ever had"
        return found
