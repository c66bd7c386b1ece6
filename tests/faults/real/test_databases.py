"""Scenarios 13, 14 and 18 on real servers: a database that hangs, clashes, is slow, or refuses one record."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.faults.real.scene import Scene, scene
from tests.faults.real.test_lanes import rss_mib
from tests.faults.real.world import SEEDS, Template
from tests.faults.stores import Servers
from tests.faults.traffic import body_of, plan
from tests.kitlib import wait_until

_CLIENTS, _BOUND_S = 60, 30.0
_CLASH = """
CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.2 THEN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER clash AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION clash()
"""
_POISON = """
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'injected: this one cannot be stored'; END $$;
CREATE TRIGGER poison BEFORE INSERT ON interactions FOR EACH ROW WHEN (NEW.external_id LIKE '%{key}')
    EXECUTE FUNCTION poison()
"""


def in_database(now: Scene, service: str, statement: str) -> None:
    """Runs statements past the proxy, as a database's owner."""
    store = now.one.store
    assert isinstance(store, Servers)
    with psycopg.connect(store.urls["ASCOLTO_DATABASE"].format(service=service), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_database_that_hangs_or_clashes_costs_bounded_waits_and_nothing_else(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 300) as now:
        now.feed(50)
        now.settled()
        strangers = plan(seed + 1000, _CLIENTS)
        now.one.postgres.swallow(on=True)
        with ThreadPoolExecutor(_CLIENTS) as clients:
            answers = list(clients.map(lambda one: _post(now, body_of(one)), strangers))
        now.one.postgres.swallow(on=False)
        sys.stdout.write(f"slowest refusal {max(took for *_, took in answers):.1f} s, ")

        assert {status for status, *_ in answers} <= {429, 503}, answers
        assert all(int(after or 0) >= 1 for _, after, _ in answers)
        assert max(took for *_, took in answers) <= _BOUND_S
        for one in strangers:  # their senders try again, as told
            now.traffic.feed([one])
        for service, table, code in (("intake", "inbound_event", "40001"), ("tickets", "interactions", "40P01")):
            in_database(now, service, _CLASH.format(table=table, code=code))
        now.feed(150)
        now.settled()
        for service, table in (("intake", "inbound_event"), ("tickets", "interactions")):
            in_database(now, service, f"DROP TRIGGER clash ON {table}")
        assert now.judged() == [], f"seed {seed}"


def _post(now: Scene, body: bytes) -> tuple[int, str, float]:
    """Status, Retry-After and seconds of a post to the hook."""
    address, began = urlsplit(now.one.product.url), time.monotonic()
    assert address.hostname is not None
    client = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    headers = {"Authorization": f"Bearer {now.one.api.token}", "Content-Type": "application/json"}
    client.request("POST", f"/hooks/api/{now.one.shops[0].accounts['api']}", body, headers)
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer.status, answer.getheader("Retry-After", ""), time.monotonic() - began


@pytest.mark.parametrize("seed", SEEDS)
def test_a_consumer_that_stands_still_costs_no_memory_and_loses_nothing(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 800) as now:
        now.feed(300)  # until what is kept from one contact to the next is there
        now.settled()
        before, held, go_on = rss_mib(now), threading.Event(), threading.Event()
        thread = threading.Thread(target=_hold, args=(now, held, go_on), daemon=True)
        thread.start()
        assert held.wait(30)
        now.feed(400)
        now.settled()
        grown = rss_mib(now) - before
        go_on.set()
        thread.join(30)
        sys.stdout.write(f"{grown:+.0f} MiB, ")

        assert grown <= 50.0
        assert now.judged() == [], f"seed {seed}"


def _hold(now: Scene, held: threading.Event, go_on: threading.Event) -> None:
    """Keeps the tickets' table to itself: their consumer waits, is refused, and waits again."""
    store = now.one.store
    assert isinstance(store, Servers)
    with psycopg.connect(store.urls["ASCOLTO_DATABASE"].format(service="tickets")) as connection:
        connection.execute("LOCK TABLE interactions IN EXCLUSIVE MODE")
        held.set()
        go_on.wait(120)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_record_that_cannot_be_stored_is_parked_alone_and_its_replay_completes_the_ticket(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 300) as now:
        now.feed(50)
        now.settled()
        poison = next(one for one in now.contacts[60:] if one.kind == "api")
        in_database(now, "tickets", _POISON.format(key=poison.key))
        now.feed(249)
        now.settled()
        wait_until(lambda: now.one.api.call("GET", "/operations/dead-letters")["items"], 60)
        wait_until(lambda: _missing(now) == 1, 30)
        letters = now.one.api.call("GET", "/operations/dead-letters")["items"]
        in_database(now, "tickets", "DROP TRIGGER poison ON interactions")
        replayed = now.one.api.call("POST", f"/operations/dead-letters/{letters[0]['id']}/replay")

        assert len(letters) == 1, json.dumps(letters)
        assert "injected" in json.dumps(letters[0])
        assert replayed["ok"], replayed
        found = now.judged()
        assert [one for one in found if "after number" not in one] == [], (
            f"seed {seed}"
        )  # it came after what followed it


def _missing(now: Scene) -> int:
    """Contacts without an interaction."""
    inbound = now.one.store.rows("intake", "SELECT count(*) FROM inbound_event")[0][0]
    said = now.one.store.rows("tickets", "SELECT count(*) FROM interactions WHERE direction = 1 AND kind = 'message'")
    return int(inbound) - int(said[0][0])
