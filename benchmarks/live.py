"""What people feel while heavy work runs beside them (P12): contacts at a steady rate, idle and during bulk work."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.filled import DOCUMENTS, ensure_filled
from benchmarks.load import drive
from benchmarks.product import command, product
from benchmarks.report import Row
from benchmarks.texts import contact

_RATE = 100.0
_SECONDS = 10.0
_IMPORTED = 100  # in a call


@dataclass(frozen=True, slots=True)
class Running:
    """An installation under load: where contacts are posted, where its API is, and how its index is built anew."""

    hooks: Sequence[str]
    url: str
    token: str
    account: str  # of the API's channel
    reindex: Callable[[], object]


def during() -> Iterator[Row]:
    """P12 of the embedded form."""
    folder = ensure_filled(DOCUMENTS)
    with product(folder) as made:
        again = partial(command, "reindex", data=made.data)
        yield from beside_bulk(Running([made.hook], made.url, made.token, made.accounts["api"], again))


def beside_bulk(running: Running) -> Iterator[Row]:
    """P12: p99 of POST → 202 at 100/s during a rebuild of the index and during an import ÷ with neither."""
    for name, work in (("reindex", _reindex), ("import", _import)):
        idle = _p99(running, f"{name}-idle")
        stop = threading.Event()
        worker = threading.Thread(target=_again, args=(partial(work, running), stop))
        worker.start()
        busy = _p99(running, f"{name}-busy")
        stop.set()
        worker.join()
        what = f"p99 of POST → 202 at 100/s during {name} ÷ idle"
        yield Row("P12", what, busy / idle, 3.0, busy * 1000, idle * 1000, "ms", at_most=True)


def _again(work: Callable[[int], None], stop: threading.Event) -> None:
    turn = 0
    while not stop.is_set():
        work(turn)
        turn += 1


def _p99(running: Running, tag: str) -> float:
    headers = {"Authorization": f"Bearer {running.token}"}
    body = partial(contact, run=f"p12-{tag}")
    return drive(running.hooks, headers, body, connections=16, seconds=_SECONDS, rate=_RATE).quantile(0.99)


def _reindex(running: Running, _turn: int) -> None:
    running.reindex()


def _import(running: Running, turn: int) -> None:
    """A second of batches of a hundred by the API, as an import from another program sends them."""

    def batch(number: int) -> bytes:
        first = number * _IMPORTED
        contacts = [json.loads(contact(first + one, f"p12-import-{turn}")) for one in range(_IMPORTED)]
        return json.dumps({"items": [{"account": running.account, **one} for one in contacts]}).encode()

    headers = {"Authorization": f"Bearer {running.token}"}
    drive(f"{running.url}/api/v1/contacts:batch", headers, batch, connections=1, seconds=1.0)
