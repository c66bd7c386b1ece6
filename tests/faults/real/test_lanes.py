"""Scenarios 3 to 7 on real servers: the log or the index away, answers lost, members that come, go and sleep, a rebuild."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from services.kit.control import send
from services.kit.topics import CONTACTS, TICKETS
from tests.faults.proxy import is_commit
from tests.faults.real.scene import Scene, scene
from tests.faults.real.world import SEEDS, Template, Two
from tests.kitlib import wait_until
from tests.real import kafka_world

_RSS_MIB = 50.0


def rss_mib(one: Scene) -> float:
    """Memory of the product's process."""
    assert one.one.product.process is not None
    status = Path(f"/proc/{one.one.product.process.pid}/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


@pytest.mark.parametrize("seed", SEEDS)
def test_an_answer_lost_after_the_log_or_a_database_applied_it_doubles_nothing(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 300) as now:
        now.feed(50)
        now.settled()
        now.one.kafka.lose_acknowledgements(now.chance.randint(2, 4))
        now.feed(100)
        now.settled()
        wait_until(lambda: now.one.kafka.lost >= 1, 30)
        now.one.postgres.lose_acknowledgements(now.chance.randint(4, 8), to=is_commit)
        now.feed(100)
        wait_until(lambda: now.one.postgres.lost >= 1, 30)
        assert now.judged() == [], f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_with_the_log_away_contacts_are_taken_in_and_then_drain_ten_times_as_fast(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 800) as now:
        now.feed(300)  # until what is kept from one contact to the next is there
        now.settled()
        before = rss_mib(now)
        now.one.kafka.cut(away=True)
        began = time.monotonic()
        for _ in range(20):
            now.feed(20)
            now.until(now.fed)
            time.sleep(0.5)  # sleep: 40 a second at most: what a shop has at its peak
        away_s = time.monotonic() - began
        grown = rss_mib(now) - before
        waiting = now.one.store.unpublished()["intake"]
        now.one.kafka.cut(away=False)
        wait_until(lambda: now.one.store.unpublished().get("intake", 0) < waiting, 30)
        began = time.monotonic()
        wait_until(lambda: now.one.store.unpublished().get("intake", 0) == 0, 60)
        drained_s = time.monotonic() - began
        sys.stdout.write(f"{waiting} waited after {away_s:.0f} s, drained in {drained_s:.1f} s, {grown:+.0f} MiB, ")

        assert waiting >= 400
        assert grown <= _RSS_MIB
        assert drained_s <= away_s / 10
        assert now.judged() == [], f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sleeper_and_a_storm_of_rebalances_lose_and_double_nothing(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 400, two=True) as now:
        now.feed(100)
        now.settled()
        two = now.one.product
        assert isinstance(two, Two)
        sleeper = two.both[0].process
        assert sleeper is not None
        calm, kicks = threading.Event(), itertools.count()

        def storm() -> None:
            while not calm.wait(now.chance.uniform(0.5, 1.5)):
                for group in (f"tickets.contacts.{CONTACTS}", "search", f"search.{TICKETS}"):
                    kafka_world.kick(now.one.store.urls["ASCOLTO_BUS"], group)  # type: ignore[attr-defined]  # it is on servers
                next(kicks)

        thread = threading.Thread(target=storm, daemon=True)
        thread.start()
        for _ in range(2):
            now.feed(100)
            sleeper.send_signal(signal.SIGSTOP)
            time.sleep(now.chance.uniform(6, 9))  # sleep: asleep past its lease or its session, or not
            sleeper.send_signal(signal.SIGCONT)
        calm.set()
        thread.join(30)
        assert next(kicks) >= 3
        assert now.judged() == [], f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_with_the_index_away_tickets_go_on_search_says_so_and_all_comes_right(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 400) as now:
        now.feed(50)
        now.settled()

        def taken_s() -> float:
            began = time.monotonic()
            now.feed(120)
            now.settled()
            wait_until(lambda: _tickets_read_all(now), 60)
            return time.monotonic() - began

        idle = taken_s()
        now.one.elastic.cut(away=True)
        away = taken_s()
        found = now.one.api.call("GET", "/search?q=pacco")
        now.one.elastic.cut(away=False)
        sys.stdout.write(f"120 contacts in {idle:.1f} s, with the index away in {away:.1f} s, ")

        assert found["degraded"]
        assert found["items"]
        assert away <= 1.5 * idle + 2.0, (idle, away)  # the second is the wait of others on the machine
        assert now.judged() == [], f"seed {seed}"
        assert now.one.store.rows("search", "SELECT count(*) FROM dead_letters") == [(0,)]


def _tickets_read_all(now: Scene) -> bool:
    inbound = now.one.store.rows("intake", "SELECT count(*) FROM inbound_event")
    said = now.one.store.rows("tickets", "SELECT count(*) FROM interactions WHERE direction = 1 AND kind = 'message'")
    return said == inbound


@pytest.mark.parametrize("seed", SEEDS)
def test_the_index_is_rebuilt_under_live_traffic_and_no_search_fails(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 400) as now:
        now.feed(200)
        now.settled()
        done, searches = threading.Event(), itertools.count()
        failed: list[str] = []

        def seek() -> None:
            while not done.is_set():
                try:
                    now.one.api.call("GET", "/search?q=pacco")
                except AssertionError as error:
                    failed.append(str(error))
                next(searches)

        thread = threading.Thread(target=seek, daemon=True)
        thread.start()
        now.feed(150)
        built = send(now.one.product.folder / "data", "reindex", {}, lambda *_progress: None)
        done.set()
        thread.join(30)

        assert built["documents"] >= 200
        assert next(searches) >= 3
        assert failed == []
        assert now.judged() == [], f"seed {seed}"
