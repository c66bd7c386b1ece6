"""`ascolto demo --check`: the whole golden journey through the real edges, each step with its time; non-zero on the first that fails.

The product runs as a process of its own on free ports in a folder that is removed at the end; the simulated world runs
here. With `kill` the process is killed in the middle, started again, and everything must still be there.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from services.demo import customers, setup
from services.demo.mailbox import Delivered
from services.demo.process import Api, Product
from services.demo.setup import Shop
from services.demo.world import World, authors, cast
from services.kit.application import Application
from services.kit.config import HostPort, Settings
from services.kit.http import free_port

_AGENT = "elisa.monti@lumaca.example"
_FROM = 21000
Wire = Callable[[Application], Application]


class Failed(Exception):
    """A step did not hold."""


class Journey:
    """The steps, in order; each raises when it does not hold."""

    def __init__(self, product: Product, world: World, shop: Shop, people: dict[str, Any]) -> None:
        self._product, self._world, self._shop, self._people = product, world, shop, people
        self._api = Api(product.url, "")
        self._password = ""
        self._tickets: dict[str, dict[str, Any]] = {}
        self._chat = customers.ChatVisitor(product.edge_url, shop.slug, people["chats"][0])
        self._form_person = people["forms"][0]
        self._mail_person = people["mails"][0]
        self._alert: dict[str, Any] = {}
        self.kill = False

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Name and function of each."""
        yield "a person and a token are made", self._people_made
        yield "the process is ready", self._ready
        yield "a real mail (SMTP) becomes a ticket", self._mail
        yield "its sender is told it was taken in charge", self._acknowledged
        yield "a form becomes a ticket", self._form
        yield "a chat message becomes a ticket", self._chat_comes
        if self.kill:
            yield "the process is killed and started again", self._killed
        yield "an agent signs in by the page", self._sign_in
        yield "the mail is answered by mail, in its thread", self._answer_mail
        yield "the form is answered by mail", self._answer_form
        yield "the chat is answered in the chat", self._answer_chat
        yield "the customer's answer joins the ticket", self._follow_up
        yield "an out-of-office is kept and answered by nobody", self._out_of_office
        yield "a burst of angry posts raises one alert", self._burst
        yield "the alert says why, is claimed, becomes a ticket", self._alert_to_ticket
        yield "the reply to a post appears on X", self._reply_on_x
        yield "search finds all of it, inflected and misspelt", self._search
        yield "nothing is lost, nothing doubled", self._oracle
        yield "the process ends in order", self._end

    # --- steps ---

    def _people_made(self) -> str:
        made = self._product.command(
            "user", "create", "--email", _AGENT, "--name", "Elisa Monti", "--role", "admin", "--quiet"
        )
        self._password = made
        token = self._product.command("token", "create", "--name", "check", "--scope", "admin", "--quiet")
        self._api = Api(self._product.url, token)
        return _AGENT

    def _ready(self) -> str:
        return f"in {self._product.start():.1f} s at {self._product.url}"

    def _mail(self) -> str:
        mail = customers.compose(self._mail_person, self._shop.address.upper())
        customers.send(_address(self._product.smtp), mail)
        ticket = self._ticket("email", self._mail_person["subject"])
        full = self._api.call("GET", f"/tickets/{ticket['id']}")
        files = full["interactions"][0]["attachments"]
        _hold(len(files) == 1 and files[0]["size"] > 0, "the photo is on the ticket")
        return f"ticket {ticket['number']}"

    def _acknowledged(self) -> str:
        mail = self._world.mail.wait_for(self._mail_person["address"])[0]
        _hold("auto-replied" in str(mail.message["Auto-Submitted"]), "the answer says that it is automatic")
        _hold(str(self._tickets["email"]["number"]) in mail.text + str(mail.message["Subject"]), "it names the ticket")
        return str(mail.message["Subject"])

    def _form(self) -> str:
        customers.FormVisitor(self._product.edge_url, self._shop.slug).submit(self._form_person)
        return f"ticket {self._ticket('webform', self._form_person['subject'])['number']}"

    def _chat_comes(self) -> str:
        self._chat.open()
        for line in self._people["chats"][0]["lines"]:
            acknowledged = self._chat.say(line)
            _hold(acknowledged["op"] == "ack", f"the chat acknowledges: {acknowledged}")
        return f"ticket {self._ticket('chat', '')['number']}"

    def _killed(self) -> str:
        before = {one["id"]: one["interaction_count"] for one in self._api.items("/tickets")}
        self._product.kill()
        took = self._product.start()
        after = {one["id"]: one["interaction_count"] for one in self._api.items("/tickets")}
        lost = {key for key, count in before.items() if after.get(key, 0) < count}
        _hold(not lost, f"nothing is lost: {before} became {after}")
        self._chat.close()
        self._chat.open()
        return f"ready again in {took:.1f} s"

    def _sign_in(self) -> str:
        with httpx.Client(base_url=self._product.url, timeout=30, follow_redirects=True) as browser:
            page = browser.get("/login")
            hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
            entered = browser.post("/login", data={**hidden, "email": _AGENT, "password": self._password})
            _hold(entered.status_code == 200 and "/login" not in str(entered.url), f"signing in leads to {entered.url}")
            inbox = browser.get("/inbox/unassigned")
            _hold(self._mail_person["name"] in inbox.text, "the inbox shows the mail")
        return str(entered.url)

    def _reply(self, channel: str, text: str) -> dict[str, Any]:
        ticket = self._tickets[channel]
        body = {"text": text, "key": f"check-{channel}"}
        first = self._api.call("POST", f"/tickets/{ticket['id']}/replies", expect=202, json=body)
        again = self._api.call("POST", f"/tickets/{ticket['id']}/replies", expect=202, json=body)
        _hold(first["id"] == again["id"], "the same key is the same reply")
        return dict(first)

    def _received(self, person: dict[str, Any], text: str) -> Delivered:
        """The one mail to a person with a text; a kill may have swallowed an automatic one before it, never an answer."""
        found = self._until(
            lambda: [one for one in self._world.mail.to(person["address"]) if text in one.text], f"{text!r} arrived"
        )
        _hold(len(found) == 1, f"it arrived once, not {len(found)} times")
        mail: Delivered = found[0]
        return mail

    def _answer_mail(self) -> str:
        self._reply("email", "Buongiorno Marta, le spediamo subito un vetro nuovo.")
        mail = self._received(self._mail_person, "vetro nuovo")
        _hold(bool(mail.message["In-Reply-To"]) and bool(mail.message["References"]), "it belongs to the thread")
        self._answered = mail.message
        return str(mail.message["Subject"])

    def _answer_form(self) -> str:
        self._reply("webform", "Buongiorno Fulvia, ci dispiace: la consegna è domani alle 10.")
        return str(self._received(self._form_person, "domani alle 10").message["Subject"])

    def _answer_chat(self) -> str:
        self._reply("chat", "Ciao Teo, il codice ora funziona: riprova.")
        return f"event {self._chat.wait_for('il codice ora funziona')['seq']}"

    def _follow_up(self) -> str:
        answer = customers.compose(
            self._mail_person,
            str(self._answered["Reply-To"] or self._answered["From"]),
            text="Grazie mille, siete gentili!",
            answers=self._answered,
        )
        customers.send(_address(self._product.smtp), answer)
        ticket = self._tickets["email"]
        full = self._until(lambda: self._with_text(ticket["id"], "siete gentili"), "the answer is on the ticket")
        return f"{len(full['interactions'])} interactions"

    def _out_of_office(self) -> str:
        person = self._people["mails"][3]
        customers.send(
            _address(self._product.smtp),
            customers.compose(
                person, self._shop.address, subject="Out of office", text="I am away until Monday.", automatic=True
            ),
        )
        self._until(
            lambda: any(one["subject"] == "Out of office" for one in self._api.items("/tickets?channel=email")),
            "it is kept",
        )
        _hold(not self._world.mail.to(person["address"]), "nobody answered it")
        return "kept"

    def _burst(self) -> str:
        before = {one["id"] for one in self._api.items("/alerts")}
        _hold(not before, "a quiet fortnight raised no alert")
        known = authors(self._people)
        for number in range(45):
            language, text = self._people["angry"][number % len(self._people["angry"])]
            author = replace(known[number % len(known)], id=str(_FROM + number), handle=f"cliente_{number}")
            self._world.x.post(author, f"{text} {'!' * (1 + number % 3)} {number}", language=language)
        self._alert = self._until(lambda: next(iter(self._api.items("/alerts")), None), "an alert is raised", 60)
        return f"A-{self._alert['number']}: {self._alert['count']} mentions"

    def _alert_to_ticket(self) -> str:
        alert = self._alert["id"]
        self._until(lambda: self._api.items("/alerts")[0]["count"] >= 30, "the alert grows with the burst", 60)
        self._api.call("POST", f"/alerts/{alert}/claim")
        opened = self._api.call("POST", f"/alerts/{alert}/ticket", expect=201)
        again = self._api.call("POST", f"/alerts/{alert}/ticket", expect=201)
        _hold(opened == again, "an alert opens one ticket")
        alerts = self._api.items("/alerts")
        _hold(len(alerts) == 1, f"one episode is one alert, not {len(alerts)}")
        self._tickets["x"] = self._api.call("GET", f"/tickets/{opened['ticket_id']}")
        return f"ticket {self._tickets['x']['number']}"

    def _reply_on_x(self) -> str:
        self._reply("x", "Ci dispiace, stiamo cercando i pacchi: scriviamo a tutti entro stasera.")
        reply = self._until(lambda: next(iter(self._world.x.replies), None), "the reply is on X", 30)
        _hold(bool(reply.reply_to), "it answers a post")
        _hold(len(self._world.x.replies) == 1, "it was sent once")
        return f"in reply to {reply.reply_to}"

    def _search(self) -> str:
        wanted = {
            "pacco danneggiato": {"mention"},
            "pachi daneggiati": {"mention"},
            "lampada rotta": {"message"},
            "LC-20417": {"message"},
        }
        for query, kinds in wanted.items():
            self._until(partial(self._finds, query, kinds), f"{query!r} finds {kinds}", 20)
        return ", ".join(wanted)

    def _finds(self, query: str, kinds: set[str]) -> bool:
        found = self._api.call("GET", "/search", params={"q": query, "limit": 50})
        return kinds <= {one["kind"] for one in found["items"]}

    def _oracle(self) -> str:
        tickets = self._api.items("/tickets")
        external: list[str] = []
        for ticket in tickets:
            full = self._api.call("GET", f"/tickets/{ticket['id']}")
            external += [
                one["external_id"] for one in full["interactions"] if one["direction"] == "in" and one["external_id"]
            ]
        _hold(len(external) == len(set(external)), "no contact is there twice")
        letters = self._api.items("/operations/dead-letters")
        _hold(not letters, f"no dead letter: {letters}")
        answers = [one for one in self._world.mail.to(self._mail_person["address"]) if "vetro nuovo" in one.text]
        _hold(len(answers) == 1, f"the answer left once, not {len(answers)} times")
        return f"{len(tickets)} tickets, {len(external)} contacts"

    def _end(self) -> str:
        self._chat.close()
        code = self._product.stop()
        _hold(code == 0, f"SIGTERM ends with 0, not {code}")
        return "exit code 0"

    # --- helpers ---

    def _ticket(self, channel: str, subject: str) -> dict[str, Any]:
        found = self._until(
            lambda: next(
                (one for one in self._api.items(f"/tickets?channel={channel}") if subject in one["subject"]), None
            ),
            f"a ticket of {channel} is there",
        )
        self._tickets[channel] = found
        return dict(found)

    def _with_text(self, ticket_id: str, text: str) -> dict[str, Any] | None:
        full = self._api.call("GET", f"/tickets/{ticket_id}")
        return full if any(text in one["text"] for one in full["interactions"]) else None

    @staticmethod
    def _until(look: Callable[[], Any], what: str, timeout_s: float = 20.0) -> Any:
        end = time.monotonic() + timeout_s
        while not (found := look()):
            if time.monotonic() > end:
                raise Failed(f"not within {timeout_s:.0f} s: {what}")
            time.sleep(0.05)
        return found


