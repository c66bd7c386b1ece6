"""The service on SQLite, called as the desk calls it: what tests of listening share."""

from __future__ import annotations

import random
from datetime import timedelta

from prometheus_client import CollectorRegistry

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.social.v1 import service_pb2 as pb
from ascolto.social.v1.service_pb2_grpc import SocialStub
from services.kit.clock import ManualClock
from services.kit.principal import Person
from services.kit.rpc import Caller, Guard, LocalServer
from services.kit.rpc.guard import call_counter
from services.kit.secrets import Keys
from services.social import app
from services.social.store import config
from services.social.store.rows import micros
from tests.kitlib import drain, make_consumers, make_log, make_parts

AGENT = Person("usr_a", permissions=frozenset({"admin"}))
ANGRY = [
    "Lumaca Casa ha perso il mio pacco e nessuno risponde, pessimo servizio",
    "Pacco danneggiato e mai rimborsato: con Lumaca Casa ho chiuso, vergogna",
    "Lumaca Casa lost my parcel, terrible support, I want my money back",
    "Nie wieder Lumaca Casa, das Paket ist weg und niemand antwortet, furchtbar",
    "Tre settimane di attesa e il pacco è perso: Lumaca Casa delusione totale",
]
CALM = [
    "Ordine da Lumaca Casa arrivato, tutto perfetto",
    "Qualcuno conosce Lumaca Casa?",
    "Bella la lampada di Lumaca Casa",
]


class Social:
    """The service on SQLite, called as the desk calls it."""

    def __init__(self, folder):
        self.clock = ManualClock()
        self.log = make_log(folder)
        keys = Keys(b"\x07" * 32)
        self.parts = make_parts(folder, "social", log=self.log, clock=self.clock, keys=keys)
        self.service = app.build(self.parts)
        counter = call_counter(CollectorRegistry())
        server = LocalServer(Guard(service="social", keys=keys, clock=self.clock, calls=counter))
        for register in self.service.rpc:
            register(server)
        self.stub = SocialStub(server.channel())
        self.caller = Caller(service="desk", keys=keys, clock=self.clock)
        self.consumers = make_consumers([self.service], self.log, self.clock)
        self.watch = app.ensure_watch(self.parts, brand_id="brd_1", brand="Lumaca Casa")

    def call(self, method, request, person=AGENT):
        return self.caller.invoke(getattr(self.stub, method), request, person=person, timeout_s=20)

    def post(self, number, text, at, *, handle="", followers=50, mode=1):
        item = pb.NewMention(
            external_id=f"p{number}", author_handle=handle or f"a{number}", text=text, followers=followers
        )
        item.occurred_at.FromDatetime(at)
        return self.call("IngestMentions", pb.IngestMentionsRequest(source="replay", items=[item], mode=mode)).items[0]

    def quiet_fortnight(self, per_day=12, mode=3):
        source = random.Random(7)
        start = self.clock.now() - timedelta(days=14)
        items = []
        for day in range(14):
            for number in range(per_day):
                item = pb.NewMention(
                    external_id=f"q{day}-{number}",
                    author_handle=f"q{source.randrange(99)}",
                    text=f"{source.choice(CALM)} {day}{number}",
                )
                item.occurred_at.FromDatetime(start + timedelta(days=day, hours=24 * number / per_day))
                items.append(item)
        self.call(
            "IngestMentions", pb.IngestMentionsRequest(source="replay", items=items, mode=2 if mode == 3 else mode)
        )
        drain(self.consumers)

    def act(self, alert, act, **more):
        """Changes an alert as it is now."""
        return self.call("ChangeAlert", pb.ChangeAlertRequest(id=alert.id, act=act, **more))

    def heard(self):
        """Says that the source was read until now."""
        source = self.call("ListSources", Empty()).sources[0]
        now_us = micros(self.clock.now())
        self.parts.database.write(lambda uow: config.progress(uow, source.id, cursor="", now_us=now_us))

    def tidy(self):
        """Runs the housekeeping once."""
        next(one for one in self.service.workers if one.name == "social-housekeeping").run_once()

    def alerts(self):
        drain(self.consumers)
        return self.call("ListAlerts", pb.ListAlertsRequest()).alerts

    def burst(self, count=30, first=0):
        for number in range(first, first + count):
            self.clock.advance(seconds=10)
            self.post(f"b{number}", f"{ANGRY[number % len(ANGRY)]} {'x' * number}", self.clock.now())
