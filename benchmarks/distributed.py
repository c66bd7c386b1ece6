"""The distributed system beside the barest program on the same servers: P1, P3, P5, P7, P9, P12 and P14.

`BENCH_SECONDS` is how long each load lasts (20); a run of all takes about a quarter of an hour on two free cores.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial

import msgspec
import psycopg

from benchmarks.cluster import Installation, forget, installation, urls
from benchmarks.cluster_probe import Bulk
from benchmarks.intake import _watch_freshness
from benchmarks.live import Running, beside_bulk
from benchmarks.load import drive
from benchmarks.product import ROOT, _end, free_port, get, wait_ready
from benchmarks.report import Row
from benchmarks.search import _words_of
from benchmarks.texts import contact
from services.search.index.elastic import mapping

RUNS = 3
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
CONNECTIONS = 64
RATE = 200.0
_PAGE = 1000
_REINDEX_S = 900.0
_PROBE_COUNT = 20_000


def _bearer(run: Installation) -> dict[str, str]:
    return {"Authorization": f"Bearer {run.token}"}


def _contacts(tag: str) -> Callable[[int], bytes]:
    return partial(contact, run=tag)


@contextlib.contextmanager
def _probe() -> Iterator[str]:
    """The URL of the probe with its edge, until the block ends."""
    name, port = f"b{secrets.token_hex(5)}", free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.cluster_probe", name, str(port), "0"], cwd=ROOT)
    try:
        wait_ready(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/"
    finally:
        _end(process, told=process.pid)
        forget(urls(), name)


def measure() -> Iterator[Row]:
    """All of them, each as it is known."""
    bare_us = statistics.median(_bare_us() for _ in range(RUNS))
    costs: dict[int, float] = {}
    with installation(1) as run:
        _to_searchable(run, 3.0, "warm")
        yield _throughput(run)
        yield from _latency(run)
        yield _messages_a_call(run)
        yield _reindex(run)
        yield from beside_bulk(Running(run.hooks, run.url, run.token, run.account, partial(_build_anew, run)))
        costs[1] = yield from _cost(run, 1)
    for instances in (2, 4):
        with installation(instances) as run:
            _to_searchable(run, 3.0, "warm")
            costs[instances] = yield from _cost(run, instances)
    what = "contacts per CPU second of our processes ÷ bare loop's"
    yield Row("P14", what, bare_us / costs[1], 0.4, 1e6 / costs[1], 1e6 / bare_us, "contacts/CPU s")
    what = "CPU seconds per contact, four instances ÷ one"
    yield Row("P14", what, costs[4] / costs[1], 1.3, costs[4], costs[1], "µs", at_most=True)


# --- P1 ---


def _to_searchable(run: Installation, seconds: float, tag: str) -> tuple[float, int]:
    """Contacts a second from the first POST until all were found, and how many."""
    before = run.searchable()
    outcome = drive(run.hooks, _bearer(run), _contacts(tag), connections=CONNECTIONS, seconds=seconds)
    run.wait_searchable(before + outcome.accepted)
    return outcome.accepted / (time.perf_counter() - outcome.began), outcome.accepted


def _throughput(run: Installation) -> Row:
    ours, theirs = [], []
    for turn in range(RUNS):
        with _probe() as url:
            outcome = drive(url, {}, contact, connections=CONNECTIONS, seconds=SECONDS / 2)
            while int(get(url)[1] or 0) < outcome.accepted:
                time.sleep(0.1)
            theirs.append(outcome.accepted / (time.perf_counter() - outcome.began))
        ours.append(_to_searchable(run, SECONDS, f"p1-{turn}")[0])
    value = statistics.median(mine / bare for mine, bare in zip(ours, theirs, strict=True))
    what = "POST to searchable, contacts/s ÷ probe with an edge"
    return Row("P1", what, value, 0.45, statistics.median(ours), statistics.median(theirs), "contacts/s")


# --- P3, P5 ---


def _latency(run: Installation) -> Iterator[Row]:
    ours, theirs, fresh = [], [], []
    for turn in range(RUNS):
        with _probe() as url:
            theirs.append(drive(url, {}, contact, connections=16, seconds=SECONDS / 2, rate=RATE).quantile(0.99))
        load = partial(drive, run.hooks, _bearer(run), connections=16, seconds=SECONDS / 2, rate=RATE)
        ours.append(load(_contacts(f"p3-{turn}")).quantile(0.99))
        found: list[float] = []
        stop = threading.Event()
        watcher = threading.Thread(target=_watch_freshness, args=(run, stop, found))
        watcher.start()
        load(_contacts(f"p5-{turn}"))
        stop.set()
        watcher.join()
        fresh.append(sorted(found)[int(0.99 * len(found))])
    value = statistics.median(mine / bare for mine, bare in zip(ours, theirs, strict=True))
    mine_ms, bare_ms = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    yield Row("P3", "p99 of POST → 202 at 200/s ÷ probe", value, 2.0, mine_ms, bare_ms, "ms", at_most=True)
    late = statistics.median(fresh)
    yield Row("P5", "accepted → searchable, p99, at 200/s", late, 1.5, late, None, "s", at_most=True)


# --- P9 ---


def _messages_a_call(run: Installation) -> Row:
    """Contacts by the REST API of the desk, which hands them to intake over the network."""

    def calls(method: str = "") -> float:
        line = "ascolto_rpc_calls_total{"
        return sum(run.figure(service, line, method) for service in {one.service for one in run.cluster.instances})

    def body(number: int) -> bytes:
        return contact(number, "p9").replace(b"{", b'{"account": "%s", ' % run.account.encode(), 1)

    before, all_before = calls('method="AcceptContacts"'), calls()
    url = f"{run.url}/api/v1/contacts"
    outcome = drive(url, _bearer(run), body, connections=CONNECTIONS, seconds=SECONDS / 2)
    made, all_made = calls('method="AcceptContacts"') - before, calls() - all_before
    what = "contacts per call, desk's API to intake at full load"
    unit = f"contacts, calls ({all_made:,.0f} calls of all methods and services meanwhile)"
    return Row("P9", what, outcome.accepted / max(1.0, made), 20, outcome.accepted, made, unit)


# --- P7 ---


def _reindex(run: Installation) -> Row:
    ours, theirs = [], []
    newest = "SELECT documents, built_us - started_us FROM generations WHERE built_us > 0 ORDER BY id DESC LIMIT 1"
    for _ in range(RUNS):
        _build_anew(run)
        with psycopg.connect(run.of_database("search")) as database:
            row = database.execute(newest).fetchone()
        assert row is not None
        documents, took_us = row
        ours.append(documents / (took_us / 1e6))
        theirs.append(_bare_bulk(run))
    value = statistics.median(mine / bare for mine, bare in zip(ours, theirs, strict=True))
    what = f"reindex of {documents} documents/s ÷ bare bulk loop"
    return Row("P7", what, value, 0.5, statistics.median(ours), statistics.median(theirs), "documents/s")


def _build_anew(run: Installation) -> None:
    again = [sys.executable, "-m", "services", "reindex"]
    subprocess.run(again, env=run.cluster.environment, cwd=ROOT, check=True, capture_output=True, timeout=_REINDEX_S)


def _bare_bulk(run: Installation) -> float:
    """Reads the same rows page by page and hands them over in bulks, with the same analysis on the server."""
    bulk = Bulk(run.servers["TEST_ELASTICSEARCH_URL"], f"{run.name}-bare-{secrets.token_hex(3)}")
    bulk.create(mapping.index(shards=1, alias=f"{bulk.index}-write"))
    began, added = time.perf_counter(), 0
    encode = msgspec.json.Encoder().encode
    with psycopg.connect(run.database, autocommit=True) as database:
        for table, what in (("tickets", "subject"), ("customers", "name"), ("interactions", "data")):
            after = 0
            page = f"SELECT id, {what}, rev FROM {table} WHERE rev > %s ORDER BY rev LIMIT {_PAGE}"
            while rows := database.execute(page, (after,)).fetchall():
                lines = []
                for id_, content, after in rows:  # noqa: B007 (the last one is where the next page begins)
                    text = content if isinstance(content, str) else _words_of(bytes(content))
                    made = {"kind": "x", "words": text, "text_it": text, "source": {"text": text}}
                    lines.append(b'{"index":{"_id":%s}}\n%s\n' % (encode(str(id_)), encode(made)))
                bulk.put(lines)
                added += len(rows)
    bulk.ask("POST", f"/{bulk.index}/_refresh")
    return added / (time.perf_counter() - began)


# --- P14 ---


def _bare_us() -> float:
    """Microseconds of processor a contact costs the bare loop."""
    name = f"b{secrets.token_hex(5)}"
    command = [sys.executable, "-m", "benchmarks.cluster_probe", name, "0", str(_PROBE_COUNT)]
    try:
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    finally:
        forget(urls(), name)
    return float(json.loads(done.stdout.splitlines()[-1])["cpu_s"]) / _PROBE_COUNT * 1e6


def _cost(run: Installation, instances: int) -> Generator[Row, None, float]:
    """Microseconds of processor a contact costs all our processes, and the row that shows it by service."""
    before = run.cpu()
    rate, count = _to_searchable(run, SECONDS, f"p14-{instances}")
    each = {service: (used - before[service]) / count * 1e6 for service, used in run.cpu().items()}
    cost = sum(each.values())
    shares = ", ".join(f"{service} {used:,.0f}" for service, used in each.items())
    what = f"CPU per contact with {instances} of intake, tickets, search"
    yield Row("P14", what, cost, float("inf"), cost, None, f"µs ({shares}), {rate:,.0f} contacts/s", at_most=True)
    return cost
