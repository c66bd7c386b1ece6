"""`ascolto demo`: a fictional shop's day in ten minutes, through the same edges real customers use; over and over.

The clock is the real one. Customers write, follow up, attach photos, are out of office; some post on the simulated X and
in a feed; in the middle a courier loses parcels. What the newcomer answers is answered back.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from services.demo import customers, setup
from services.demo.customers import ChatVisitor, FormVisitor
from services.demo.setup import Shop
from services.demo.world import World, authors, cast
from services.demo.x import Author
from services.desk import commands as desk
from services.kit import log, runner
from services.kit.application import Application
from services.kit.config import Settings
from services.kit.control import Command
from services.kit.errors import Conflict
from services.kit.http import free_port

_USER = "elisa.monti@lumaca.example"
_DAY_S = 600.0
_FIRST_S = 15.0
_BURST_AT_S, _BURST_POSTS, _BURST_EVERY_S = 180.0, 40, 2.5
Act = Callable[[], None]


@dataclass(slots=True)
class Day:
    """What happens when, in seconds after the start; each act on a thread of its own, so that a slow one delays none."""

    world: World
    shop: Shop
    people: dict[str, Any]
    url: str
    smtp: tuple[str, int]
    stop: threading.Event = field(default_factory=threading.Event)
    _round: int = 0

    def run(self) -> None:
        """Lives day after day until `stop`."""
        for number in itertools.count():
            self._round = number
            plan = sorted(self._plan(), key=lambda entry: entry[0])
            now_s = 0.0
            for at_s, act in plan:
                if self.stop.wait(at_s - now_s):
                    return
                now_s = at_s
                threading.Thread(target=self._do, args=(act,), name="demo-customer", daemon=True).start()
            if self.stop.wait(30.0):
                return

    def _do(self, act: Act) -> None:
        try:
            act()
        except Exception:  # noqa: BLE001 (the edge of a simulated customer: told in the log, the others go on)
            if not self.stop.is_set():
                log.logger("demo").exception("customer.failed")

    def _plan(self) -> list[tuple[float, Act]]:
        mails, forms, chats = self.people["mails"], self.people["forms"], self.people["chats"]
        plan: list[tuple[float, Act]] = []
        for number, person in enumerate(mails):
            plan.append((_FIRST_S + number * 55.0, self._mails(person)))
        for number, person in enumerate(forms):
            plan.append((_FIRST_S + 12 + number * 120.0, self._fills_form(person)))
        for number, person in enumerate(chats):
            plan.append((_FIRST_S + 25 + number * 150.0, self._chats(person)))
        known = authors(self.people)
        quiet = self.people["quiet"]
        for number in range(14):
            language, text = quiet[(number + self._round) % len(quiet)]
            author = known[number % len(known)]
            plan.append((20.0 + number * 41.0, self._posts(author, f"{text} #{self._round * 14 + number}", language)))
        for number in range(_BURST_POSTS):
            language, text = self.people["angry"][number % len(self.people["angry"])]
            author = replace(
                known[number % len(known)], id=str(9000 + number), handle=f"cliente_{self._round}_{number}"
            )
            at = _BURST_AT_S + number * _BURST_EVERY_S
            plan.append((at, self._posts(author, f"{text} {'!' * (1 + number % 3)} {self._round}{number}", language)))
        for number, (title, text) in enumerate(self.people["articles"]):
            plan.append((60.0 + number * 170.0, self._publishes(title, text)))
        plan.append((400.0, self._is_away(mails[3])))
        return [entry for entry in plan if entry[0] < _DAY_S]

    def _mails(self, person: dict[str, Any]) -> Act:
        def act() -> None:
            before = len(self.world.mail.to(person["address"]))
            customers.send(self.smtp, customers.compose(person, self.shop.address))
            try:  # the taking-in-charge answer, then whatever an agent writes
                found = self.world.mail.wait_for(person["address"], count=before + 2, timeout_s=_DAY_S)
            except TimeoutError:
                return
            answer = found[before + 1].message
            to = str(answer["Reply-To"] or answer["From"])
            if not self.stop.wait(12):
                customers.send(
                    self.smtp, customers.compose(person, to, text=_THANKS[person["language"]], answers=answer)
                )

        return act

    def _is_away(self, person: dict[str, Any]) -> Act:
        mail = customers.compose(
            person, self.shop.address, subject="Out of office", text="I am away until Monday.", automatic=True
        )
        return lambda: customers.send(self.smtp, mail)

    def _fills_form(self, person: dict[str, Any]) -> Act:
        def act() -> None:
            FormVisitor(self.url, self.shop.slug).submit(person, patience_s=4)

        return act

    def _chats(self, person: dict[str, Any]) -> Act:
        def act() -> None:
            visitor = ChatVisitor(self.url, self.shop.slug, person)
            visitor.open()
            for line in person["lines"]:
                visitor.say(line)
                if self.stop.wait(6):
                    break
            seen = len(visitor.received)
            while not self.stop.is_set():
                visitor.listen(1.0)
                news = [one for one in visitor.received[seen:] if one["data"]["author"]["kind"] == "agent"]
                seen = len(visitor.received)
                if news and not self.stop.wait(5):
                    visitor.say(_THANKS[person["language"]])

        return act

    def _posts(self, author: Author, text: str, language: str) -> Act:
        def act() -> None:
            self.world.x.post(author, text, language=language)

        return act

    def _publishes(self, title: str, text: str) -> Act:
        def act() -> None:
            self.world.feed.publish(title, text)

        return act


_THANKS = {
    "it": "Grazie mille, gentilissimi!",
    "en": "Thank you very much!",
    "de": "Vielen Dank, sehr freundlich!",
    "fr": "Merci beaucoup !",
    "es": "¡Muchas gracias!",
    "pt": "Muito obrigado!",
}


def run(
    settings: Settings,
    *,
    wire: Callable[[Application], Application],
    commands: Callable[[Application], Mapping[str, Command]],
) -> None:
    """Sets up, starts everything, prints where to look, lives until a signal, ends in order."""
    people, world = cast(), World()
    _say("Starting the simulated world: X, a feed, the customers' mail")
    world.start()
    settings = replace(settings, http=free_port(settings.http), smtp=free_port(settings.smtp), smtp_out=world.smtp_out)
    day: Day | None = None
    try:
        with Application(settings) as app:
            _say(f"Preparing the databases in {settings.data}")
            app.migrate()
            wire(app)
            _say("Setting up the shop: two brands, their channels, a fortnight of quiet mentions")
            shop = setup.prepare(app, world, people)[0]
            password = _login(app)
            _say("Starting all services")
            app.start(commands(app))
            url = f"http://{app.http_address}"
            _tell(url, shop, password)
            day = Day(world, shop, people, url, (settings.smtp.host, settings.smtp.port))
            threading.Thread(target=day.run, name="demo-day", daemon=True).start()
            runner.heed_signals().wait()
            _say("Stopping")
            day.stop.set()
    finally:
        world.stop()
    _say("Everything is kept; `make demo` goes on from here.")


def _login(app: Application) -> str:
    """The first user's password: made once, kept beside the demo's data for the next start."""
    kept = app.settings.data / "demo-password"
    if kept.exists():
        return kept.read_text().strip()
    try:
        password = desk.create_user(app.databases["desk"], email=_USER, name="Elisa Monti", roles=("admin",))
    except Conflict:
        password = desk.reset_password(app.databases["desk"], email=_USER)
    kept.touch(mode=0o600)
    kept.write_text(password)
    return password


def _say(text: str) -> None:
    print(f"  {text} …" if not text.endswith(".") else f"  {text}", flush=True)


def _tell(url: str, shop: Shop, password: str) -> None:
    print(
        f"""
  Ascolto is ready.

    The desk     {url}
    User         {_USER}
    Password     {password}

    Be a customer   {url}/c/{shop.slug}/contact   and   {url}/c/{shop.slug}/chat

  Within a minute the first customers write. After three, a courier loses parcels.
  Ctrl-C stops; started again, everything is there.
""",
        flush=True,
    )
