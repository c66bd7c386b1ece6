"""What simulated customers do, through the same edges as real ones: mail by SMTP, the form's page, the chat's socket."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import smtplib
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from services.kit.clock import SystemClock


def photo(shade: int = 180) -> bytes:
    """A small PNG of a broken thing, made on the spot. Source: PNG specification (W3C), section 5."""
    width, height = 48, 32
    rows = b"".join(b"\x00" + bytes((shade if (x * y + x) % 11 else 20) for x in range(width)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def compose(
    person: dict[str, Any],
    to: str,
    *,
    subject: str = "",
    text: str = "",
    answers: EmailMessage | None = None,
    automatic: bool = False,
) -> EmailMessage:
    """A mail of a person, or their answer to one they received."""
    mail = EmailMessage()
    mail["From"] = formataddr((person["name"], person["address"]))
    mail["To"] = to
    mail["Date"] = format_datetime(SystemClock().now())
    mail["Message-ID"] = make_msgid(domain=person["address"].partition("@")[2])
    if answers is not None:
        mail["In-Reply-To"] = str(answers["Message-ID"])
        mail["References"] = f"{answers.get('References', '')} {answers['Message-ID']}".strip()
        subject = subject or f"Re: {answers['Subject']}"
    mail["Subject"] = subject or person["subject"]
    if automatic:
        mail["Auto-Submitted"] = "auto-replied"
    mail.set_content(text or person["text"])
    if person.get("photo") and answers is None:
        mail.add_attachment(photo(), maintype="image", subtype="png", filename="vetro rotto.png")
    return mail


def send(smtp: tuple[str, int], mail: EmailMessage) -> None:
    """Hands a mail over; returns after the 250."""
    with smtplib.SMTP(*smtp, timeout=30) as client:
        client.send_message(mail)


@dataclass(slots=True)
class FormVisitor:
    """Somebody at the contact form, as a browser without JavaScript would fill it."""

    url: str
    slug: str

    def submit(self, person: dict[str, Any], *, patience_s: float = 2.2) -> str:
        """Reads the page, writes for a moment, sends; returns where the thank-you page is. Raises `AssertionError`."""
        with httpx.Client(timeout=30, headers={"accept-language": person["language"]}) as client:
            page = client.get(f"{self.url}/c/{self.slug}/contact")
            assert page.status_code == 200, f"the form answers {page.status_code}"
            hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
            time.sleep(patience_s)  # a form that is sent faster than anybody writes is refused
            fields = {
                **hidden,
                "name": person["name"],
                "email": person["address"],
                "topic": person["kind"],
                "message": f"{person['subject']}\n\n{person['text']}",
                "language": person["language"],
            }
            sent = client.post(f"{self.url}/c/{self.slug}/contact", data=fields)
        assert sent.status_code == 303, f"the form answers {sent.status_code}: {sent.text[:500]}"
        return str(sent.headers["location"])


@dataclass(slots=True)
class ChatVisitor:
    """Somebody at the chat: a session, a socket, and what came over it. Comes back where they were after a break."""

    url: str
    slug: str
    person: dict[str, Any]
    token: str = ""
    last_seq: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)
    _socket: ClientConnection | None = None
    _entered: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def open(self) -> None:
        """Begins or goes on with the session, and connects."""
        told = {
            "name": self.person["name"],
            "email": self.person["address"],
            "language": self.person["language"],
            "token": self.token,
        }
        answer = httpx.post(f"{self.url}/c/{self.slug}/chat/session", json=told, timeout=30)
        assert answer.status_code == 200, f"the chat answers {answer.status_code}: {answer.text[:500]}"
        self.token = answer.json()["token"]
        address = self.url.replace("http", "ws", 1) + answer.json()["ws"]
        self._entered.close()
        self._socket = self._entered.enter_context(
            connect(address, subprotocols=[Subprotocol("care.chat.v1")], open_timeout=20, proxy=None)
        )
        self._socket.send(json.dumps({"op": "hello", "token": self.token, "last_seq": self.last_seq}))
        self._until(lambda frame: frame["op"] == "ready")

    def say(self, text: str, *, client_id: str = "") -> dict[str, Any]:
        """Says one line; returns the acknowledgement, which comes after the commit."""
        key = client_id or secrets.token_hex(8)
        assert self._socket is not None
        self._socket.send(json.dumps({"op": "msg.send", "id": key, "text": text}))
        return self._until(lambda frame: frame["op"] in {"ack", "error"} and frame.get("id") == key)

    def wait_for(self, text: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """The event that carries a text. Raises `TimeoutError`."""
        for event in self.received:
            if text in event["data"].get("text", ""):
                return event
        return self._until(
            lambda frame: frame["op"] == "event" and text in frame.get("data", {}).get("text", ""), timeout_s
        )

    def listen(self, seconds: float) -> None:
        """Takes in what comes in the next seconds."""
        with contextlib.suppress(TimeoutError):
            self._until(lambda _frame: False, seconds)

    def close(self) -> None:
        """Leaves."""
        self._entered.close()

    def _until(self, wanted: Callable[[dict[str, Any]], bool], timeout_s: float = 20.0) -> dict[str, Any]:
        assert self._socket is not None
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            frame = json.loads(self._socket.recv(timeout=left))
            if frame["op"] == "event" and frame.get("seq"):
                self.last_seq = max(self.last_seq, frame["seq"])
                self.received.append(frame)
            if wanted(frame):
                return dict(frame)
        raise TimeoutError("the chat did not answer in time")
