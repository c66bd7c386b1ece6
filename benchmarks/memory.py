"""How much memory the whole process tree holds, and how long it takes to start (P13)."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ascolto.social.v1.service_pb2 import PutSourceRequest
from ascolto.social.v1.service_pb2_grpc import SocialStub
from benchmarks.filled import DOCUMENTS, FULL, ensure_filled
from benchmarks.load import drive
from benchmarks.product import Product, get, product
from benchmarks.report import Row
from benchmarks.texts import contact, words
from services.kit import log
from services.kit.application import Application
from services.kit.config import Settings
from services.kit.principal import Person
from services.kit.rpc import Caller
from services.social import app as social

_STARTS = 3


def _tree(pid: int) -> Iterator[int]:
    """The process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def pss_mib(pid: int) -> float:
    """Proportional set size of the tree: memory shared by processes counts once."""
    total = 0
    for one in _tree(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def _add_source(data: Path) -> str:
    """A source that mentions are posted to, made while nothing runs; its id."""
    settings = Settings.from_env({"ASCOLTO_DATA": str(data), "ASCOLTO_LOG_LEVEL": "warning"})
    log.set_up(form=settings.log, level=settings.log_level)
    with Application(settings) as app:
        app.migrate()
        app.add(social.build(app.parts("social")))
        person = Person(user_id="usr_bench", permissions=frozenset({"settings:write"}))
        wanted = PutSourceRequest(kind="replay", name="Posts", on=True)
        made = Caller(service="cli", keys=app.keys, clock=app.clock).invoke(
            SocialStub(app.channels["social"]).PutSource, wanted, person=person, timeout_s=10
        )
        return str(made.id)


def _post_mention(running: Product, source: str) -> None:
    """One mention, so that the models of tone and language load."""
    item = {
        "external_id": "m1",
        "author": {"handle": "cliente"},
        "text": "Prova: la lampada è arrivata rotta, pessimo servizio!",
        "occurred_at": "2026-03-12T09:00:00Z",
    }
    request = urllib.request.Request(
        f"{running.url}/api/v1/mentions:batch",
        data=json.dumps({"source": source, "items": [item]}).encode(),
        headers={"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202


def _send_mail(running: Product) -> None:
    """One mail by SMTP, so that the parser's process runs."""
    import smtplib

    from benchmarks.mail import mail

    host, _, port = running.smtp.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=30) as server:
        server.sendmail("c1@posta.example", ["care@prova.example"], mail(1))


def size() -> list[Row]:
    """P13: memory after some work with models loaded, and the seconds from the start to ready."""
    with tempfile.TemporaryDirectory(prefix="ascolto-bench-") as folder:
        data = Path(folder)
        with product(data):
            pass
        source = _add_source(data)
        with product(data) as running:
            headers = {"Authorization": f"Bearer {running.token}"}
            drive(running.hook, headers, lambda n: contact(n, "p13"), connections=4, seconds=5, rate=50)
            _post_mention(running, source)
            _send_mail(running)
            for number in range(20):
                get(f"{running.url}/api/v1/search?q={quote(words(number).split()[0])}", running.token)
            running.wait_searchable(200)
            memory = _settled(running)
        starts = []
        for _ in range(_STARTS):
            with product(data if not FULL else ensure_filled(DOCUMENTS)) as running:
                starts.append(running.ready_s)
    stored = f" with {DOCUMENTS // 1_000_000}M documents" if FULL else ""
    return [
        Row("P13", "PSS of all processes, models loaded", memory, 350, memory, None, "MiB", at_most=True),
        Row(
            "P13",
            f"start to ready{stored}",
            statistics.median(starts),
            3.0,
            statistics.median(starts),
            None,
            "s",
            at_most=True,
        ),
    ]


def _settled(running: Product) -> float:
    """The largest of three looks, a while after the last work."""
    until = time.perf_counter() + 3
    looks = []
    while time.perf_counter() < until:
        looks.append(pss_mib(running.process.pid))
        time.sleep(1)
    return max(looks)
