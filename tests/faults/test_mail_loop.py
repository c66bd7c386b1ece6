"""Scenario 33: two installations that write to each other fall silent by themselves."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.demo.customers import compose, send
from tests.faults.installation import Installation, Prepared, installed
from tests.kitlib import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(200)]


def _contacts(one: Installation) -> int:
    with one.database("intake") as intake:
        return int(intake.execute("SELECT COUNT(*) FROM inbound_event").fetchone()[0])


def test_two_installations_mailing_each_other_stop(tmp_path: Path, template: Prepared) -> None:
    """Ours answers as `care@lumaca`, the other as `help@brezza`; each believes the other to be a customer."""
    with installed(tmp_path / "ours", template) as ours, installed(tmp_path / "theirs", template) as theirs:
        ours.product.smtp_out = f"smtp://{theirs.product.smtp}"
        theirs.product.smtp_out = f"smtp://{ours.product.smtp}"
        _keep_one_shop(ours, gone=1)
        _keep_one_shop(theirs, gone=0)
        ours.start()
        theirs.start()
        person = {"name": "Brezza", "address": theirs.shops[1].address, "subject": "Reso", "text": "Buongiorno"}
        for number in range(3):
            send(ours.smtp, compose(person | {"subject": f"Reso {number}"}, ours.shops[0].address))
        wait_until(lambda: _contacts(ours) >= 3 and _contacts(theirs) >= 1, 30)
        ours.drain()
        theirs.drain()
        assert _contacts(ours) == 3, "what they answered by themselves came back"
        assert _contacts(theirs) == 1, "one sender is told once that the request was taken in charge"
        with theirs.database("tickets") as tickets:
            kinds = dict(tickets.execute("SELECT kind, COUNT(*) FROM interactions GROUP BY kind").fetchall())
        assert "ack" not in kinds, "a machine's mail is stored and never answered"


def _keep_one_shop(one: Installation, *, gone: int) -> None:
    """Moves the other shop's mail account away: it lives at the other installation."""
    with sqlite3.connect(one.data / "intake.db") as intake:
        moved = intake.execute(
            "UPDATE accounts SET address = 'gone@elsewhere.example', address_key = 'gone@elsewhere.example'"
            " WHERE id = ?", (one.shops[gone].accounts["email"],)
        )  # fmt: skip
        assert moved.rowcount == 1
    intake.close()
