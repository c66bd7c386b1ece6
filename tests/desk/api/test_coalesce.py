"""Contacts that wait while a call is under way go together in the next, each answered its own (spine, many instances)."""

from __future__ import annotations

import threading
from typing import Any

from tests.desk.api.test_contract import CONTACT
from tests.desk.browser import Browser
from tests.desk.fakes import Rig
from tests.kitlib import wait_until


def test_what_waits_goes_together_and_each_is_answered_its_own(rig: Rig) -> None:
    gate = rig.world.gate = threading.Event()
    contacts = rig.api.state.api.contacts

    def open_gate() -> None:
        wait_until(lambda: contacts._waiting >= 100)
        gate.set()

    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/api/v1/contacts", {"json": CONTACT | {"external_id": f"order-{number}"}}) for number in range(150)
    ]
    threading.Thread(target=open_gate).start()

    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answers = client.gather(*requests)

    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json()["id"] for answer in answers] == [
        rig.world.contacts["acc_api", f"order-{number}"] for number in range(150)
    ]
    assert max(rig.world.batches) == 100
    assert len(rig.world.batches) < 15


def test_the_same_contact_32_times_at_once_is_one(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answers = client.gather(*[("POST", "/api/v1/contacts", {"json": CONTACT})] * 32)

    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["id"] for answer in answers} == {"con_0"}
    assert sum(not answer.json()["duplicate"] for answer in answers) == 1


def test_a_failed_call_fails_each_that_waited_and_the_line_goes_on(rig: Rig) -> None:
    client: Browser
    with rig.client(headers=rig.bearer("contacts:write")) as client:
        rig.world.away.add("intake")
        failed = client.gather(*[("POST", "/api/v1/contacts", {"json": CONTACT})] * 5)
        rig.world.away.clear()
        after = client.post("/api/v1/contacts", json=CONTACT)

    assert {answer.status_code for answer in failed} == {503}
    assert after.status_code == 202
