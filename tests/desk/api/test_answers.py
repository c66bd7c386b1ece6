"""Answers by REST: once per key, held when something is unseen, with their files, of which none is lost and none left."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from services.kit.db.sql import Sql
from tests.desk.fakes import Rig


def test_a_reply_is_accepted_and_its_key_makes_a_repeat_a_no_op(rig: Rig) -> None:
    body = {"text": "It leaves today.", "key": "k1"}

    with rig.client(headers=rig.bearer("tickets:write")) as client:
        first = client.post("/api/v1/tickets/tkt_one/replies", json=body)
        again = client.post("/api/v1/tickets/tkt_one/replies", json=body)

    assert first.status_code == 202
    assert first.json() == {"id": "int_reply0", "delivery": "queued", "duplicate": False}
    assert again.json()["id"] == "int_reply0"
    assert len(rig.world.replies) == 1


def test_a_reply_to_an_unseen_message_is_held_and_shows_it(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("tickets:write")) as client:
        answer = client.post("/api/v1/tickets/tkt_one/replies", json={"text": "Yes", "last_seen": "int_older"})

    assert answer.status_code == 409
    assert answer.json()["unseen"][0]["text"] == "Where is my parcel?"
    assert rig.world.replies == {}


FILE = {"name": "../r.pdf", "media_type": "application/pdf; x=1", "content_base64": base64.b64encode(b"%PDF").decode()}


def test_an_answers_files_and_html_reach_tickets_and_stay(rig: Rig) -> None:
    body = {"text": "Here", "html": "<p>Here</p>", "attachments": [FILE], "key": "k1"}

    with rig.client(headers=rig.bearer("tickets:write")) as client:
        sent = client.post("/api/v1/tickets/tkt_one/replies", json=body)
        client.post("/api/v1/tickets/tkt_one/replies", json=body)

    (file,) = rig.world.replies["k1"].attachments
    assert sent.status_code == 202
    assert (file.name, file.media_type, file.size_bytes) == ("_r.pdf", "application/pdf", 4)
    assert list(rig.desk.blobs.keys("desk/")) == [file.key]  # the repeat's own copy is gone
    assert rig.world.htmls == ["<p>Here</p>"]
    with rig.parts.database.read() as reader:
        assert [row[0] for row in reader.rows(Sql("SELECT sent FROM uploads"))] == [1]


@pytest.mark.parametrize(
    ("ticket", "change", "status", "field"),
    [
        ("tkt_one", {"last_seen": "int_older"}, 409, None),
        ("tkt_none", {}, 404, None),
        ("tkt_one", {"attachments": [FILE, FILE | {"content_base64": ""}]}, 422, "attachments.1.content_base64"),
        ("tkt_one", {"attachments": [FILE | {"content_base64": "%"}]}, 422, "attachments.0.content_base64"),
        ("tkt_one", {"attachments": [FILE] * 21}, 422, "attachments"),
    ],
)
def test_the_files_of_an_answer_that_was_refused_are_gone(
    rig: Rig, ticket: str, change: dict[str, Any], status: int, field: str | None
) -> None:
    body = {"text": "Here", "attachments": [FILE]} | change

    with rig.client(headers=rig.bearer("tickets:write")) as client:
        answer = client.post(f"/api/v1/tickets/{ticket}/replies", json=body)

    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert list(rig.desk.blobs.keys("desk/")) == []
    assert rig.world.replies == {}


def test_the_files_of_an_answer_of_unknown_fate_are_kept(rig: Rig) -> None:
    rig.world.away.add("tickets")

    with rig.client(headers=rig.bearer("tickets:write")) as client:
        answer = client.post("/api/v1/tickets/tkt_one/replies", json={"text": "Here", "attachments": [FILE]})

    assert answer.status_code == 503
    assert len(list(rig.desk.blobs.keys("desk/"))) == 1
