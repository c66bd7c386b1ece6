"""What taking contacts in costs: throughput to searchable (P1), latency (P3, P5), stored and waiting (P10, P11), fsyncs (P15)."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.filled import DOCUMENTS, FULL, ensure_filled
from benchmarks.load import Outcome, drive
from benchmarks.product import Product, get, probe, product
from benchmarks.report import Row
from benchmarks.texts import contact

RUNS = 3
SECONDS = 60.0 if FULL else 10.0
CONNECTIONS = 64
RATE = 200.0


@contextmanager
def _folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="ascolto-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _bearer(running: Product) -> dict[str, str]:
    return {"Authorization": f"Bearer {running.token}"}


def _to_searchable(running: Product, seconds: float, *, run: str) -> tuple[float, Outcome]:
    before = running.searchable()
    outcome = drive(running.hook, _bearer(running), lambda n: contact(n, run), connections=CONNECTIONS, seconds=seconds)
    running.wait_searchable(before + outcome.accepted)
    return outcome.accepted / (time.perf_counter() - outcome.began), outcome


def _probe_to_searchable(url: str, seconds: float) -> tuple[float, Outcome]:
    outcome = drive(url, {}, contact, connections=CONNECTIONS, seconds=seconds)
    while int(get(url)[1] or 0) < outcome.accepted:
        time.sleep(0.05)
    return outcome.accepted / (time.perf_counter() - outcome.began), outcome


def throughput() -> list[Row]:
    """P1: contacts a second from POST to searchable, product ÷ probe, in turn, median of three."""
    ours, theirs = [], []
    for run in range(RUNS):
        with _folder() as folder, probe(folder) as url:
            theirs.append(_probe_to_searchable(url, SECONDS)[0])
        with _folder() as folder, product(folder) as running:
            ours.append(_to_searchable(running, SECONDS, run=f"p1-{run}")[0])
    ratios = [mine / bare for mine, bare in zip(ours, theirs, strict=True)]
    value = statistics.median(ratios)
    return [
        Row(
            "P1",
            "POST to searchable, contacts/s ÷ probe",
            value,
            0.45,
            statistics.median(ours),
            statistics.median(theirs),
            "contacts/s",
        )
    ]


def latency() -> list[Row]:
    """P3 and P5: at 200 a second, p99 of the answer ÷ probe, and seconds until searchable."""
    ours, theirs, fresh = [], [], []
    for run in range(RUNS):
        with _folder() as folder, probe(folder) as url:
            theirs.append(drive(url, {}, contact, connections=16, seconds=10, rate=RATE).quantile(0.99))
        with _folder() as folder, product(folder) as running:
            outcome = drive(
                running.hook, _bearer(running), _numbered(f"p3-{run}", 0), connections=16, seconds=10, rate=RATE
            )
            found: list[float] = []
            stop = threading.Event()
            watcher = threading.Thread(target=_watch_freshness, args=(running, stop, found))  # its searches cost too
            watcher.start()
            drive(running.hook, _bearer(running), _numbered(f"p5-{run}", 0), connections=16, seconds=10, rate=RATE)
            stop.set()
            watcher.join()
            ours.append(outcome.quantile(0.99))
            fresh.append(sorted(found)[int(0.99 * len(found))] if found else float("inf"))
    ratio = statistics.median(mine / bare for mine, bare in zip(ours, theirs, strict=True))
    return [
        Row(
            "P3",
            "p99 of POST → 202 at 200/s ÷ probe",
            ratio,
            2.0,
            statistics.median(ours) * 1000,
            statistics.median(theirs) * 1000,
            "ms",
            at_most=True,
        ),
        Row(
            "P5",
            "accepted → searchable, p99, at 200/s",
            statistics.median(fresh),
            1.5,
            statistics.median(fresh),
            None,
            "s",
            at_most=True,
        ),
    ]


def _watch_freshness(running: Product, stop: threading.Event, found: list[float]) -> None:
    """Posts a contact with a word of its own and searches for it until it is there, again and again."""
    number = 0
    while not stop.is_set():
        number += 1
        word = f"zq{os.urandom(5).hex()}"
        body = contact(number, f"fresh{word}").replace(b'"text": "', f'"text": "{word} '.encode())
        outcome = drive(running.hook, _bearer(running), _always(body), connections=1, seconds=0.5, rate=1.9)
        began = outcome.began + (outcome.latencies[0] if outcome.latencies else 0.0)
        while time.perf_counter() - began < 10:
            status, answer = get(f"{running.url}/api/v1/search?q={word}&limit=1", running.token)
            if status == 200 and b'"total":0' not in answer.replace(b" ", b""):
                break
            time.sleep(0.05)
        found.append(time.perf_counter() - began)


def stored() -> list[Row]:
    """P10: throughput with many stored ÷ empty (100k documents; a million with BENCH_FULL=1)."""
    with _folder() as folder, product(folder) as running:
        empty = _to_searchable(running, 10, run="p10-empty")[0]
    with product(ensure_filled(DOCUMENTS)) as running:
        value = _to_searchable(running, 10, run="p10-filled")[0]
    what = f"throughput with {DOCUMENTS // 1000}k documents stored ÷ empty"
    return [Row("P10", what, value / empty, 0.7, value, empty, "contacts/s")]


def waiting() -> list[Row]:
    """P11: contacts accepted a second while 100k wait to be put on tickets ÷ while none wait."""

    def accept(running: Product, run: str) -> float:
        outcome = drive(running.hook, _bearer(running), lambda n: contact(n, run), connections=CONNECTIONS, seconds=8)
        return outcome.accepted / (outcome.ended - outcome.began)

    with _folder() as folder:
        with product(folder) as running:
            few = accept(running, "p11-none")
            hook = running.hook.removeprefix(running.url)
        queued = 0
        with product(folder, intake_alone=True) as running:
            while queued < 100_000:
                body = _numbered("p11-wait", queued)
                queued += drive(running.url + hook, _bearer(running), body, connections=CONNECTIONS, seconds=8).accepted
        with product(folder) as running:
            many = accept(running, "p11-many")
    return [Row("P11", "accepted with 100k waiting ÷ none", many / few, 0.9, many, few, "contacts/s")]


def _always(body: bytes) -> Callable[[int], bytes]:
    return lambda _n: body


def _numbered(run: str, first: int) -> Callable[[int], bytes]:
    return lambda n: contact(first + n, run)


def fsyncs() -> list[Row]:
    """P15: calls of fsync and fdatasync per acknowledged contact at 1,000 a second, counted by the kernel's tracer."""
    if shutil.which("strace") is None:
        return [
            Row(
                "P15", "fsyncs per contact at 1,000/s: strace is not installed, not measured", None, 0.3, None, None, ""
            )
        ]
    with _folder() as folder:
        with product(folder):
            pass  # what the first start writes is not counted
        log = folder / "strace.txt"
        traced = "fsync,fdatasync,sync_file_range"
        tracer = ("strace", "-f", "--seccomp-bpf", "-ttt", "-e", f"trace={traced}", "-o", str(log))
        with product(folder, under=tracer) as running:
            began = time.time()
            body = _numbered("p15", 0)
            outcome = drive(running.hook, _bearer(running), body, connections=64, seconds=10, rate=1000)
            running.wait_searchable(outcome.accepted)
            ended = time.time()
        calls = sum(
            began <= float(line.split()[1]) <= ended for line in log.read_text().splitlines() if "sync(" in line
        )
    return [
        Row(
            "P15",
            "fsyncs per contact at 1,000/s",
            calls / max(1, outcome.accepted),
            0.3,
            float(calls),
            float(outcome.accepted),
            "fsyncs, contacts",
            at_most=True,
        )
    ]
