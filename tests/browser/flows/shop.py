"""The fictional shop, running as a product process of its own, with its simulated world and two people at the desk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from services.__main__ import wire
from services.demo import customers
from services.demo.check import installation
from services.demo.customers import ChatVisitor, FormVisitor
from services.demo.process import Api, Product
from services.demo.setup import Shop
from services.demo.world import World, authors
from services.kit.config import HostPort
from tests.browser.chromium import SIZES, sign_in, watch

ELISA, BRUNO = "elisa.monti@lumaca.example", "bruno.salici@lumaca.example"
QUIET = ("Failed to load resource",)  # the browser's own line for an answer of 4xx, which a test provokes on purpose


def until(look: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """What `look` finds, once it finds something, within a deadline."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)  # sleep: the pause of a wait on a condition
    return found


@dataclass(slots=True)
class Running:
    """A running installation, and what a test does from outside the desk."""

    product: Product
    world: World
    shop: Shop
    people: dict[str, Any]
    api: Api
    passwords: dict[str, str]
    states: dict[str, Any] = field(default_factory=dict)
    mails: int = 0

    @property
    def url(self) -> str:
        return self.product.url

    def mail(
        self, *, subject: str = "", name: str = "Marta Quercioli", text: str = "", raw: bytes = b""
    ) -> dict[str, Any]:
        """A new customer's mail, and the ticket it became."""
        self.mails += 1
        address = f"{name.lower().replace(' ', '.')}.{self.mails}@posta.example"
        subject = subject or f"Domanda numero {self.mails}"
        person = {
            "name": name,
            "address": address,
            "subject": subject,
            "text": text or "Buongiorno, una domanda.",
            "language": "it",
        }
        if raw:
            self.send_raw(raw.replace(b"SENDER", address.encode()))
        else:
            customers.send(self.smtp, customers.compose(person, self.shop.address))
        return self.ticket(lambda one: one["subject"] == subject) | {
            "address": address,
            "person": person,
        }

    def send_raw(self, raw: bytes) -> None:
        import smtplib

        with smtplib.SMTP(*self.smtp, timeout=30) as client:
            client.sendmail("somebody@posta.example", [self.shop.address], raw)

    def follow_up(self, ticket: dict[str, Any], text: str) -> None:
        """The customer writes again, in answer to the last mail they received."""
        last: EmailMessage = self.world.mail.wait_for(ticket["address"])[-1].message
        to = str(last["Reply-To"] or last["From"])
        before = self.full(ticket)["interaction_count"]
        customers.send(self.smtp, customers.compose(ticket["person"], to, text=text, answers=last))
        until(lambda: self.full(ticket)["interaction_count"] > before, "the follow-up joined the ticket")

    def ticket(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        look = partial(filter, wanted)
        return dict(until(lambda: next(look(self.api.items("/tickets")), None), "the ticket is there"))

    def full(self, ticket: dict[str, Any]) -> dict[str, Any]:
        return dict(self.api.call("GET", f"/tickets/{ticket['id']}"))

    def answered(self, address: str, text: str) -> list[Any]:
        """Mails to an address that carry a text."""
        return [one for one in self.world.mail.to(address) if text in one.text]

    def form(self, person: dict[str, Any]) -> None:
        FormVisitor(self.url, self.shop.slug).submit(person)

    def visitor(self, person: dict[str, Any]) -> ChatVisitor:
        made = ChatVisitor(self.url, self.shop.slug, person)
        made.open()
        return made

    def burst(self, posts: int = 45) -> None:
        """Anger on the simulated X."""
        known = authors(self.people)
        for number in range(posts):
            language, text = self.people["angry"][number % len(self.people["angry"])]
            author = replace(known[number % len(known)], id=str(21000 + number), handle=f"cliente_{number}")
            self.world.x.post(author, f"{text} {'!' * (1 + number % 3)} {number}", language=language)

    @property
    def smtp(self) -> tuple[str, int]:
        parsed = HostPort.parse(self.product.smtp)
        return parsed.host, parsed.port

    def context(self, chromium: Browser, email: str = ELISA, **options: Any) -> BrowserContext:
        """A browser window of somebody who is signed in; the first time through the page."""
        width, height = SIZES["laptop"]
        options = {"viewport": {"width": width, "height": height}, "locale": "it-IT"} | options
        if email not in self.states:
            first = chromium.new_context()
            page = first.new_page()
            sign_in(page, self.url, email, self.passwords[email])
            self.states[email] = first.storage_state()
            first.close()
        return chromium.new_context(storage_state=self.states[email], **options)


@contextmanager
def window(shop: Running, chromium: Browser, email: str = ELISA, **options: Any) -> Iterator[Page]:
    """One page of a person; errors of its scripts fail the test."""
    context = shop.context(chromium, email, **options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    errors = watch(page)
    try:
        yield page
    finally:
        context.close()
    assert [one for one in errors if not one.startswith(QUIET)] == []


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """The installation, started, with two people and a token."""
    with installation(folder, wire) as (product, world, shops, people):
        passwords = {
            email: product.command("user", "create", "--email", email, "--name", name, "--role", role, "--quiet")
            for email, name, role in ((ELISA, "Elisa Monti", "admin"), (BRUNO, "Bruno Salici", "admin"))
        }
        token = product.command("token", "create", "--name", "tests", "--scope", "admin", "--quiet")
        product.start()
        api = Api(product.url, token)
        try:
            yield Running(product, world, shops[0], people, api, passwords)
        finally:
            api.client.close()
