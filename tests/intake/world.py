"""Intake on SQLite as its tests use it: a shop with its accounts, the edges called in place, senders run by hand."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ascolto.common.v1.envelope_pb2 import Envelope, Identity
from ascolto.tickets.v1.events_pb2 import ReplyRequested
from services.intake import app as intake_app
from services.intake import sending
from services.intake.consumer import consumptions
from services.intake.domain.delivery import Delivery
from services.intake.ports import Outbound, Receipt
from services.intake.store import deliveries as delivery_store
from services.intake.usecases.accounts import Accounts
from services.kit import topics
from services.kit.app import Service
from services.kit.backends import Parts
from services.kit.bus import Record
from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from tests import kitlib

TOKEN = "tok-for-tests"


@dataclass
class World:
    """One intake service and its shop."""

    parts: Parts
    service: Service
    clock: ManualClock
    log: LocalLog
    brand: str
    slug: str
    accounts: dict[str, str]
    senders: list[sending.Sender] = field(default_factory=list)

    @property
    def hooks(self) -> Any:
        return self.service.mounts[0].app

    @property
    def pages(self) -> Any:
        return self.service.mounts[1].app

    @property
    def room(self) -> Any:
        return self.pages._shared.room

    @property
    def directory(self) -> Any:
        return self.senders[0]._directory

    def events(self, topic: str, kind: str = "") -> list[Record]:
        records = self.log.read(topic, 0, self.log.begin(topic), 10_000)
        return [record for record in records if kind in ("", record.kind)]

    def call(self, app: Any, method: str, path: str, **more: Any) -> httpx.Response:
        return asyncio.run(request(app, method, path, **more))

    def post(self, content: Any, *, account: str = "", **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {TOKEN}"} | more.pop("headers", {})
        body = {"json": content} if not isinstance(content, bytes) else {"content": content}
        return self.call(
            self.hooks, "POST", f"/hooks/api/{account or self.accounts['api']}", headers=headers, **body, **more
        )

    def ask(self, reply: ReplyRequested) -> str:
        """Hands a reply over as the consumer does; the delivery's id."""
        payload = reply.SerializeToString()
        envelope = Envelope(payload=payload)
        record = Record(
            topics.REPLIES,
            0,
            0,
            reply.ticket_id,
            "ReplyRequested",
            f"evt_{reply.reply_id}",
            envelope.SerializeToString(),
        )
        handle = consumptions(self.clock, {"email"})[0].handle
        self.parts.database.write(lambda uow: handle([record], uow))
        return self.delivery(reply.reply_id).id

    def delivery(self, reply_id: str) -> Delivery:
        with self.parts.database.read() as reader:
            found = delivery_store.find_by_reply(reader, reply_id)
        assert found is not None
        return found

    def send_all(self) -> None:
        while any(sender.step() for sender in self.senders):
            pass


async def request(app: Any, method: str, path: str, **more: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://care.example") as client:
        return await client.request(method, path, **more)


def contact(external_id: str = "app-1", **more: Any) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "from": {"email": "mara@posta.example", "name": "Mara"},
        "text": "Dov'è il pacco?",
    } | more


def reply(world: World, reply_id: str = "int_1", channel: str = "api", **more: Any) -> ReplyRequested:
    values: dict[str, Any] = {
        "reply_id": reply_id,
        "ticket_id": "tkt_1",
        "ticket_number": 10001,
        "brand_id": world.brand,
        "account_id": world.accounts[channel],
        "channel": channel,
        "conversation": "order-1",
        "text": "Arriva domani.",
    } | more
    made = ReplyRequested(**values)
    made.to.append(Identity(kind="email", value="mara@posta.example"))
    made.requested_at.FromDatetime(world.clock.now())
    return made


class FakeChannel:
    """A channel whose `send` does what the test says."""

    id = "fake"
    fields = ()

    def __init__(self, like: Any, act: Callable[[Outbound], Receipt]) -> None:
        self.capabilities, self.act = like.capabilities, act
        self.sent: list[Outbound] = []

    def send(self, outbound: Outbound, account: Any) -> Receipt:
        self.sent.append(outbound)
        return self.act(outbound)


def fake(world: World, channel: str, act: Callable[[Outbound], Receipt]) -> FakeChannel:
    made = FakeChannel(world.directory.channels[channel], act)
    world.directory.channels[channel] = made
    return made


def good_receipt(outbound: Outbound) -> Receipt:
    return Receipt(f"<{outbound.delivery_id}@lumaca.example>")


def make_world(folder: Path, database: Any, log: LocalLog, clock: ManualClock) -> World:
    parts = kitlib.make_parts(folder, "intake", database=database, log=log, clock=clock)
    service = intake_app.build(parts)
    senders = [worker for worker in service.workers if isinstance(worker, sending.Sender)]
    world = World(parts, service, clock, log, "", "", {}, senders)
    accounts = Accounts(parts.database, world.directory, parts.secrets)
    brand, world.accounts = accounts.ensure_defaults(name="Lumaca Casa", email="aiuto@lumaca.example")
    world.brand, world.slug = brand.id, brand.slug
    from services.intake.store import accounts as account_store

    hashed = hashlib.sha256(TOKEN.encode()).digest()
    database.write(lambda uow: account_store.replace_access_keys(uow, [("tok_1", hashed, ["contacts:write"])]))
    world.directory.reload()
    return world
