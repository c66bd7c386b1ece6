"""Invented people and tickets for drawing pages without a service. Now is Thursday 12 March 2026, 15:14 in Rome."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.desk.i18n import Tongue
from services.desk.pages.views import (
    Attachment,
    Brand,
    Channel,
    Choice,
    Composer,
    Context,
    Draft,
    Event,
    Head,
    Known,
    Mark,
    Message,
    Notice,
    Other,
    Piece,
    Row,
    Shell,
    Strip,
    Trouble,
    View,
    Viewer,
)

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 3, 12, 14, 14, tzinfo=UTC)
MAIL, FORM, CHAT, PUBLIC = (
    Channel("E-mail", "mail"),
    Channel("Modulo", "form"),
    Channel("Chat", "chat"),
    Channel("X", "post"),
)
BRANDS = (Brand("brd_1", "Lumaca Casa"), Brand("brd_2", "Lumaca Orto"))
ALL = frozenset({"admin"})


def tongue(language: str = "it") -> Tongue:
    return Tongue(language, ROME, NOW)


def at(hour: int, minute: int, day: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=ROME)


def viewer(**changes: object) -> Viewer:
    base = Viewer("usr_1", "Elisa Monti", "elisa.monti@lumaca.example", ALL, "token", brand=BRANDS[0], brands=BRANDS)
    return replace(base, **changes)  # type: ignore[arg-type]  # the test knows what it made


def shell(section: str, title: str, *, app: bool = False, notice: Notice | None = None, **person: object) -> Shell:
    strips = (
        (Strip("Consegne Zefirpost in ritardo: 42 menzioni negative in un’ora.", "/alerts/alr_1", "Allerta A-318"),)
        if app
        else ()
    )
    return Shell(viewer(**person), section, title, alerts=1, waiting=2, strips=strips, notice=notice, app=app)


def views() -> list[tuple[str, list[View]]]:
    return [
        (
            "Da fare",
            [
                View("mine", "Le mie", 14, 2, current=True),
                View("unassigned", "Non assegnate", 9, 1),
                View("team", "La mia squadra", 31, 4),
                View("chats", "Chat in attesa", 2),
            ],
        ),
        ("Tutte", [View("open", "Aperte", 126), View("all", "Tutte", 18402), View("spam", "Spam", 37)]),
    ]


BAD = Mark("frown", "tono negativo", bad=True)
CLIP, LINKED, DRAFT, BOUNCED = (
    Mark("clip", "con allegato"),
    Mark("alert", "collegata a un’allerta"),
    Mark("pencil", "bozza tua"),
    Mark("bounce", "consegna non riuscita", bad=True),
)


def row(number: int, who: str, channel: Channel, what: str, minutes: int, **more: object) -> Row:
    base = Row(f"tkt_{number}", number, 1, who, channel, what, 1, waiting_since=NOW - timedelta(minutes=minutes))
    return replace(base, **more)  # type: ignore[arg-type]  # the test knows what it made


def rows() -> list[Row]:
    late, due = {"due_kind": "danger"}, {"due_kind": "warning"}
    return [
        row(48190, "Otello Brambati", CHAT, "Il pacco risulta consegnato ma non c’è", 360, unread=True, messages=6, marks=(BAD, LINKED), due="tardi 2 h", **late),
        row(48197, "Wilma Sognante", FORM, "Rimborso del reso LC-20311 non arrivato", 254, unread=True, due="tardi 14 min", **late),
        row(48213, "Marta Quercioli", MAIL, "La lampada è arrivata con il vetro rotto", 94, messages=5, marks=(CLIP, BOUNCED, DRAFT), due="entro 26 min", owner="Elisa Monti", tags=("rotto all’arrivo", "regalo"), **due),
        row(48221, "Ines Cardellini", PUBLIC, "@lumacacasa terza volta che rimandate la consegna", 38, unread=True, messages=2, marks=(BAD, LINKED), due="entro 22 min", **due),
        row(48225, "Teo Vallescura", CHAT, "Il codice sconto non funziona nel carrello", 1, unread=True, messages=3, due="entro 1 min", **due),
        row(48204, "ليلى حدّاد", MAIL, "طلب إرجاع المصباح الزجاجي", 120, unread=True, messages=2, language="ar"),
        row(48208, "Priamo Giunchi", FORM, "Fattura con partita IVA sbagliata, serve entro fine mese", 110, marks=(CLIP,)),
        row(48216, "Fulvia Torrenera", MAIL, "Posso cambiare indirizzo? Parto domani mattina", 52, messages=4),
        row(48218, "Cesira Bonaluna", FORM, "Bella ma imballata male, peccato", 47, marks=(BAD,)),
        row(48222, "Annibale Pratovecchio-Serristori", MAIL, "Preventivo per 24 appliques, consegna in due piani diversi", 31, messages=3, marks=(CLIP,)),
        row(48171, "Gilda Marzapane", MAIL, "Re: Misure del paralume Nina grande", 0, messages=7, waiting_since=None, waiting="in attesa del cliente"),
        row(48185, "Rosalba Ticchi", CHAT, "Reso accettato, etichetta inviata", 0, messages=9, waiting_since=None, waiting="15:08", gone="risolta da Davide"),
    ]  # fmt: skip


def head(**more: object) -> Head:
    base = Head(
        "tkt_48213",
        48213,
        7,
        "La lampada è arrivata con il vetro rotto",
        "open",
        "aperta",
        "accent",
        MAIL,
        "aiuto@lumaca.example",
        "Elisa Monti",
        "usr_1",
        mine=True,
        team="Post-vendita",
        priority=3,
        tags=("rotto all’arrivo",),
        due="risposta entro 26 min",
        due_kind="warning",
        due_title="2 h di orario, ferma fuori orario; scade alle 15:40, ora di Roma",
        back="/inbox/mine",
        back_label="Le mie",
        owners=(
            Choice("", "Nessuno"),
            Choice("usr_1", "Elisa Monti", chosen=True),
            Choice("usr_2", "Noor Haddad"),
            Choice("usr_3", "Davide Sarti"),
        ),
        priorities=(
            Choice("1", "bassa"),
            Choice("2", "normale"),
            Choice("3", "alta", chosen=True),
            Choice("4", "urgente"),
        ),
        last_seen="int_5",
    )
    return replace(base, **more)  # type: ignore[arg-type]  # the test knows what it made


def letters() -> list[Piece]:
    first = Message(
        "int_1", "letter", False, "Marta Quercioli", at(18, 42, 11),
        "Buonasera,\n\noggi è arrivata la lampada Nina (ordine LC-20418). La scatola era integra, ma aprendola ho trovato il vetro del diffusore rotto in tre pezzi. Allego due fotografie.\n\nÈ un regalo per sabato: riuscite a mandarmi solo il vetro, o devo rendere tutto?\n\nGrazie, Marta",
        channel="via e-mail", sender="marta.quercioli@posta.example", recipients="aiuto@lumaca.example", language="it",
        attachments=(Attachment("#1", "vetro-1.jpg", 1_800_000), Attachment("#2", "vetro-2.jpg", 2_100_000)), html_href="about:blank", raw_href="#raw",
    )  # fmt: skip
    ack = Message(
        "int_2", "letter", True, "Lumaca Casa", at(18, 43, 11),
        "Buonasera Marta, abbiamo ricevuto il tuo messaggio con il numero 48213. Ti risponde una persona domani entro le 11.",
        channel="via e-mail", recipients="marta.quercioli@posta.example", automatic=True, state="inviata",
    )  # fmt: skip
    note = Message(
        "int_3", "note", True, "Davide Sarti", at(9, 10),
        "Il vetro di ricambio Nina c’è, 4 pezzi a Pontedera. Se parte oggi con ritiro entro le 17 arriva venerdì. Non usare Zefirpost.",
    )  # fmt: skip
    failed = Message(
        "int_4", "letter", True, "Elisa Monti", at(9, 26),
        "Buongiorno Marta,\n\nmi dispiace per il vetro. Non serve rendere la lampada: oggi le spedisco il solo diffusore, senza spese, e arriva entro venerdì. Mi conferma l’indirizzo di via dei Tigli 4 a Pisa?",
        channel="via e-mail", recipients="marta.quercioli@posta.example",
        trouble=Trouble("bounced", "Non consegnata alle 9:27. La casella marta.quercioli@posta.example è piena (552).", (Choice("retry", "Riprova"), Choice("give_up", "Lascia stare")), "int_4", "dlv_4"),
    )  # fmt: skip
    again = Message(
        "int_5", "letter", False, "Marta Quercioli", at(13, 40),
        "Vi scrivo dal lavoro perché non ho ricevuto risposta. Sabato è il compleanno di mia madre: se il vetro non arriva in tempo preferisco il rimborso e la compro altrove.\n\nMi fate sapere oggi, per favore? Il modello è questo: https://lumaca.example/lampade/nina-ambra",
        channel="via e-mail", sender="m.quercioli@studio.example", language="it", fresh=True,
        quoted="\n".join(f"> riga {n}" for n in range(34)),
    )  # fmt: skip
    events = (
        Event(at(18, 43, 11), "conferma di ricezione inviata"),
        Event(at(8, 31), "Noor Haddad ha messo l’etichetta «rotto all’arrivo»"),
        Event(at(8, 31), "priorità alta"),
        Event(at(9, 2), "presa da Elisa Monti"),
    )
    return [
        Piece(day=at(18, 42, 11)),
        Piece(messages=(first,)),
        Piece(messages=(ack,)),
        Piece(events=events),
        Piece(day=at(9, 10)),
        Piece(messages=(note,)),
        Piece(messages=(failed,)),
        Piece(seam=at(13, 40)),
        Piece(messages=(again,)),
    ]


def chat() -> list[Piece]:
    def said(
        key: str, ours: bool, who: str, hour: int, minute: int, *texts: str, state: str = "", auto: bool = False
    ) -> Piece:
        return Piece(
            messages=tuple(
                Message(f"{key}_{n}", "bubble", ours, who, at(hour, minute), text, state=state, automatic=auto, language="it")
                for n, text in enumerate(texts)
            )
        )  # fmt: skip

    return [
        Piece(day=at(14, 58)),
        Piece(events=(Event(at(14, 58), "Bice ha aperto la chat da «Paralume Nina piccolo»"),)),
        said("b1", False, "Bice Lontananza", 14, 58, "Buongiorno! Ho preso il paralume Nina piccolo ma sulla mia base balla un po’.", "È normale o ho sbagliato misura?"),
        said("b2", True, "Lumaca Casa", 14, 58, "Ciao Bice, ti risponde una persona: di solito entro un minuto.", auto=True),
        said("b3", True, "Elisa Monti", 14, 59, "Ciao Bice! Il piccolo va sulle basi con attacco E14. Se la tua è E27 serve il grande.", "Sotto la base c’è scritto E14 o E27?", state="letto 15:00"),
        Piece(messages=(Message("n1", "note", True, "Noor Haddad", at(15, 6), "Il cambio misura entro 30 giorni è senza spese, anche se il sito dice 14."),)),
        Piece(seam=at(15, 13)),
        said("b4", False, "Bice Lontananza", 15, 13, "Ok, allora lo cambio con il grande. Ma quanto ci vuole? Ho letto di ritardi"),
    ]  # fmt: skip


def composer(**more: object) -> Composer:
    base = Composer(
        MAIL, "via e-mail a", "m.quercioli@studio.example", replies=True, public=False, recipients=True,
        max_length=0, unit="characters", max_attachments=10, max_attachment_bytes=15_000_000, undo_s=8, live=False,
        reply=Draft("Buongiorno Marta,\nha ragione, e la nostra risposta di stamattina non le è arrivata. Il vetro parte oggi alle 17 e arriva domani, venerdì", to=("m.quercioli@studio.example",), saved_at=at(15, 13), key="k1"),
        note=Draft(key="k2"), new_recipient=True,
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]  # the test knows what it made


def context() -> Context:
    return Context(
        "cus_1", "Marta Quercioli", "Cliente dal 2021, 7 richieste",
        (Known("E-mail", "marta.quercioli@posta.example", verified=True), Known("E-mail", "m.quercioli@studio.example", verified=False, note="oggi"), Known("Telefono", "+39 055 0000 118", verified=False)),
        language="italiano", order="LC-20418",
        open=(Other(48214, "Vetro rotto Nina", "Modulo, ieri 18:50", late=""),),
        past=(Other(47001, "Etichetta per il reso", "E-mail, risolta, 14 gen"), Other(46120, "Quando torna il verde?", "Chat, risolta, 3 nov 2025")),
    )  # fmt: skip
