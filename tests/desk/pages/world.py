# ruff: noqa: N802 (calls are named by the contract)
"""A fuller world over the fakes: a shop's day, so that every page has something to show; and the desk served on a port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.common.v1 import envelope_pb2 as common
from ascolto.common.v1 import operations_pb2 as ops
from ascolto.intake.v1 import events_pb2 as intake_events
from ascolto.intake.v1 import service_pb2 as intake_pb
from ascolto.search.v1 import service_pb2 as search_pb
from ascolto.social.v1 import events_pb2 as social_events
from ascolto.social.v1 import service_pb2 as social_pb
from ascolto.tickets.v1 import events_pb2 as ticket_events
from ascolto.tickets.v1 import service_pb2 as tickets_pb
from services.desk.pages import build_pages
from tests.desk import fakes

EMAIL, PASSWORD = "elisa.monti@lumaca.example", "una frase lunga e semplice"
PEOPLE = (
    ("Otello Brambati", "Il pacco risulta consegnato ma non c’è", "negative"),
    ("Wilma Sognante", "Rimborso del reso LC-20311 non arrivato", ""),
    ("Marta Quercioli", "La lampada è arrivata con il vetro rotto", ""),
    ("Teo Vallescura", "Il codice sconto non funziona nel carrello", ""),
    ("ليلى حدّاد", "طلب إرجاع المصباح الزجاجي", ""),
    ("Annibale Pratovecchio-Serristori", "Preventivo per 24 appliques, consegna in due piani diversi", ""),
)
POSTS = (
    ("@pacchi_smarriti", 38000, "Altro giro di Zefirpost: tre ordini da @lumacacasa fermi «in consegna» da lunedì. Il negozio sapeva dello sciopero e non ha scritto una riga.", 1, 38),
    ("@ines_card", 410, "@lumacacasa terza volta che rimandate la consegna. Era il regalo di compleanno di mio padre. Voglio il rimborso.", 1, 0),
    ("@lidia.arreda", 12900, "La lampada Nina nel nuovo soggiorno, bellissima.", 3, 2),
)  # fmt: skip


def stamp(minutes_ago: float) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(datetime.now(UTC) - timedelta(minutes=minutes_ago))
    return made


def fill(world: fakes.World) -> None:
    """Six tickets, three posts, a crisis with an alert folded under it, two with a verdict."""
    world.tickets.clear()
    world.messages.clear()
    mail = intake_events.Capabilities(
        replies=True,
        letters=True,
        recipients=True,
        subject=True,
        max_attachments=10,
        max_attachment_bytes=15_000_000,
        undo_s=8,
    )
    chat = intake_events.Capabilities(
        replies=True, live=True, max_length=4000, max_attachments=3, max_attachment_bytes=5_000_000
    )
    for n, (who, subject, tone) in enumerate(PEOPLE):
        live = n == 3
        ticket = ticket_events.Ticket(
            id=f"tkt_{n}", number=48190 + n, brand_id=fakes.SHOP, account_id="acc_chat" if live else "acc_mail", channel="chat" if live else "email",
            subject=subject, state=ticket_events.STATE_OPEN if n else ticket_events.STATE_NEW, customer_id=f"cus_{fakes.SHOP}", customer_name=who,
            priority=2, version=1, rev=n + 1, interactions=3, tone=tone, capabilities=chat if live else mail, has_attachments=n == 2,
            opened_at=stamp(400 - n * 40), changed_at=stamp(30), waiting_since=stamp(360 - n * 50), last_interaction_at=stamp(30),
            due_at=stamp(120 - n * 60), excerpt=subject, tags=["rotto all’arrivo"] if n == 2 else [], delivery_trouble=n == 2,
        )  # fmt: skip
        world.tickets[ticket.id] = ticket
        world.messages[ticket.id] = said(ticket, who, subject)
    world.mentions.clear()
    for n, (handle, followers, text, tone, reposts) in enumerate(POSTS):
        world.mentions[f"men_{n}"] = social_events.Mention(
            id=f"men_{n}", source="x", external_id=str(n), author_handle=handle, followers=followers, text=text, tone=tone, confidence=0.87, reposts=reposts,
            reach=followers * 2, occurred_at=stamp(60 - n), brand_ids=[fakes.SHOP], matched=["Zefirpost", "consegna"], url=f"https://x.example/{n}",
            can_reply=True, language="it", state="new", rev=n + 1,
        )  # fmt: skip
    world.alerts.clear()
    world.alerts["alr_one"] = social_events.Alert(
        id="alr_one", number=318, brand_id=fakes.SHOP, watch_name="Consegne e corrieri", state="raised", severity="crisis", version=1, rev=1, tone=1,
        raised_at=stamp(50), updated_at=stamp(2), began_at=stamp(70), count=56, negative_count=42, usual=0.4, usual_high=1.2, peak=9, reach=54000,
        terms=["Zefirpost", "ritardo"], sources=["x"], bin_minutes=5,
    )  # fmt: skip
    world.alerts["alr_part"] = social_events.Alert(
        id="alr_part", number=319, brand_id=fakes.SHOP, watch_name="Rimborsi", state="claimed", owner="usr_x", severity="serious", version=2, rev=4, tone=1,
        raised_at=stamp(40), updated_at=stamp(3), began_at=stamp(55), count=17, negative_count=17, usual=0.2, usual_high=1, peak=4, terms=["rimborso", "ritardo"],
        sources=["x"], bin_minutes=5, parent_id="alr_one",
    )  # fmt: skip
    for n, (state, cause) in enumerate((("false_alarm", "wrong_tone"), ("resolved", "Sciopero del corriere, finito"))):
        world.alerts[f"alr_old{n}"] = social_events.Alert(
            id=f"alr_old{n}", number=311 + n, brand_id=fakes.SHOP, watch_name="Lumaca Casa", state=state, cause=cause, severity="notice", version=3, rev=2,
            tone=1, raised_at=stamp(9_000), began_at=stamp(9_010), updated_at=stamp(8_900), ended_at=stamp(8_900), count=9, negative_count=9, usual=1, usual_high=3,
            terms=["sconto"], sources=["x"], bin_minutes=60,
        )  # fmt: skip
    world.told = ["turno@lumaca.example", "hook.lumaca.example"]


def said(ticket: ticket_events.Ticket, who: str, subject: str) -> list[ticket_events.Interaction]:
    base: dict[str, Any] = {"ticket_id": ticket.id, "brand_id": fakes.SHOP, "channel": ticket.channel}
    customer = common.Identity(kind="email", value="cliente@posta.example", name=who)
    return [
        ticket_events.Interaction(id=f"int_{ticket.id}_1", direction=1, kind="message", author_kind="customer", author=customer, occurred_at=stamp(300), rev=1,
                                  text=f"Buonasera,\n\n{subject}. Potete aiutarmi?\n\nGrazie, {who}", quoted_text="> prima\n> dopo", language="it", **base),
        ticket_events.Interaction(id=f"int_{ticket.id}_2", direction=3, kind="note", author_kind="agent", author_id="usr_x", author=common.Identity(name="Davide Sarti"),
                                  occurred_at=stamp(200), text="Il ricambio c’è, 4 pezzi a Pontedera.", rev=2, **base),
        ticket_events.Interaction(id=f"int_{ticket.id}_3", direction=2, kind="message", author_kind="agent", author=common.Identity(name="Elisa Monti"), occurred_at=stamp(100), rev=3,
                                  text="Buongiorno, oggi lo spedisco.", delivery=8, delivery_error="casella piena (552)", delivery_id="dlv_1", to=[customer], **base),
        ticket_events.Interaction(id=f"int_{ticket.id}_4", direction=1, kind="message", author_kind="customer", author=customer, occurred_at=stamp(30), rev=4,
                                  text="Non ho ricevuto risposta. Mi fate sapere oggi?", language="it", **base),
    ]  # fmt: skip


class Tickets(fakes.Tickets):
    def CountViews(self, request, context):
        return tickets_pb.CountViewsResponse(
            counts={"mine": 4, "unassigned": 2, "open": 6, "all": 6, "chats": 1}, late={"mine": 2}
        )

    def ListTags(self, request, context):
        return tickets_pb.ListTagsResponse(tags=["reso", "rotto all’arrivo"])

    def ListCannedAnswers(self, request, context):
        answer = tickets_pb.CannedAnswer(
            id="can_1",
            title="Saluto e scuse",
            shortcut="scuse",
            texts={"it": "Gentile {{customer.name}}, ci scusiamo per l’ordine {{order.number}}."},
        )
        return tickets_pb.ListCannedAnswersResponse(answers=[answer])

    def GetCustomer(self, request, context):
        customer = ticket_events.Customer(id=request.id, name="Marta Quercioli", language="it", first_seen_at=stamp(500_000),
                                          identities=[common.Identity(kind="email", value="marta@posta.example", verified=True)])  # fmt: skip
        tickets = list(self.world.tickets.values())
        return tickets_pb.CustomerWithHistory(
            customer=customer, tickets=tickets, interactions=self.world.messages["tkt_2"], tickets_total=len(tickets)
        )


class Social(fakes.Social):
    def ListWatches(self, request, context):
        watch = social_pb.Watch(id="wat_1", name="Consegne e corrieri", brand_id=fakes.SHOP, query="zefirpost OR corriere", alerting=True, matches_24h=56,
                                per_hour=[1, 0, 2, 1, 0, 0, 1, 3, 2, 1, 0, 1, 2, 0, 0, 1, 1, 2, 1, 0, 4, 12, 18, 9], last_match_at=stamp(1))  # fmt: skip
        return social_pb.ListWatchesResponse(watches=[watch])

    def ListSources(self, request, context):
        source = social_pb.Source(id="src_1", kind="x", name="X", state="on", last_success_at=stamp(1))
        return social_pb.ListSourcesResponse(
            sources=[source], kinds=[social_pb.SourceKind(id="x", can_reply=True), social_pb.SourceKind(id="rss")]
        )

    def ListNotifiers(self, request, context):
        return social_pb.ListNotifiersResponse(
            notifiers=[social_pb.Notifier(id="ntf_1", kind="email", target="turno@lumaca.example", on=True)]
        )

    def CheckQuery(self, request, context):
        return social_pb.CheckQueryResponse(
            meaning="«zefirpost» oppure «corriere»", newest=list(self.world.mentions.values())[:2]
        )

    def GetAlert(self, request, context):
        counts = [
            0,
            1,
            0,
            2,
            1,
            0,
            0,
            1,
            0,
            1,
            0,
            0,
            1,
            2,
            0,
            1,
            1,
            0,
            0,
            1,
            0,
            2,
            1,
            0,
            2,
            5,
            8,
            9,
            8,
            6,
            4,
            3,
            2,
            2,
            1,
            1,
        ]
        bins = [
            social_pb.Bin(at=stamp(180 - 5 * n), negative=c, neutral=(n * 7) % 3, positive=n % 2, expected=0.4, high=1.6, missing=n == 12, open=n == len(counts) - 1)
            for n, c in enumerate(counts)
        ]  # fmt: skip
        happened = [
            social_pb.Happening(at=stamp(m), act=a)
            for m, a in ((60, "first"), (52, "raised"), (50, "notified"), (40, "updated"))
        ]
        posts, alert = list(self.world.mentions.values()), self._alert(request.id)
        return social_pb.AlertDetail(
            children=[one for one in self.world.alerts.values() if one.parent_id == alert.id], parent=self.world.alerts.get(alert.parent_id),
            told=self.world.told, judged=9, judged_real=7, alert=alert, bins=bins, posts=posts, timeline=happened, query="zefirpost OR corriere", series="X · negative", threshold=5.2,
            threshold_reason="5 volte il consueto, almeno 5", first=posts[1], widest=posts[0],
            terms=[social_pb.Lift(term="ritardo", count=38, lift=14.2), social_pb.Lift(term="Zefirpost", count=35, lift=22)],
            sources=[social_pb.Lift(term="x", count=42, lift=9)], authors=[social_pb.AuthorReach(handle="@pacchi_smarriti", followers=38000, count=3)],
        )  # fmt: skip


class Intake(fakes.Intake):
    def ListBrands(self, request, context):
        hours = intake_pb.Hours(
            openings=[intake_pb.Opening(weekday=d, opens_minute=540, closes_minute=1080) for d in range(5)]
        )
        return intake_pb.ListBrandsResponse(brands=[
            intake_pb.Brand(id=fakes.SHOP, name="Lumaca Casa", slug="lumaca", time_zone="Europe/Rome", language="it", hours=hours, first_response_minutes=240),
            intake_pb.Brand(id=fakes.OTHER, name="Lumaca Orto", slug="orto", time_zone="Europe/Rome", language="it"),
        ])  # fmt: skip

    def ListAccounts(self, request, context):
        made = [("acc_mail", "email", "aiuto@lumaca.example", "on", ""), ("acc_mail2", "email", "ordini@lumaca.example", "failing", "il server rifiuta la password (535)"),
                ("acc_chat", "chat", "lumaca.example", "on", "")]  # fmt: skip
        accounts = [
            intake_pb.Account(id=i, brand_id=fakes.SHOP, channel=c, address=a, state=s, last_error=e, last_in_at=stamp(3), last_out_at=stamp(9),
                              capabilities=intake_events.Capabilities(recipients=c == "email", letters=c == "email", live=c == "chat"),
                              fields=[intake_pb.SettingField(name="imap_host", label="IMAP", required=True), intake_pb.SettingField(name="password", label="Password", secret=True)],
                              secrets_set=["password"])
            for i, c, a, s, e in made
        ]  # fmt: skip
        return intake_pb.ListAccountsResponse(
            accounts=accounts,
            channels=[
                intake_pb.ChannelKind(id="email"),
                intake_pb.ChannelKind(id="chat"),
                intake_pb.ChannelKind(id="webform"),
            ],
        )

    def ListQuarantine(self, request, context):
        item = intake_pb.QuarantineItem(
            id="quar_1", channel="email", reason="Data di invio illeggibile", received_at=stamp(400), attempts=2
        )
        return intake_pb.ListQuarantineResponse(items=[item], total=1)


class Search(fakes.Search):
    def Find(self, request, context):
        self.world.answer("search")
        if "niente" in request.query:
            return search_pb.FindResponse(
                ways=[search_pb.Way(label="any_word", query="lampada", count=12)], chips=[search_pb.Chip(text="niente")]
            )
        hits = [
            search_pb.Hit(kind="ticket", id=t.id, ticket_id=t.id, number=t.number, title=t.subject, occurred_at=stamp(n * 500), author=t.customer_name, state="open", channel=t.channel,
                          more=n, inner=[search_pb.Hit(kind="message", id=f"int_{t.id}_1", number=t.number, snippet_html="aprendola ho trovato il <mark>vetro</mark> del diffusore <mark>rotto</mark> &lt;b&gt;", author=t.customer_name, occurred_at=stamp(300))])
            for n, t in enumerate(self.world.tickets.values())
        ]  # fmt: skip
        return search_pb.FindResponse(
            hits=hits, total=37, lag_s=40, chips=[search_pb.Chip(text="vetro", without="rotto"), search_pb.Chip(text="stat:open", ignored=True, reason="«stat:» non è un campo, cercato come parole.", suggestion="state:open", without="vetro")],
            facets=[search_pb.Facet(field="kind", values=[search_pb.FacetValue(value="message", count=84), search_pb.FacetValue(value="note", count=19)]),
                    search_pb.Facet(field="state", values=[search_pb.FacetValue(value="open", count=12), search_pb.FacetValue(value="solved", count=19)], zero=2)],
            histogram=[search_pb.FacetValue(value=str(n), count=(n * 5) % 11) for n in range(30)],
        )  # fmt: skip

    def Suggest(self, request, context):
        word = request.text[: request.caret].split(" ")[-1]
        known = ["tag:reso", "tag:rotto"] if ":" in word else ["tag:", "team:", "to:"]
        counts = {"tag:reso": 12, "tag:rotto": 4}
        return search_pb.SuggestResponse(
            suggestions=[
                search_pb.Suggestion(insert=one, label=one, count=counts.get(one, 0))
                for one in known
                if word and one.startswith(word)
            ]
        )

    def Status(self, request, context):
        return search_pb.StatusResponse(
            state="ready",
            lag_s=2,
            documents=18402,
            by_kind={"message": 15000, "ticket": 3402},
            built_at=stamp(5000),
            size_bytes=48_000_000,
        )


class Operations(fakes.Operations):
    def Health(self, request, context):
        self.world.answer(self.service)
        stages = [
            ops.Stage(name="received", in_count=1204, out_count=1203, waiting=1),
            ops.Stage(name="sending", in_count=388, out_count=386, waiting=2, failing=1),
        ]
        return ops.HealthResponse(service=self.service, ready=True, stages=stages if self.service == "intake" else [], dead_letters=1, oldest_unprocessed_s=252, version="0.1.0",
                                  disk_free_bytes=78_000_000_000, checks=[ops.Check(name="database", ok=True)], instance="bottega-1:/var/lib/ascolto/intake",
                                  lags=[ops.GroupLag(group="tickets.contacts", topic="ascolto.contacts.v1", position=40, end=52, age_s=3.2)],
                                  outbox=ops.Outbox(rows=1204, oldest_s=75), leases=[ops.Lease(name="relay", holder="bottega-1-41", left_s=9), ops.Lease(name="sending", holder="bottega-2:/var/lib/ascolto/intake", left_s=20)],
                                  pools=[ops.Pool(name="writers", size=6, free=0, waiting=2, waits=31, waited_s=4.2), ops.Pool(name="readers", size=4, free=3)])  # fmt: skip


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, fakes.Rig]]:
    """The desk with this world on a free port: its address, and the rig."""
    kept = fakes.Tickets, fakes.Social, fakes.Intake, fakes.Search, fakes.Operations
    fakes.Tickets, fakes.Social, fakes.Intake, fakes.Search, fakes.Operations = (
        Tickets,
        Social,
        Intake,
        Search,
        Operations,
    )  # type: ignore[misc]  # the test knows what it made
    try:
        with fakes.a_rig(folder, pages=build_pages) as rig:
            fill(rig.world)
            password = rig.password(EMAIL, "admin", name="Elisa Monti")
            rig.desk.people.change_password(rig.desk.people.find_by_email(EMAIL), old=password, new=PASSWORD)
            server = uvicorn.Server(
                uvicorn.Config(rig.web, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=2)
            )
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            deadline = time.monotonic() + 20
            while not server.started and time.monotonic() < deadline:
                thread.join(0.02)
            port = server.servers[0].sockets[0].getsockname()[1]
            try:
                yield f"http://127.0.0.1:{port}", rig
            finally:
                rig.desk.live.close()
                server.should_exit = True
                thread.join(10)
    finally:
        fakes.Tickets, fakes.Social, fakes.Intake, fakes.Search, fakes.Operations = kept  # type: ignore[misc]  # the test knows what it made
