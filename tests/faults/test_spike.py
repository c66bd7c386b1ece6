"""Scenario 43: X refuses, breaks and hangs up; a crowd of ten thousand comes at once. Nothing is lost, one alert is raised."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.__main__ import wire
from services.demo.check import installation
from services.demo.process import Api, Product
from services.demo.world import World, authors
from tests.kitlib import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(500)]


@dataclass(frozen=True, slots=True)
class Listening:
    """The demo's shop, which listens to the simulated X."""

    product: Product
    world: World
    people: dict[str, Any]
    api: Api

    def mentions(self, text: str) -> list[str]:
        """Texts of the stored mentions that hold a word; the list of the API shows likenesses as one."""
        path = self.product.folder / "data" / "social.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as social:
            return [row[0] for row in social.execute("SELECT text FROM mentions WHERE text LIKE ?", (f"%{text}%",))]


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    with installation(tmp_path, wire) as (product, world, _shops, people):
        token = product.command("token", "create", "--name", "spike", "--scope", "admin", "--quiet")
        product.start()
        api = Api(product.url, token)
        yield Listening(product, world, people, api)
        api.client.close()


def test_no_post_is_lost_or_doubled_while_x_refuses_breaks_and_hangs_up(listening: Listening) -> None:
    known = authors(listening.people)
    wanted: set[str] = set()

    def heard() -> list[str]:
        return [text.rpartition(" ")[2] for text in listening.mentions("zaffiro")]

    for round_, faults in enumerate((["503", "html"], ["hangup", "503"], ["429"])):
        listening.world.x.fail_next(*faults)
        listening.world.x.close_streams()
        for number in range(10):
            mark = f"zaffiro-{round_}-{number}"
            said = " ".join(f"{word}{number}{round_}" for word in ("ordine", "scatola", "tazza", "corriere"))
            listening.world.x.post(known[number % len(known)], f"Lumaca Casa {said} {mark}")
            wanted.add(mark)
        wait_until(lambda: wanted <= set(heard()), 120)  # after a 429 on the stream a minute is waited
    assert sorted(heard()) == sorted(wanted)


def test_ten_thousand_mentions_in_a_minute_raise_one_alert_and_none_is_lost(listening: Listening) -> None:
    angry = [text for language, text in listening.people["angry"] if language == "it"]
    now = datetime.now(UTC).isoformat()
    author = {"handle": "cliente", "name": "Cliente", "followers": 10}
    for batch in range(20):
        items = [
            {"external_id": f"spike-{batch}-{place}", "author": author | {"handle": f"cliente_{batch}_{place}"},
             "text": f"{angry[place % len(angry)]} rubino{batch}x{place}", "occurred_at": now, "lang": "it"}
            for place in range(500)
        ]  # fmt: skip
        taken = listening.api.call("POST", "/mentions:batch", expect=202, json={"source": "replay", "items": items})
        assert all(one["id"] and not one["duplicate"] for one in taken["items"])

    def drained() -> bool:
        health = listening.api.call("GET", "/operations/health")
        return all(lag["position"] >= lag["end"] for one in health["services"] for lag in one["lags"])

    wait_until(drained, 120)
    total = listening.api.call("GET", "/search?q=kind:mention&limit=1")["total"]
    assert total >= 10_000
    alerts = [one for one in listening.api.items("/alerts") if one["count"] > 1_000]
    by_watch = {(one["watch"]["id"], one["source"]) for one in alerts}
    assert alerts, "a crowd is an alert"
    assert len(alerts) == len(by_watch), f"one episode is one alert: {[one['id'] for one in alerts]}"