def _hold(true: object, what: str) -> None:
    if not true:
        raise Failed(f"does not hold: {what}")


def _address(text: str) -> tuple[str, int]:
    parsed = HostPort.parse(text)
    return parsed.host, parsed.port


@contextlib.contextmanager
def installation(
    folder: Path, wire: Wire, make: Callable[[Path, str, str, str], Product] = Product
) -> Iterator[tuple[Product, World, list[Shop], dict[str, Any]]]:
    """A world and a product made ready for it, not started; both are ended with the block."""
    people, world = cast(), World()
    world.start()
    http, smtp = (str(free_port(HostPort("127.0.0.1", 0))) for _ in range(2))
    product = make(folder, http, smtp, world.smtp_out)
    try:
        with Application(
            Settings.from_env(
                {name: value for name, value in product.environment.items() if name.startswith("ASCOLTO_")}
            )
        ) as app:
            app.migrate()
            shops = setup.prepare(wire(app), world, people)
        yield product, world, shops, people
    finally:
        product.stop()
        world.stop()


def run(*, kill: bool, wire: Wire, make: Callable[[Path, str, str, str], Product] = Product) -> int:
    """Drives the journey through what `make` gives; prints each step; returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="ascolto-check-"))
    began = time.monotonic()
    try:
        with installation(folder, wire, make) as (product, world, shops, people):
            journey = Journey(product, world, shops[0], people)
            journey.kill = kill
            print(f"  ok  a fictional shop is set up{time.monotonic() - began:40.1f} s", flush=True)
            for name, step in journey.steps():
                started = time.monotonic()
                try:
                    detail = step()
                except Exception as error:  # noqa: BLE001 (whatever a step meets is its failure, told with its name)
                    print(f"FAIL  {name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                    print(
                        (folder / "log.txt").read_text()[-3000:] if (folder / "log.txt").exists() else "",
                        file=sys.stderr,
                    )
                    return 1
                print(f"  ok  {name:<55} {time.monotonic() - started:6.1f} s  {detail}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"The golden journey holds, in {time.monotonic() - began:.0f} s.", flush=True)
    return 0
