"""Makes the fictional shop: two brands, their accounts, people, canned answers, watches, sources and a quiet fortnight.

Repeatable: what is there already is only led to where the simulated world listens today.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ascolto.common.v1.envelope_pb2 import MODE_IMPORT, Empty
from ascolto.intake.v1 import service_pb2 as intake_pb
from ascolto.intake.v1.service_pb2_grpc import IntakeStub
from ascolto.social.v1 import service_pb2 as social_pb
from ascolto.social.v1.service_pb2_grpc import SocialStub
from ascolto.tickets.v1 import service_pb2 as tickets_pb
from ascolto.tickets.v1.service_pb2_grpc import TicketsStub
from services.demo.world import World
from services.kit.application import Application
from services.kit.rpc import Caller
from services.social import app as social

_FORTNIGHT = 14
_A_DAY = 40
_CHUNK = 200
_CANNED = (
    (
        "Reso: come funziona",
        "reso",
        {
            "it": "Buongiorno {{customer.name}},\n\nil reso è gratuito entro 30 giorni. Le mando l'etichetta per l'ordine {{order.number}}.\n\nCordiali saluti,\n{{agent.name}}",
            "en": "Hello {{customer.name}},\n\nreturns are free within 30 days. I am sending you the label for order {{order.number}}.\n\nKind regards,\n{{agent.name}}",
            "de": "Guten Tag {{customer.name}},\n\ndie Rücksendung ist 30 Tage lang kostenlos. Ich schicke Ihnen den Aufkleber für die Bestellung {{order.number}}.\n\nMit freundlichen Grüßen\n{{agent.name}}",
        },
    ),
    (
        "Pacco danneggiato: scuse e pezzo nuovo",
        "rotto",
        {
            "it": "Buongiorno {{customer.name}},\n\nmi dispiace per il pacco danneggiato. Le spedisco subito un pezzo nuovo; quello rotto può tenerlo.\n\nUn caro saluto,\n{{agent.name}}",
            "en": "Hello {{customer.name}},\n\nI am sorry about the damaged parcel. A new one leaves today; please keep the broken one.\n\nKind regards,\n{{agent.name}}",
        },
    ),
    (
        "Preso in carico",
        "ok",
        {
            "it": "Grazie del messaggio, ce ne occupiamo subito.\n\n{{agent.name}}",
            "en": "Thank you, we are on it.\n\n{{agent.name}}",
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Shop:
    """What was made."""

    brand_id: str
    slug: str
    address: str
    accounts: dict[str, str]


def prepare(app: Application, world: World, people: dict[str, Any]) -> list[Shop]:
    """Sets everything up on a wired application; the simulated world must be running."""
    caller = Caller(service="demo", keys=app.keys, clock=app.clock)
    desk = _Desk(app, caller)
    shops = [_shop(app, desk, brand, world) for brand in people["brands"]]
    desk.canned()
    desk.sources(shops[0].brand_id, world)
    desk.watches(shops[0].brand_id)
    desk.fortnight(people)
    return shops


def _shop(app: Application, desk: _Desk, brand: dict[str, str], world: World) -> Shop:
    brand_id, accounts = desk.brand(brand["name"], brand["email"])
    social.ensure_watch(app.parts("social"), brand_id=brand_id, brand=brand["name"])
    slug = desk.open_all_day(brand_id)
    if "x" in brand:
        accounts["x"] = desk.x_account(brand_id, world)
    return Shop(brand_id, slug, brand["email"], accounts)


class _Desk:
    """The calls that setting up needs."""

    def __init__(self, app: Application, caller: Caller) -> None:
        self._call = caller.invoke
        self._intake = IntakeStub(app.channels["intake"])
        self._social = SocialStub(app.channels["social"])
        self._tickets = TicketsStub(app.channels["tickets"])
        self._app = app

    def brand(self, name: str, email: str) -> tuple[str, dict[str, str]]:
        """A brand with its usual accounts."""
        wanted = intake_pb.EnsureBrandRequest(name=name, email=email)
        made = self._call(self._intake.EnsureBrand, wanted, timeout_s=20)
        return made.brand.id, dict(made.accounts)

    def open_all_day(self, brand_id: str) -> str:
        """The demo's shop answers at any hour, so that whoever tries it sees chats at night too; returns its slug."""
        brands = self._call(self._intake.ListBrands, Empty()).brands
        brand = next(one for one in brands if one.id == brand_id)
        if len(brand.hours.openings) != 7 or brand.languages != ["it", "en", "de", "fr", "es", "pt"]:
            del brand.hours.openings[:]
            for weekday in range(7):
                brand.hours.openings.add(weekday=weekday, opens_minute=0, closes_minute=24 * 60)
            brand.languages[:] = ["it", "en", "de", "fr", "es", "pt"]
            self._call(self._intake.PutBrand, brand)
        return brand.slug

    def x_account(self, brand_id: str, world: World) -> str:
        """The account that answers on X, led to the simulated one."""
        listed = self._call(self._intake.ListAccounts, intake_pb.ListAccountsRequest(brand_id=brand_id, channel="x"))
        known = listed.accounts[0] if listed.accounts else None
        request = intake_pb.PutAccountRequest(
            id=known.id if known else "",
            version=known.version if known else 0,
            brand_id=brand_id,
            channel="x",
            address=world.x.own.handle,
            settings={"base_url": world.url, "allow_hosts": "127.0.0.1"},
            secrets={"user_token": world.x.token},
        )
        return self._call(self._intake.PutAccount, request).id

    def canned(self) -> None:
        """Canned answers, once."""
        if self._call(self._tickets.ListCannedAnswers, tickets_pb.ListCannedAnswersRequest()).answers:
            return
        for title, shortcut, texts in _CANNED:
            self._call(
                self._tickets.PutCannedAnswer, tickets_pb.CannedAnswer(title=title, shortcut=shortcut, texts=texts)
            )

    def sources(self, brand_id: str, world: World) -> None:
        """X, the feed and batches, led to where the world listens now."""
        known = {one.name: one for one in self._call(self._social.ListSources, Empty()).sources}
        wanted: tuple[tuple[str, str, dict[str, str], dict[str, str]], ...] = (
            (
                "X",
                "x",
                {"base_url": world.url, "allow_hosts": "127.0.0.1", "every_s": "5"},
                {"bearer_token": world.x.token},
            ),
            ("Spesa e Casa", "rss", {"url": f"{world.url}/feed.xml", "allow_hosts": "127.0.0.1", "every_s": "5"}, {}),
            ("Batch", "replay", {}, {}),
        )
        for name, kind, settings, secrets in wanted:
            before = known.get(name)
            request = social_pb.PutSourceRequest(
                id=before.id if before else "",
                version=before.version if before else 0,
                kind=kind,
                name=name,
                on=True,
                brand_id=brand_id,
                settings=settings,
                secrets=secrets,
            )
            self._call(self._social.PutSource, request)

    def watches(self, brand_id: str) -> None:
        """A second watch beside the brand's own."""
        names = {one.name for one in self._call(self._social.ListWatches, Empty()).watches}
        if "Consegne" not in names:
            query = '("lumaca casa" OR @lumacacasa) (corrier* OR consegn* OR pacc* OR courier* OR parcel* OR paket* OR colis)'
            watch = social_pb.Watch(name="Consegne", brand_id=brand_id, query=query, alerting=False)
            self._call(self._social.PutWatch, watch)

    def fortnight(self, people: dict[str, Any]) -> None:
        """Two weeks of quiet mentions in mode import: they teach the detector and alert nobody."""
        items = quiet_fortnight(people, datetime.now(UTC))
        source = next(one.id for one in self._call(self._social.ListSources, Empty()).sources if one.kind == "x")
        for start in range(0, len(items), _CHUNK):
            request = social_pb.IngestMentionsRequest(
                source=source, items=items[start : start + _CHUNK], mode=MODE_IMPORT
            )
            self._call(self._social.IngestMentions, request, timeout_s=60)


def quiet_fortnight(people: dict[str, Any], now: datetime) -> Sequence[social_pb.NewMention]:
    """Some 40 mentions a day up to an hour ago, oldest first, always the same for a date."""
    source = random.Random(14)
    made = []
    for day in range(_FORTNIGHT, 0, -1):
        for number in range(_A_DAY):
            at = now - timedelta(days=day) + timedelta(hours=23 * number / _A_DAY, minutes=source.random() * 20)
            language, text = source.choice(people["quiet"])
            handle, name, followers = source.choice(people["authors"])
            item = social_pb.NewMention(
                external_id=f"past-{at:%Y%m%d}-{number}",
                author_id=handle,
                author_handle=handle,
                author_name=name,
                followers=followers,
                text=f"{text} ({day * _A_DAY + number})",
                language=language,
            )
            item.occurred_at.FromDatetime(at)
            made.append(item)
    return made
