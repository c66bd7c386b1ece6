"""Customers, machines and an agent who keep trying: what was not acknowledged is sent again, word for word.

The ledger holds what was promised: an id per acknowledged contact, an id per accepted answer. The oracle judges by it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import queue
import random
import smtplib
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import WebSocketException

from services.demo.customers import ChatVisitor
from services.kit.clock import SystemClock
from tests.faults.installation import Installation

AWAY = (OSError, http.client.HTTPException, httpx.HTTPError, smtplib.SMTPException, WebSocketException, TimeoutError)
_LINES = ("api", "mail", "chat-0", "chat-1")
_WORDS = ("pacco", "consegna", "reso", "vetro", "rotto", "parcel", "late", "Lieferung", "colis", "pedido", "taglia")


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact somebody wants to bring in. `key` is what makes a repeat a repeat; `shop` is a place in the list."""

    kind: str
    shop: int
    key: str
    conversation: str
    sender: str
    text: str
    files: tuple[tuple[str, bytes], ...] = ()
    answers: str = ""


@dataclass(slots=True)
class Ledger:
    """What was promised."""

    acked: dict[str, set[str]] = field(default_factory=dict)  # key → ids the product named (empty for mail)
    contacts: dict[str, Contact] = field(default_factory=dict)
    replies: dict[str, set[str]] = field(default_factory=dict)  # key of the answer → interaction ids
    attempts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ack(self, contact: Contact, named: str) -> None:
        """The sender was told that this one is safe."""
        with self.lock:
            self.contacts[contact.key] = contact
            self.acked.setdefault(contact.key, set()).update({named} - {""})

    def ack_reply(self, key: str, interaction: str) -> None:
        """The agent was told that this answer will be sent."""
        with self.lock:
            self.replies.setdefault(key, set()).add(interaction)

    def acks(self) -> int:
        """How many contacts are safe."""
        with self.lock:
            return len(self.acked)


