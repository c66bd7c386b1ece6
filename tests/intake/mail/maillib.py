"""What the mail tests share: a channel with a key, an account, a memory of what was taken in, and waiting on a condition."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from services.intake.channels.email import EmailChannel
from services.intake.ports import Accepted, Account, Identity, Outbound, RawContact, Route
from services.kit.clock import ManualClock
from services.kit.config import Settings
from services.kit.secrets import Keys

TICKET = "tkt_01kaxyz0123456789abcdefghj"
DELIVERY = "dlv_01kaxyz0123456789abcdefghj"


def channel(**settings: Any) -> EmailChannel:
    tools: Any = SimpleNamespace(
        settings=Settings(**settings), keys=Keys(b"k" * 32), clock=ManualClock(), egress=None, blobs=None, data=Path()
    )
    return EmailChannel(tools)


def account(**settings: str) -> Account:
    secrets = {name: settings.pop(name) for name in list(settings) if name.endswith("password")}
    return Account(
        id="acc_1",
        brand_id="brd_1",
        channel="email",
        address="care@shop.example",
        settings=settings,
        secrets=secrets,
        brand_name="Negozio Esempio",
    )


def outbound(**fields: Any) -> Outbound:
    values: dict[str, Any] = {
        "delivery_id": DELIVERY, "reply_id": "int_1", "ticket_id": TICKET, "ticket_number": 7,
        "to": (Identity("email", "mara@example.org", "Mara"),), "subject": "Pacco", "text": "Buongiorno",
    }  # fmt: skip
    return Outbound(**{**values, **fields})


def raw(body: bytes, **meta: str) -> RawContact:
    return RawContact(account_id="acc_1", transport_key="t", body=body, meta=meta)


class MemoryDoor:
    """A way in that keeps what came, answers what it is told to, and lets a test hold it back."""

    def __init__(self) -> None:
        self.taken: list[RawContact] = []
        self.calls = 0
        self.entered = 0
        self.error: Exception | None = None
        self.refusal = ""
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    def accept(self, raws):
        with self._lock:
            self.entered += len(raws)
        self.gate.wait(20)
        with self._lock:
            self.calls += 1
            if self.error is not None:
                raise self.error
            if self.refusal:
                return [Accepted("", error="Switched off. Open now: chat.", kind=self.refusal) for _ in raws]
            self.taken.extend(raws)
            return [Accepted(f"con_{len(self.taken)}") for _ in raws]

    def accounts_for_address(self, address: str):
        local, _, domain = address.lower().rpartition("@")
        if local.partition("+")[0] in {"care", "bounces", "postmaster"} and domain in {"shop.example", ""}:
            return [Route("acc_1", "brd_1")]
        return [Route("", "")] if address.lower() == "postmaster" else []


class MemoryFeed(MemoryDoor):
    """The same for a poller, with its cursor."""

    def __init__(self, cursor: str = "") -> None:
        super().__init__()
        self.place = cursor
        self.successes = 0
        self.failures: list[str] = []

    def cursor(self) -> str:
        return self.place

    def move(self, cursor: str) -> None:
        self.place = cursor

    def succeeded(self) -> None:
        self.successes += 1

    def failed(self, reason: str) -> None:
        self.failures.append(reason)


def wait_for(condition, *, timeout_s: float = 15.0, what: str = "the condition") -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {timeout_s:g} s")
        threading.Event().wait(0.01)
