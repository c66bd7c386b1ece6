"""Scenario 37 on real servers: an import by the thousand and a rebuild of the index beside live traffic."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from pathlib import Path

import pytest

from services.kit.control import send
from tests.faults.real.scene import Scene, scene
from tests.faults.real.world import SEEDS, Template

_LIVE, _IN_A_CALL = 150, 50


def _import(now: Scene, done: threading.Event, told: list[int]) -> None:
    """An import of old contacts from another program, in batches, until `done`."""
    account = now.one.shops[0].accounts["api"]
    for call in itertools.count():
        if done.is_set():
            return
        items = [
            {"account": account, "external_id": f"old-{call}-{place}", "conversation": f"old-{call}-{place % 10}",
             "from": {"email": f"old{call}.{place % 10}@posta.example"}, "text": f"pacco vecchio {call} {place}"}
            for place in range(_IN_A_CALL)
        ]  # fmt: skip
        answered = now.one.api.call("POST", "/contacts:batch", expect=202, json={"items": items})
        told.append(sum("id" in one for one in answered["items"]))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_import_and_a_rebuild_hold_up_no_live_contact_and_lose_none(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    with scene(tmp_path / "one", on_servers, seed, 400) as now:
        idle_s = _live(now)
        done, told = threading.Event(), list[int]()
        importing = threading.Thread(target=_import, args=(now, done, told), daemon=True)
        importing.start()
        rebuilding = threading.Thread(target=_rebuild, args=(now, done), daemon=True)
        rebuilding.start()
        busy_s = _live(now)
        done.set()
        importing.join(60)
        rebuilding.join(120)
        sys.stdout.write(f"{_LIVE} contacts in {idle_s:.1f} s, beside {sum(told)} imported in {busy_s:.1f} s, ")

        assert told
        assert now.judged() == [], f"seed {seed}"
        imported = now.one.store.rows("intake", "SELECT count(*) FROM inbound_event WHERE external_id LIKE '%old-%'")
        assert imported == [(sum(told),)]


def _live(now: Scene) -> float:
    began = time.monotonic()
    now.feed(_LIVE)
    now.settled()
    return time.monotonic() - began


def _rebuild(now: Scene, done: threading.Event) -> None:
    while not done.is_set():
        send(now.one.product.folder / "data", "reindex", {}, lambda *_progress: None)
