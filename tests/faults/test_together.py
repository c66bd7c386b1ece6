"""Scenarios 15 and 17 at the real edge: the same post at once, two first messages of one customer at once, an album."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.installation import Installation, Prepared, installed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
PAIRS, ALBUMS, PICTURES, PARALLEL = 500, 20, 10, 32


def _together(one: Installation, bodies: list[list[dict[str, Any]]]) -> list[list[httpx.Response]]:
    """Each list of bodies is posted at one moment, by as many connections."""
    hook = f"{one.product.url}/hooks/api/{one.shops[0].accounts['api']}"
    size = len(bodies[0])
    barrier = threading.Barrier(size)

    def sender(place: int) -> list[httpx.Response]:
        with httpx.Client(timeout=30, headers={"Authorization": f"Bearer {one.api.token}"}) as client:
            answers = []
            for group in bodies:
                barrier.wait(30)
                answers.append(client.post(hook, json=group[place]))
        return answers

    with ThreadPoolExecutor(size) as pool:
        columns = list(pool.map(sender, range(size)))
    return [list(row) for row in zip(*columns, strict=True)]


def _body(customer: str, number: int) -> dict[str, Any]:
    sender = {"email": f"{customer}@posta.example"}
    return {"external_id": f"{customer}-{number}", "conversation": customer, "from": sender, "text": f"numero {number}"}


def test_whatever_comes_at_one_moment_is_one_contact_one_customer_one_ticket(
    tmp_path: Path, template: Prepared
) -> None:
    with installed(tmp_path / "one", template) as one:
        one.start()
        pairs = _together(one, [[_body(f"coppia{n}", place) for place in range(2)] for n in range(PAIRS)])
        albums = _together(one, [[_body(f"album{n}", place) for place in range(PICTURES)] for n in range(ALBUMS)])
        same = _together(one, [[_body(f"stesso{n}", 0)] * PARALLEL for n in range(10)])
        one.drain(120)

        assert {answer.status_code for group in (*pairs, *albums, *same) for answer in group} == {202}
        for group in same:
            assert len({answer.json()["id"] for answer in group}) == 1
            assert sorted(answer.json()["duplicate"] for answer in group) == [False] + [True] * (PARALLEL - 1)
        with one.database("tickets") as tickets:
            per_ticket = tickets.execute(
                "SELECT t.conversation, COUNT(DISTINCT t.id), COUNT(DISTINCT t.customer_id), COUNT(i.id) FROM tickets t"
                " JOIN interactions i ON i.ticket_id = t.id WHERE i.direction = 1 AND i.kind = 'message'"
                " GROUP BY t.conversation"
            ).fetchall()
            customers = tickets.execute("SELECT COUNT(*) FROM customers").fetchone()[0]
        expected = {f"coppia{n}": 2 for n in range(PAIRS)} | {f"album{n}": PICTURES for n in range(ALBUMS)}
        expected |= {f"stesso{n}": 1 for n in range(10)}
        assert {row[0]: row[1:] for row in per_ticket} == {name: (1, 1, count) for name, count in expected.items()}
        assert customers == len(expected)
