"""A small world for tests of tickets: one brand or two, their accounts, contacts as intake would send them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.common.v1.envelope_pb2 import Envelope, Identity
from ascolto.intake.v1.events_pb2 import Capabilities as CapabilitiesMessage
from ascolto.intake.v1.events_pb2 import ContactAmended, ContactReceived, Delivery, DeliveryChanged
from ascolto.tickets.v1.events_pb2 import Interaction
from services.kit.bus import Record
from services.kit.clock import ManualClock
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import Unavailable
from services.kit.ids import new_id
from services.kit.principal import Person
from services.kit.secrets import Keys
from services.tickets.consumer import Consumer
from services.tickets.domain.brand import Account, Brand, Directory
from services.tickets.usecases import read
from services.tickets.usecases.common import Act
from services.tickets.usecases.read import Whole
from services.tickets.usecases.reply import Answered, Draft, reply
from services.tickets.wire.values import capabilities

MAIL = CapabilitiesMessage(
    replies=True,
    html=True,
    subject=True,
    recipients=True,
    letters=True,
    undo_s=8,
    max_attachments=3,
    max_attachment_bytes=1_000,
)
FORM = CapabilitiesMessage(replies_by="email", letters=True)
CHAT = CapabilitiesMessage(replies=True, live=True)
POST = CapabilitiesMessage(replies=True, public=True, max_length=280, length_unit="x_weighted")
ANNA = Person("usr_anna", "Anna Rossi", permissions=frozenset({"tickets:read", "tickets:write"}))
BRUNO = Person("usr_bruno", "Bruno Verdi", permissions=frozenset({"tickets:read", "tickets:write"}))
STRANGER = Person("usr_other", "Olga Neri", brand_ids=frozenset({"brd_other"}))

_counter = itertools.count(1)


def account(identifier: str, channel: str, rules: CapabilitiesMessage, address: str = "") -> Account:
    return Account(identifier, "brd_shop", channel, address, capabilities=capabilities(rules))


class Brands:
    """Brands without an intake."""

    def __init__(self, *, brand: Brand | None = None, away: bool = False) -> None:
        shop = brand or Brand("brd_shop", name="Bottega Esempio", signature="Bottega Esempio, Via Finta 1")
        accounts = [
            account("acc_mail", "email", MAIL, "aiuto@bottega.example"),
            account("acc_form", "webform", FORM),
            account("acc_chat", "chat", CHAT),
            account("acc_x", "x", POST, "@bottega"),
        ]
        self.value = Directory(
            brands={"brd_shop": shop, "brd_other": Brand("brd_other", name="Altra Bottega")},
            accounts={one.id: one for one in accounts},
        )
        self.away = away

    def directory(self) -> Directory:
        return self.value

    def known(self, brand_ids: Collection[str], received_us: int) -> Directory:
        if self.away:
            raise Unavailable("away")
        return self.value


def stamp(clock: ManualClock, seconds: float = 0) -> Timestamp:
    made = Timestamp()
    made.FromMicroseconds(int((clock.now().timestamp() + seconds) * 1_000_000))
    return made


def contact(clock: ManualClock, **given: Any) -> ContactReceived:
    """A mail from a customer unless told otherwise. `sender` is an address; `verified` its strength."""
    number = next(_counter)
    sender = given.pop("sender", "carla@customers.example")
    who = given.pop("who", None) or Identity(
        kind="email", value=sender, name=given.pop("name", "Carla"), verified=given.pop("verified", False)
    )
    base: Any = {
        "contact_id": new_id("con"),
        "account_id": "acc_mail",
        "brand_id": "brd_shop",
        "channel": "email",
        "conversation": sender,
        "external_id": f"<m{number}@customers.example>",
        "subject": "Pacco danneggiato",
        "text": "Il pacco è arrivato rotto.",
        "automatic": 1,
        "threading": 1,
        "language": "it",
        "capabilities": MAIL,
        "received_at": stamp(clock),
        "occurred_at": stamp(clock),
    }
    base |= given
    if base["threading"] == 1 and "message_id" not in base:
        base["message_id"] = base["external_id"]
    base["from"] = who
    return ContactReceived(**base)


def chat(clock: ManualClock, visitor: str = "v1", **given: Any) -> ContactReceived:
    base: dict[str, Any] = {
        "account_id": "acc_chat",
        "channel": "chat",
        "conversation": visitor,
        "threading": 2,
        "capabilities": CHAT,
        "who": Identity(kind="visitor", value=visitor),
        "subject": "",
        "external_id": new_id("cli"),
    }
    return contact(clock, **(base | given))


def record(payload: Any, *, mode: int = 1, offset: int = 0) -> Record:
    kind = payload.DESCRIPTOR.name
    event_id = new_id("evt")
    envelope = Envelope(event_id=event_id, kind=kind, producer="intake", payload=payload.SerializeToString())
    envelope.mode = mode  # type: ignore[assignment]  # the contract's number
    return Record("t", 0, offset, "k", kind, event_id, envelope.SerializeToString())


def amended(of: ContactReceived, act: str, text: str = "", at_s: int = 1) -> ContactAmended:
    return ContactAmended(
        amendment_id=new_id("amd"),
        account_id=of.account_id,
        brand_id=of.brand_id,
        external_id=of.external_id,
        act=act,
        text=text,
        occurred_at=Timestamp(seconds=at_s),
    )


def news(reply_id: str, state: int, rev: int, **more: Any) -> DeliveryChanged:
    told: Any = {"id": f"dlv_{reply_id}", "reply_id": reply_id, "state": state, "rev": rev} | more
    return DeliveryChanged(delivery=Delivery(**told))


class World:
    """A database with the consumer over it."""

    def __init__(self, database: SqliteDatabase, clock: ManualClock, brands: Brands | None = None) -> None:
        self.database, self.clock, self.brands = database, clock, brands or Brands()
        self.consumer = Consumer(brands=self.brands, clock=clock, keys=Keys(b"\x07" * 32))

    def take(self, *payloads: Any, mode: int = 1) -> None:
        """Consumes contacts and amendments as one batch."""
        records = [record(one, mode=mode) for one in payloads]
        self._write(len(records), lambda uow: self.consumer.contacts(records, uow))

    def hear(self, *payloads: DeliveryChanged) -> None:
        """Consumes news of deliveries."""
        records = [record(one) for one in payloads]
        self._write(len(records), lambda uow: self.consumer.deliveries(records, uow))

    def _write(self, rows: int, function: Any) -> None:
        function.rows = rows
        self.database.write(function)

    def act(self, person: Person = ANNA) -> Act:
        return Act(
            person,
            int(self.clock.now().timestamp() * 1_000_000),
            tuple(new_id("int") for _ in range(7)),
            new_id("aud"),
        )

    def ids(self) -> list[str]:
        return [str(row[0]) for row in self.rows("SELECT id FROM tickets ORDER BY number")]

    def rows(self, text: str) -> list[Any]:
        with self.database.read() as reader:
            return list(reader.rows(Sql(text)))

    def whole(self, ticket_id: str = "", person: Person = ANNA) -> Whole:
        with self.database.read() as reader:
            return read.get_ticket(reader, person, ticket_id=ticket_id or self.ids()[-1], number=0)

    def thread(self, ticket_id: str = "") -> list[Interaction]:
        return [Interaction.FromString(one.data) for one in self.whole(ticket_id).interactions]

    def events(self, kind: str) -> Sequence[Any]:
        """Payloads of one kind in the outbox, oldest first."""
        from ascolto.tickets.v1 import events_pb2

        made = getattr(events_pb2, kind)
        found = self.rows(f"SELECT data FROM outbox WHERE kind = '{kind}' ORDER BY id")
        return [made.FromString(Envelope.FromString(data).payload) for (data,) in found]

    def reply(self, person: Person = ANNA, **given: Any) -> Answered:
        given.setdefault("ticket_id", self.ids()[-1])
        given.setdefault("text", "Ci dispiace: ne parte subito un altro.")
        act, draft, directory = self.act(person), Draft(**given), self.brands.directory()
        return self.database.write(lambda uow: reply(uow, act, draft, directory=directory))
