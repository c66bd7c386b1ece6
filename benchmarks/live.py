"""What people feel while heavy work runs beside them (P12): contacts at a steady rate, idle and during bulk work."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial

from benchmarks.filled import DOCUMENTS, ensure_filled
from benchmarks.load import drive
from benchmarks.product import Product, command, product
from benchmarks.report import Row
from benchmarks.texts import contact

_RATE = 100.0
_SECONDS = 10.0
_IMPORTED = 100  # in a call


def during() -> list[Row]:
    """P12: p99 of POST → 202 at 100/s during a rebuild of the index and during an import ÷ with neither."""
    rows = []
    with product(ensure_filled(DOCUMENTS)) as running:
        for name, work in (("reindex", _reindex), ("import", _import)):
            idle = _p99(running, f"{name}-idle")
            stop = threading.Event()
            worker = threading.Thread(target=_again, args=(partial(work, running), stop))
            worker.start()
            busy = _p99(running, f"{name}-busy")
            stop.set()
            worker.join()
            what = f"p99 of POST → 202 at 100/s during {name} ÷ idle"
            rows.append(Row("P12", what, busy / idle, 3.0, busy * 1000, idle * 1000, "ms", at_most=True))
    return rows


def _again(work: Callable[[int], None], stop: threading.Event) -> None:
    turn = 0
    while not stop.is_set():
        work(turn)
        turn += 1


def _p99(running: Product, tag: str) -> float:
    headers = {"Authorization": f"Bearer {running.token}"}
    body = partial(contact, run=f"p12-{tag}")
    return drive(running.hook, headers, body, connections=16, seconds=_SECONDS, rate=_RATE).quantile(0.99)


def _reindex(running: Product, _turn: int) -> None:
    command("reindex", data=running.data)


def _import(running: Product, turn: int) -> None:
    """A second of batches of a hundred by the API, as an import from another program sends them."""

    def batch(number: int) -> bytes:
        first = number * _IMPORTED
        contacts = [json.loads(contact(first + one, f"p12-import-{turn}")) for one in range(_IMPORTED)]
        return json.dumps({"items": [{"account": running.accounts["api"], **one} for one in contacts]}).encode()

    headers = {"Authorization": f"Bearer {running.token}"}
    drive(f"{running.url}/api/v1/contacts:batch", headers, batch, connections=1, seconds=1.0)
