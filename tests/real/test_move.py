"""From small to large: an embedded installation is carried to real servers, killed on the way, and goes on there."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from ascolto.tickets.v1.events_pb2 import Interaction
from services.demo.process import Api
from services.kit.backends import SERVICES
from tests.faults.installation import Installation, free_address, installed, prepare
from tests.kitlib import wait_until
from tests.real.cluster import Cluster, backends

TICKETS = 250
_LARGE = base64.b64encode(bytes(range(256)) * 1500).decode()  # more than a row holds, so that it is a blob
_FIRST = """
CREATE TEMP TABLE many AS WITH RECURSIVE k(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM k WHERE k < :copies) SELECT k FROM k
"""


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Installation]:
    """An embedded installation with some work behind it; stopped, its last contact accepted and read by nobody."""
    with installed(tmp_path / "old", prepare(tmp_path / "template")) as one:
        one.start()
        contacts = [_contact(number, more) for more in ("", "Ancora niente.") for number in range(TICKETS)]
        contacts[0]["attachments"] = [
            {"name": "a.bin", "media_type": "application/octet-stream", "content_base64": _LARGE}
        ]
        for start in range(0, len(contacts), 50):
            items = [{"account": one.shops[0].accounts["api"]} | item for item in contacts[start : start + 50]]
            one.api.call("POST", "/contacts:batch", expect=202, json={"items": items})
        one.drain()
        for ticket in one.api.items("/tickets")[:20]:
            one.api.call("POST", f"/tickets/{ticket['id']}/replies", expect=202, json={"text": "Arriva domani."})
        one.drain()
        assert one.product.stop() == 0
        one.start("tickets.consume.before_commit:1")
        accepted = {"account": one.shops[0].accounts["api"]} | _contact(TICKETS)
        with contextlib.suppress(
            httpx.TransportError
        ):  # it is stored before it is read, and may be read before it is answered
            one.api.call("POST", "/contacts", expect=202, json=accepted)
        wait_until(one.ended, 30)
        yield one


@pytest.fixture
def servers(
    postgres_url: str, kafka_url: str, elasticsearch_url: str, s3_url: str, own_name: str
) -> Iterator[dict[str, str]]:
    """Settings of a new installation; its databases are dropped afterwards."""
    given = backends(postgres_url, kafka_url, elasticsearch_url, s3_url, own_name)
    yield given
    with psycopg.connect(postgres_url, autocommit=True) as server:
        for name in SERVICES:
            server.execute(f"DROP DATABASE IF EXISTS {own_name}_{name} WITH (FORCE)")


def _contact(number: int, more: str = "") -> dict[str, Any]:
    return {
        "external_id": f"m{number}{more}",
        "conversation": f"order-{number}",
        "from": {"email": f"c{number}@posta.example", "name": f"Cliente {number}"},
        "subject": f"Ordine {number}",
        "text": f"Dov'è il pacco {number}? {more}",
    }


def _multiply(data: Path, copies: int) -> None:
    """Adds `copies` of each ticket with its interactions and contacts, under ids, numbers and revisions of their own."""
    with closing(sqlite3.connect(data / "tickets.db")) as tickets:
        tickets.execute(_FIRST, {"copies": copies})
        (revs,) = tickets.execute("SELECT value FROM sequence WHERE name = 'rev'").fetchone()
        (numbers,) = tickets.execute("SELECT max(number) FROM tickets").fetchone()

        def renamed(data: bytes, k: int) -> bytes:
            one = Interaction.FromString(data)
            one.id, one.ticket_id, one.rev = f"{one.id}-{k}", f"{one.ticket_id}-{k}", one.rev + k * revs
            return one.SerializeToString()

        tickets.create_function("renamed", 2, renamed)
        for table in ("tickets", "interactions"):
            names = [row[1] for row in tickets.execute(f"PRAGMA table_info({table})")]
            made = {"data": "renamed(data, k)"} if table == "interactions" else {}
            made |= {"id": "id || '-' || k", "ticket_id": "ticket_id || '-' || k", "rev": f"rev + k * {revs}"}
            made |= {"number": f"number + k * {numbers}", "reply_key": "''", "open_key": "''", "conversation": "''"}
            chosen = ", ".join(made.get(name, f'"{name}"') for name in names)
            tickets.execute(f"INSERT INTO {table} SELECT {chosen} FROM {table}, many")
        tickets.execute("UPDATE sequence SET value = value * (:copies + 1) WHERE name = 'rev'", {"copies": copies})
        tickets.execute("UPDATE ticket_numbers SET value = value * (:copies + 1)", {"copies": copies})
        tickets.commit()
    with closing(sqlite3.connect(data / "intake.db")) as intake:
        intake.execute(_FIRST, {"copies": copies})
        for table in ("inbound_raw", "inbound_event"):
            names = [row[1] for row in intake.execute(f"PRAGMA table_info({table})")]
            keys = ("id", "raw_key", "event_key", "contact_id", "raw_id", "external_id")
            chosen = ", ".join(f"{name} || '-' || k" if name in keys else f'"{name}"' for name in names)
            intake.execute(f"INSERT INTO {table} SELECT {chosen} FROM {table}, many")
        intake.commit()


def _catch_on_the_wire(data: Path) -> tuple[str, str]:
    """Makes of two answers that were sent one that was being sent when the process died, and one that waits."""
    with closing(sqlite3.connect(data / "intake.db")) as intake:
        found = [row[0] for row in intake.execute("SELECT id FROM deliveries ORDER BY seq LIMIT 2")]
        intake.execute("UPDATE deliveries SET state = 'transmitting', epoch = 99 WHERE id = ?", (found[0],))
        intake.execute("UPDATE deliveries SET state = 'queued', due_us = 0 WHERE id = ?", (found[1],))
        intake.commit()
    return found[0], found[1]


def _move(one: Installation, *arguments: str, crashpoint: str = "") -> subprocess.CompletedProcess[str]:
    armed = {"ASCOLTO_CRASHPOINT": crashpoint} if crashpoint else {}
    environment = {name: value for name, value in one.product.environment.items() if name != "ASCOLTO_CRASHPOINT"}
    return subprocess.run(
        [sys.executable, "-m", "services", "move", *arguments, "--json"],
        env=environment | armed,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def _rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.timeout(2400)
@pytest.mark.faults  # long: ten starts of the product
@pytest.mark.parametrize(("copies", "pages"), [(0, 4), (199, 40)], ids=["small", "100,000 interactions"])
def test_a_move_killed_on_its_way_loses_nothing_and_the_new_installation_goes_on(
    old: Installation, copies: int, pages: int, tmp_path: Path,
    servers: dict[str, str],
) -> None:  # fmt: skip
    if copies:
        _multiply(old.data, copies)
    caught, waiting = _catch_on_the_wire(old.data)
    new = Cluster(tmp_path, free_address(), free_address(), old.product.smtp_out, backends=servers, each=1)
    file = tmp_path / "new.env"
    file.write_text("# the new one\n" + "".join(f"{name}={value}\n" for name, value in new.extra.items()))
    database = new.extra["ASCOLTO_DATABASE"].replace("{service}", "{}")

    points = [f"move.after_page:{pages}", f"move.after_page:{pages}", "move.after_blobs"]
    for point in points if copies else [*points, "move.before_report"]:
        assert _move(old, "--to", str(file), crashpoint=point).returncode == -9, point
        assert _move(old, "--confirm").returncode != 0, "what was not carried whole is not closed"
    done = _move(old, "--to", str(file))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)

    tickets, intake = report["databases"]["tickets"], report["databases"]["intake"]
    assert tickets["tickets"]["rows"] == (TICKETS * (copies + 1)) + 1, "the contact nobody had read is a ticket"
    assert tickets["interactions"]["rows"] > (100_000 if copies else TICKETS)
    for service, tables in report["databases"].items():
        for table, told in tables.items():
            [(count,)] = _rows(database.format(service), f'SELECT count(*) FROM "{table}"')
            assert count == told["rows"], f"{service}.{table}"
    assert report["blobs"]["files"] >= 1
    assert report["index"]["documents"] >= tickets["tickets"]["rows"] + tickets["interactions"]["rows"]
    assert intake["inbound_event"]["rows"] == (2 * TICKETS + 1) * (copies + 1)

    new.start()
    try:
        _goes_on(new, Api(new.url, old.api.token), old, caught, waiting)
        again = _move(old, "--to", str(file))
        assert again.returncode != 0
        assert "run already" in again.stderr
    finally:
        assert new.stop() == 0
    confirmed = _move(old, "--confirm")
    assert confirmed.returncode == 0, confirmed.stderr
    refused = subprocess.run(
        [sys.executable, "-m", "services", "run"],
        env=old.product.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert "moved.json" in refused.stderr
    shutil.rmtree(old.data)


def _goes_on(new: Cluster, api: Api, old: Installation, caught: str, waiting: str) -> None:
    """Known conversations go on, new ones begin, what was on its way is where it should be, search finds old and new."""
    account = old.shops[0].accounts["api"]
    repeated = api.call("POST", "/contacts", expect=202, json={"account": account} | _contact(7))
    assert repeated["duplicate"]
    api.call("POST", "/contacts", expect=202, json={"account": account} | _contact(7, "colibrì"))
    api.call("POST", "/contacts", expect=202, json={"account": account} | _contact(TICKETS + 1, "pettirosso"))
    database = new.extra["ASCOLTO_DATABASE"].replace("{service}", "intake")

    def states() -> dict[str, str]:
        return dict(_rows(database, "SELECT id, state FROM deliveries"))

    wait_until(lambda: states()[caught] == "unknown", 90)
    wait_until(lambda: states()[waiting] in {"sent", "delivered"}, 90)

    def hits(words: str) -> list[Any]:
        return list(api.call("GET", f"/search?q={words}+kind:message")["items"])

    (known,) = wait_until(lambda: hits("colibrì"), 90)
    (fresh,) = wait_until(lambda: hits("pettirosso"), 90)
    texts = [one["text"] for one in api.call("GET", f"/tickets/{known['ticket_id']}")["interactions"]]
    assert any("pacco 7?" in text for text in texts), "the conversation's ticket is the old one"
    assert any("colibrì" in text for text in texts)
    numbers = [one[0] for one in _rows(database.replace("_intake", "_tickets"), "SELECT number FROM tickets")]
    assert len(set(numbers)) == len(numbers)
    assert api.call("GET", f"/tickets/{fresh['ticket_id']}")["number"] == max(numbers)