def plan(seed: int, total: int) -> list[Contact]:
    """The contacts of a seed: three in four by API, the rest by mail and chat, over two shops."""
    chance = random.Random(seed)
    made = []
    mailed: dict[str, str] = {}
    for number in range(total):
        kind = chance.choices(("api", "mail", "chat"), (75, 15, 10))[0]
        shop = chance.randrange(2)
        person = chance.randrange(max(2, total // 8))
        text = f"{' '.join(chance.choices(_WORDS, k=8))} s{seed}n{number}"
        files: tuple[tuple[str, bytes], ...] = ()
        if kind != "chat" and chance.random() < 0.04:
            sizes = [chance.choice((200, 20_000, 300_000)) for _ in range(chance.randint(1, 2))]
            files = tuple((f"foto {place}.png", chance.randbytes(size)) for place, size in enumerate(sizes))
        key, conversation, answers = f"s{seed}-{number}", f"c{seed}-{shop}-{person}", ""
        if kind == "mail":
            key = f"s{seed}.{number}@posta.example"
            answers = mailed.get(f"{shop}-{person}", "") if chance.random() < 0.5 else ""
            mailed[f"{shop}-{person}"] = key
        elif kind == "chat":
            conversation = f"v{seed}-{shop}-{person % 6}"
            key = f"chat-s{seed}-{number}"
        made.append(Contact(kind, shop, key, conversation, f"p{person}.s{seed}@posta.example", text, files, answers))
    return made


class Traffic:
    """The senders. They work while `up` is set, and hold on to what was not acknowledged."""

    def __init__(self, installation: Installation, ledger: Ledger, seed: int) -> None:
        self._installation, self.ledger, self._seed = installation, ledger, seed
        self.up, self._stop, self._calm = threading.Event(), threading.Event(), threading.Event()
        self._queues: dict[str, queue.Queue[Contact]] = {line: queue.Queue() for line in _LINES}
        self.wanted = 0
        self.defects: list[str] = []
        runs: list[tuple[Callable[[str], None], str]] = [(self._chat, "chat-0"), (self._chat, "chat-1")]
        runs += [*[(self._api, "api")] * 3, *[(self._mail, "mail")] * 2, (self._agent, ""), (self._crowd, "")]
        self._threads = [threading.Thread(target=self._guarded, args=run, daemon=True) for run in runs]

    def start(self) -> None:
        """The senders wait for `up`."""
        for thread in self._threads:
            thread.start()

    def feed(self, contacts: list[Contact]) -> None:
        """More to bring in."""
        self.wanted += len(contacts)
        for contact in contacts:
            self._queues[_line(contact)].put(contact)

    def returning(self) -> list[Contact]:
        """One message of each visitor, whose repeat brings them back to their chat after a kill."""
        with self.ledger.lock:
            return list({one.conversation: one for one in self.ledger.contacts.values() if one.kind == "chat"}.values())

    def again(self, contacts: list[Contact]) -> None:
        """Sends what is safe already once more, as a sender does who never saw the answer."""
        for contact in contacts:
            self._queues[_line(contact)].put(contact)

    def idle(self) -> bool:
        """Whether all that was fed is acknowledged and nothing is tried again. Raises `AssertionError` as `stop` does."""
        assert not self.defects, self.defects
        return self.ledger.acks() >= self.wanted and all(line.unfinished_tasks == 0 for line in self._queues.values())

    def calm(self) -> None:
        """Nobody begins anything new; visitors stay at their chats."""
        self._calm.set()

    def stop(self) -> None:
        """Ends the senders. Raises `AssertionError` when one met what it had no reason to expect."""
        self._calm.set()
        self._stop.set()
        self.up.set()
        for thread in self._threads:
            thread.join(30)
        assert not self.defects, self.defects

    # --- the senders ---

    def _guarded(self, run: Callable[[str], None], line: str) -> None:
        try:
            run(line)
        except Exception as error:  # noqa: BLE001 (a sender's defect fails the test at its end)
            self.defects.append(f"{line or 'a person'}: {type(error).__name__}: {error}")

    def _each(self, name: str) -> Iterator[Contact]:
        """Contacts of a line, one at a time, while the product is up."""
        line = self._queues[name]
        while not self._stop.is_set():
            self.up.wait(0.5)
            if not self.up.is_set():
                continue
            with contextlib.suppress(queue.Empty):
                yield line.get(timeout=0.1)

    def _settle(self, contact: Contact, named: str | None) -> None:
        """Acknowledged (an id or empty), or (None) to be tried again."""
        self.ledger.attempts += 1
        if named is None:
            self._queues[_line(contact)].put(contact)
            self._stop.wait(0.02)
        else:
            self.ledger.ack(contact, named)
        self._queues[_line(contact)].task_done()

    def _api(self, line: str) -> None:
        address = urlsplit(self._installation.product.url)
        assert address.hostname is not None
        client = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        headers = {"Authorization": f"Bearer {self._installation.api.token}", "Content-Type": "application/json"}
        for contact in self._each(line):
            hook = f"/hooks/api/{self._installation.shops[contact.shop].accounts['api']}"
            try:
                client.request("POST", hook, body_of(contact), headers)
                answer = client.getresponse()
                content = answer.read()
            except AWAY:
                client.close()
                self._settle(contact, None)
                continue
            if answer.status not in {202, 503}:
                raise AssertionError(f"the hook answers {answer.status}: {content[:200]!r}")
            self._settle(contact, json.loads(content)["id"] if answer.status == 202 else None)
        client.close()

    def _mail(self, line: str) -> None:
        client: smtplib.SMTP | None = None
        for contact in self._each(line):
            try:
                client = client or smtplib.SMTP(*self._installation.smtp, timeout=20)
                client.send_message(mail_of(contact, self._installation.shops[contact.shop].address))
            except AWAY:
                if client is not None:
                    client.close()
                client = None
                self._settle(contact, None)
            else:
                self._settle(contact, "")
        if client is not None:
            client.close()

    def _chat(self, line: str) -> None:
        visitors: dict[str, ChatVisitor] = {}
        tokens: dict[str, str] = {}
        for contact in self._each(line):
            name = contact.conversation
            try:
                if name not in visitors:
                    visitors[name] = self._visitor(name, contact, tokens)
                told = visitors[name].say(contact.text, client_id=contact.key)
            except (*AWAY, AssertionError):
                if gone := visitors.pop(name, None):
                    gone.close()
                self._settle(contact, None)
            else:
                self._settle(contact, name if told["op"] == "ack" else None)
        for visitor in visitors.values():
            with contextlib.suppress(*AWAY):
                visitor.close()

    def _visitor(self, name: str, contact: Contact, tokens: dict[str, str]) -> ChatVisitor:
        person = {"name": name, "address": f"{name}@posta.example", "language": "it"}
        shop = self._installation.shops[contact.shop]
        made = ChatVisitor(self._installation.product.url, shop.slug, person, token=tokens.get(name, ""))
        with contextlib.ExitStack() as undo:
            undo.callback(made.close)
            made.open()
            undo.pop_all()
        tokens[name] = made.token
        return made

    def _agent(self, _line: str) -> None:
        """Answers tickets of people who wrote a mail or a chat, each once, until told that it is taken."""
        while not self._calm.is_set():
            self.up.wait(0.5)
            try:
                for channel in ("email", "chat"):
                    for ticket in self._installation.api.call("GET", f"/tickets?channel={channel}&limit=30")["items"]:
                        self._reply(ticket["id"])
            except (*AWAY, AssertionError, KeyError):
                self._stop.wait(0.05)
            self._stop.wait(0.1)

    def _reply(self, ticket: str) -> None:
        key = f"answer-{ticket}"
        if key in self.ledger.replies or len(self.ledger.replies) >= 60 or not self.up.is_set():
            return
        body = {"text": f"Ce ne occupiamo subito. {key}", "key": key}
        taken = self._installation.api.call("POST", f"/tickets/{ticket}/replies", expect=202, json=body)
        self.ledger.ack_reply(key, taken["id"])

    def _crowd(self, _line: str) -> None:
        """Posts mentions, a few at a time, each batch twice."""
        for number in range(10_000):
            items = [
                {"external_id": f"post-{self._seed}-{number}-{place}", "author": {"handle": f"@u{place}"},
                 "text": f"Lumaca, pacco {number} {place}", "occurred_at": SystemClock().now().isoformat()}
                for place in range(3)
            ]  # fmt: skip
            for _ in range(2):
                if self._calm.is_set():
                    return
                self.up.wait(0.5)
                with contextlib.suppress(*AWAY, AssertionError):
                    self._installation.api.call(
                        "POST", "/mentions:batch", expect=202, json={"source": "replay", "items": items}
                    )
            self._stop.wait(0.2)


def _line(contact: Contact) -> str:
    """A conversation's chats go through one thread: a socket has one reader, and a visitor one session."""
    return f"chat-{zlib.crc32(contact.conversation.encode()) % 2}" if contact.kind == "chat" else contact.kind


def body_of(contact: Contact) -> bytes:
    """A contact as a machine posts it."""
    body: dict[str, Any] = {
        "external_id": contact.key,
        "conversation": contact.conversation,
        "from": {"email": contact.sender, "name": contact.sender.partition("@")[0]},
        "subject": f"Ordine {contact.conversation}",
        "text": contact.text,
    }
    if contact.files:
        body["attachments"] = [
            {"name": name, "media_type": "image/png", "content_base64": base64.b64encode(data).decode()}
            for name, data in contact.files
        ]
    return json.dumps(body).encode()


def mail_of(contact: Contact, to: str) -> EmailMessage:
    """A contact as somebody's mail program sends it; the same bytes each time but for the date's header."""
    mail = EmailMessage()
    mail["From"], mail["To"] = contact.sender, to
    mail["Subject"] = f"Ordine {contact.conversation}"
    mail["Message-ID"] = f"<{contact.key}>"
    mail["Date"] = format_datetime(SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0))
    if contact.answers:
        mail["In-Reply-To"] = mail["References"] = f"<{contact.answers}>"
    mail.set_content(contact.text)
    for name, data in contact.files:
        mail.add_attachment(data, maintype="image", subtype="png", filename=name)
    if mail.is_multipart():  # the same each time: a mail server resends what it has, it does not write it anew
        mail.set_boundary(f"=_{hashlib.sha256(contact.key.encode()).hexdigest()[:32]}")
    return mail
