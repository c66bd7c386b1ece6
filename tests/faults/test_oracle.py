"""The oracle can fail: a product with a defect put in on purpose does not pass it, nor does a store that was tampered with."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.installation import Installation, Prepared, installed
from tests.faults.oracle import judge
from tests.faults.sweep import live_through
from tests.faults.traffic import Ledger, Traffic, plan
from tests.kitlib import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
_BROKEN_S = 20.0  # what is broken may never be done


@pytest.mark.parametrize(
    ("defect", "armed"),
    [
        ("early-position", ["tickets.consume.before_commit:4", "tickets.consume.before_commit:3"]),
        ("early-ack", ["", ""]),
    ],
)
def test_a_defect_put_in_on_purpose_is_found(tmp_path: Path, template: Prepared, defect: str, armed: list[str]) -> None:
    with installed(tmp_path / "one", template, program=("tests.faults.broken", defect)) as one:
        outcome = live_through(one, 7, armed, contacts=600)
    assert any(found.startswith(("(1)", "(2)")) for found in outcome.violations), outcome


@pytest.mark.parametrize(("defect", "rule"), [("skipped-outbox", "(2)"), ("skipped-inbox", "(3)")])
def test_a_rule_left_out_is_found_without_any_kill(tmp_path: Path, template: Prepared, defect: str, rule: str) -> None:
    with installed(tmp_path / "one", template, program=("tests.faults.broken", defect)) as one:
        found = live_through(one, 5, [], contacts=200, drain_s=_BROKEN_S).violations
    assert any(sentence.startswith(rule) for sentence in found), found


def test_without_the_defect_the_same_kills_pass(tmp_path: Path, template: Prepared) -> None:
    armed = ["tickets.consume.before_commit:4", "tickets.consume.before_commit:3", ""]
    with installed(tmp_path / "one", template) as one:
        assert live_through(one, 7, armed, contacts=600).violations == []


def _in(service: str, *statements: str) -> Callable[[Installation], None]:
    def harm(one: Installation) -> None:
        database = sqlite3.connect(one.data / f"{service}.db")
        with database:
            for statement in statements:
                assert database.execute(statement).rowcount > 0, statement
        database.close()

    return harm


def _lose_a_mail(one: Installation) -> None:
    one.sink.delivered.pop()


def _repeat_a_mail(one: Installation) -> None:
    one.sink.delivered.append(one.sink.delivered[0])


def _damage_the_files(one: Installation) -> None:
    for path in (one.data / "blobs").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"!")


_INCOMING = "(SELECT id FROM interactions WHERE direction = 1 AND kind = 'message' LIMIT 1)"
HARMS: dict[str, tuple[str, Callable[[Installation], None]]] = {
    "a contact lost from the inbox": ("(1)", _in("intake", "DELETE FROM inbound_event WHERE contact_id IN (SELECT contact_id FROM inbound_event LIMIT 1)")),
    "an interaction lost": ("(2)", _in("tickets", f"DELETE FROM interactions WHERE id IN {_INCOMING}")),
    "an interaction doubled": (
        "(2)",
        _in("tickets", f"INSERT INTO interactions SELECT 'int_twice', ticket_id, brand_id, kind, direction, account_id, external_id, reply_key, 900, recorded_us, rev, delivery_rev, delivery_state, data FROM interactions WHERE id IN {_INCOMING}"),
    ),
    "an order turned round": (
        "(2)",
        _in("tickets", "UPDATE interactions SET seq = -seq WHERE ticket_id IN (SELECT ticket_id FROM interactions WHERE direction = 1 GROUP BY ticket_id HAVING COUNT(*) > 2 LIMIT 1)"),
    ),
    "an event not applied": ("(3)", _in("tickets", "DELETE FROM applied WHERE event_id IN (SELECT event_id FROM applied LIMIT 1)")),
    "an answer without delivery": ("(5)", _in("intake", "DELETE FROM deliveries WHERE automatic = 0 AND id IN (SELECT id FROM deliveries WHERE automatic = 0 LIMIT 1)")),
    "a revision the index has not seen": ("(4)", _in("tickets", f"UPDATE interactions SET rev = rev + 1 WHERE id IN {_INCOMING}")),
    "a mail that never arrived": ("(5)", _lose_a_mail),
    "a mail that arrived twice": ("(5)", _repeat_a_mail),
    "damaged files": ("(6)", _damage_the_files),
    "a message of another brand": ("(7)", _in("tickets", f"UPDATE interactions SET brand_id = 'brd_other' WHERE id IN {_INCOMING}")),
    "a group that stands still": ("(8)", _in("tickets", "UPDATE positions SET next_offset = next_offset - 1 WHERE group_name = 'tickets.contacts'")),
    "a delivery that stays on its way": ("(8)", _in("intake", "UPDATE deliveries SET state = 'claimed' WHERE id IN (SELECT id FROM deliveries LIMIT 1)")),
}  # fmt: skip


def test_each_rule_of_the_oracle_sees_what_breaks_it(tmp_path: Path, template: Prepared) -> None:
    ledger = Ledger()
    with installed(tmp_path / "one", template) as one:
        traffic = Traffic(one, ledger, 3)
        traffic.start()
        one.start()
        traffic.up.set()
        traffic.feed(plan(3, 300))
        wait_until(traffic.idle, 60)
        wait_until(lambda: len(ledger.replies) >= 5, 30)
        traffic.calm()
        one.drain()
        traffic.stop()
        assert one.product.stop() == 0
        assert judge(one, ledger) == []
        shutil.copytree(one.data, tmp_path / "kept")
        mails = list(one.sink.delivered)
        for name, (rule, harm) in HARMS.items():
            harm(one)
            found = judge(one, ledger)
            assert any(sentence.startswith(rule) for sentence in found), (name, found)
            shutil.rmtree(one.data)
            shutil.copytree(tmp_path / "kept", one.data)
            one.sink.delivered[:] = mails
