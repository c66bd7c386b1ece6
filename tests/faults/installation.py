"""An installation of the product to be killed, filled and looked into: two brands, a token, and a mail server outside."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.__main__ import commands, wire
from services.demo.mailbox import SimulatedMailServer
from services.demo.process import Api, Product
from services.kit.application import Application
from services.kit.backends import SERVICES
from services.kit.config import Settings
from tests.faults.stores import Files, Store
from tests.kitlib import wait_until

BRANDS = (("Lumaca", "care@lumaca.example"), ("Brezza", "help@brezza.example"))
AGENT = "elisa.monti@lumaca.example"
CRASHPOINT = "ASCOLTO_CRASHPOINT"
KILLED = -9
# What is on its way. An answer behind one of which nobody knows whether it arrived waits for a person, by rule.
UNSETTLED = (
    "SELECT id, state FROM inbound_raw WHERE state = 'pending' UNION ALL SELECT id, state FROM deliveries d"
    " WHERE state IN ('claimed', 'transmitting') OR state = 'queued' AND NOT EXISTS (SELECT 1 FROM deliveries u"
    " WHERE u.lane = d.lane AND u.seq < d.seq AND u.state = 'unknown')"
)


def free_address() -> str:
    """A loopback address nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@dataclass(frozen=True, slots=True)
class Shop:
    """One brand with its accounts by channel."""

    brand_id: str
    slug: str
    address: str
    accounts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An installation that was made and never started."""

    folder: Path
    shops: tuple[Shop, ...]
    token: str
    password: str  # of `AGENT`


@dataclass(slots=True)
class Installation:
    """A product in a folder of its own. `sink` is every customer's mail server."""

    product: Product
    sink: SimulatedMailServer
    shops: tuple[Shop, ...]
    api: Api
    store: Store

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.product.folder / "data"

    @property
    def smtp(self) -> tuple[str, int]:
        """Where it takes mail."""
        host, _, port = self.product.smtp.partition(":")
        return host, int(port)

    def start(self, crashpoint: str = "") -> float | None:
        """Starts it, armed or not; returns the seconds until it was ready, or None when the point was met before."""
        self.product.extra.pop(CRASHPOINT, None)
        if crashpoint:
            self.product.extra[CRASHPOINT] = crashpoint
        try:
            return self.product.start()
        except RuntimeError:
            assert self.product.process is not None
            if crashpoint and self.product.process.poll() == KILLED:
                return None
            raise

    def spent_s(self) -> float:
        """Processor seconds the process has used; they do not grow, as its wall clock does, with what else runs here."""
        assert self.product.process is not None
        fields = Path(f"/proc/{self.product.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.product.process is None or self.product.process.poll() is not None

    def log(self) -> str:
        """What it wrote so far."""
        return (self.product.folder / "log.txt").read_text("utf-8", "replace")

    def database(self, service: str) -> contextlib.closing[sqlite3.Connection]:
        """A service's database, read only."""
        return contextlib.closing(sqlite3.connect(f"file:{self.data / service}.db?mode=ro", uri=True))

    def drain(self, deadline_s: float = 60.0) -> None:
        """Returns when nothing is on its way any more: every group at the end, every delivery settled, all indexed."""
        left = ""

        def drained() -> bool:
            """Quiet, and nothing was emitted while we looked: what one service is done with may be another's work."""
            nonlocal left
            before = self._emitted()
            left = self._left()
            return not left and self._emitted() == before

        try:
            wait_until(drained, deadline_s)
        except AssertionError:
            raise AssertionError(f"not drained within {deadline_s} s: {left or 'events go on'}") from None

    def _emitted(self) -> list[int]:
        return [self.store.emitted(service) for service in SERVICES]

    def _left(self) -> str:
        """What still waits, or nothing."""
        if unpublished := self.store.unpublished():
            return f"{unpublished} are in no log"
        if unsettled := self.store.rows("intake", UNSETTLED):
            return f"{len(unsettled)} deliveries, such as {unsettled[0]}"
        if not self.store.rows("search", "SELECT id FROM generations WHERE state = 'live'"):
            return "the first index is still being built"
        health = self.api.call("GET", "/operations/health")
        for one in health["services"]:
            if behind := [lag for lag in one["lags"] if lag["position"] < lag["end"]]:
                return f"behind: {behind[0]}"
            if stages := [stage for stage in one["stages"] if stage["waiting"] and stage["name"] != "sending"]:
                return f"waiting: {stages[0]}"
        if unsettled := self.store.rows("intake", UNSETTLED):
            return f"{len(unsettled)} deliveries, such as {unsettled[0]}"
        return ""


def prepare(folder: Path, **more: str) -> Prepared:
    """Fills an empty folder with two working shops, an agent and a token. Copy it instead of making it again."""
    settings = Settings.from_env({"ASCOLTO_DATA": str(folder / "data"), "ASCOLTO_MODELS": "0", **more})
    with Application(settings) as app:
        app.migrate()
        ask = commands(wire(app))

        def call(command: str, /, **arguments: Any) -> Any:
            return ask[command](arguments, lambda *_progress: None)

        made = [call("init", brand=name, email=address, admin="") for name, address in BRANDS]
        password = call("user.create", email=AGENT, roles=["agent"], name="Elisa Monti")["password"]
        token = call("token.create", name="faults", scopes=["admin"])["secret"]
    shops = tuple(
        Shop(one["brand"], one["slug"], address, one["accounts"])
        for one, (_, address) in zip(made, BRANDS, strict=True)
    )
    return Prepared(folder, shops, token, password)


@contextlib.contextmanager
def installed(
    folder: Path, template: Prepared, *, program: tuple[str, ...] = ("services",), **settings: str
) -> Iterator[Installation]:
    """A copy of a prepared folder with free ports and a mail server; whatever runs at the end is ended."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(template.folder / "data", folder / "data", ignore=shutil.ignore_patterns("lock", "control*"))
    sink = SimulatedMailServer()
    sink.start()
    extra: dict[str, str] = {"ASCOLTO_MODELS": "0", "ASCOLTO_CHAT_PER_MINUTE": "1000000", **settings}
    product = Product(folder, free_address(), free_address(), f"smtp://{sink.host}:{sink.port}", extra, program=program)
    api = Api(product.url, template.token)
    try:
        yield Installation(product, sink, template.shops, api, Files(folder / "data"))
    finally:
        api.client.close()
        if product.process is not None and product.process.poll() is None:
            product.kill()
        sink.stop()
