"""The REST API's shape, as other programs rely on it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from ascolto.common.v1 import envelope_pb2 as common
from tests.desk.fakes import Rig
from tests.desk.world import OTHER, SHOP

CONTACT = {
    "account": "acc_api",
    "external_id": "order-1",
    "from": {"email": "mara@customer.example", "name": "Mara"},
    "subject": "Parcel",
    "text": "Where is it?",
    "occurred_at": "2026-03-12T08:00:00Z",
}
ALERTS = "/api/v1/alerts"


def test_a_contact_is_taken_in_once_and_its_repeat_says_so(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("contacts:write")) as client:
        first = client.post("/api/v1/contacts", json=CONTACT)
        again = client.post("/api/v1/contacts", json=CONTACT)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == {"id": "con_0", "duplicate": False}
    assert again.json() == {"id": "con_0", "duplicate": True}


def test_a_batch_answers_item_by_item_in_order(rig: Rig) -> None:
    items = [CONTACT, CONTACT | {"account": "acc_none"}, CONTACT | {"external_id": "order-2"}]

    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answer = client.post("/api/v1/contacts:batch", json={"items": items})

    assert answer.status_code == 202
    assert [item["id"] for item in answer.json()["items"]] == ["con_0", None, "con_1"]
    assert answer.json()["items"][1]["field"] == "account"


def test_a_fault_of_one_item_keeps_out_that_one_alone(rig: Rig) -> None:
    items = [CONTACT, CONTACT | {"colour": "red"}, 7, CONTACT | {"external_id": "order-2"}]

    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answer = client.post("/api/v1/contacts:batch", json={"items": items})
        none = client.post("/api/v1/contacts:batch", json={"items": items[1:3]})

    first, red, number, last = answer.json()["items"]
    assert (first, last) == ({"id": "con_0", "duplicate": False}, {"id": "con_1", "duplicate": False})
    assert red == {"id": None, "duplicate": False, "index": 1, "error": "There is no field colour.", "field": "colour"}
    assert (number["index"], number["field"]) == (2, "body")
    assert (none.status_code, none.json()["field"]) == (422, "items.0.colour")
    assert len(rig.world.contacts) == 2


def test_a_fault_of_one_mention_keeps_out_that_one_alone(rig: Rig) -> None:
    post = {"external_id": "p1", "author": {"handle": "@a"}, "text": "Late!", "occurred_at": "2026-03-12T08:00:00Z"}
    items = [post | {"author": {"handle": "@a", "followers": "many"}}, post]

    with rig.client(headers=rig.bearer("mentions:write")) as client:
        answer = client.post("/api/v1/mentions:batch", json={"source": "src_one", "items": items})

    wrong, good = answer.json()["items"]
    assert (answer.status_code, wrong["index"], wrong["field"]) == (202, 0, "author.followers")
    assert good["id"] == "men_p1"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"account": ""}, "account"),
        ({"account": 7}, "account"),
        ({"from": {"name": "Mara"}}, "from"),
        ({"from": {"email": "a@b.example", "age": 3}}, "from.age"),
        ({"text": ""}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"from": {"email": "a@b.example\r\nBcc: x@y.example"}}, "from.email"),
        ({"text": 3}, "text"),
        ({"text": None}, "text"),
        ({"conversation": "x" * 513}, "conversation"),
        ({"occurred_at": "9999-12-31T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "occurred_at"),
        ({"occurred_at": "2026-03-12T09:00:00"}, "occurred_at"),
        ({"occurred_at": 1e30}, "occurred_at"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "1767225600"}, "occurred_at"),
        ({"attachments": [{"name": "a.txt", "content_base64": "%%%"}]}, "attachments.0.content_base64"),
        ({"attachments": [{"media_type": "text", "content_base64": ""}]}, "attachments.0.media_type"),
        ({"external_id": "x" * 513}, "external_id"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(rig: Rig, change: dict[str, Any], field: str) -> None:
    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answer = client.post("/api/v1/contacts", json=CONTACT | change)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field
    assert rig.world.contacts == {}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"account": "\xff\xfe"}', "application/json", 400),
        (b'{"external_id": "\\ud800"}', "application/json", 422),
        (json.dumps(CONTACT | {"text": "\ud800"}).encode(), "application/json", 422),
        (json.dumps(CONTACT | {"attachments": [{"content_base64": "\ud800"}]}).encode(), "application/json", 422),
        (json.dumps(CONTACT | {"from": {"email": "a@b.example", "\ud800": 1}}).encode(), "application/json", 422),
        (b'{"external_id": ' + b"9" * 10_000 + b"}", "application/json", 400),
        (b"{}", "application/jsonp", 415),
        (b"[" * 100_000, "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b'"' + b"x" * (15 * 1024 * 1024) + b'"', "application/json", 413),
        (b"null", "application/json", 422),
        (b"", "application/json", 422),
    ],
)
def test_a_body_that_is_none_is_refused(rig: Rig, body: bytes, kind: str, status: int) -> None:
    with rig.client(headers=rig.bearer("contacts:write") | {"content-type": kind}) as client:
        answer = client.post("/api/v1/contacts", content=body)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["field"]
    assert rig.world.contacts == {}


def test_a_chunked_body_over_the_limit_is_refused(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("contacts:write") | {"content-type": "application/json"}) as client:
        answer = client.post("/api/v1/contacts", content=(b" " * 1024 * 1024 for _ in range(16)))

    assert answer.status_code == 413


def test_an_unknown_account_is_a_fault_of_the_field(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answer = client.post("/api/v1/contacts", json=CONTACT | {"account": "acc_none"})

    assert (answer.status_code, answer.json()["field"]) == (422, "account")


def test_large_attachments_go_by_the_blob_store(rig: Rig) -> None:
    file = {
        "name": "p.bin",
        "media_type": "application/octet-stream",
        "content_base64": base64.b64encode(b"x" * 600_000).decode(),
    }

    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answer = client.post("/api/v1/contacts", json=CONTACT | {"attachments": [file]})

    assert answer.status_code == 202
    assert rig.world.file_sizes == [600_000]
    assert list(rig.desk.blobs.keys("desk/")) == []


def test_intake_away_is_503_with_a_time_to_wait(rig: Rig) -> None:
    rig.world.away.add("intake")

    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answer = client.post("/api/v1/contacts", json=CONTACT)

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_lists_page_by_cursor_and_refuse_too_large_a_page(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("tickets:read")) as client:
        first = client.get("/api/v1/tickets?limit=1").json()
        second = client.get("/api/v1/tickets", params={"limit": 1, "after": first["next"]}).json()

        assert [item["id"] for item in first["items"] + second["items"]] == ["tkt_one", "tkt_two"]
        assert second["next"] is None
        assert client.get("/api/v1/tickets?limit=201").json()["field"] == "limit"
        assert client.get("/api/v1/tickets?limit=0").status_code == 422
        assert client.get("/api/v1/tickets?stat=open").json()["field"] == "stat"
        assert client.get("/api/v1/tickets?state=burning").status_code == 422


def test_a_state_that_does_not_exist_is_refused(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("admin")) as client:
        answers = [client.get(f"/api/v1/{path}?state=burning") for path in ("mentions", "alerts")]

    assert [answer.status_code for answer in answers] == [422, 422]


def test_a_ticket_shows_all_its_interactions(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("tickets:read")) as client:
        by_id = client.get("/api/v1/tickets/tkt_one").json()
        by_number = client.get("/api/v1/tickets/101").json()

    assert by_id == by_number
    assert by_id["state"] == "open"
    (message,) = by_id["interactions"]
    assert {"id", "direction", "kind", "channel", "author", "text", "quoted_text", "html", "attachments"} <= set(
        message
    )
    assert {"external_id", "occurred_at", "delivery"} <= set(message)
    assert (message["direction"], message["text"]) == ("in", "Where is my parcel?")
    assert set(message["attachments"][0]) == {"name", "media_type", "size", "sha256"}


def test_a_stale_change_is_409_with_the_current_state(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("tickets:write")) as client:
        stale = client.patch("/api/v1/tickets/tkt_one", json={"version": 1, "state": "solved"})
        fresh = client.patch("/api/v1/tickets/tkt_one", json={"version": 3, "state": "solved"})

    assert (stale.status_code, stale.json()["current"]["version"]) == (409, 3)
    assert (fresh.status_code, fresh.json()["state"]) == (200, "solved")


def test_a_ticket_is_given_to_nobody_unknown(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("tickets:write")) as client:
        answer = client.patch("/api/v1/tickets/tkt_one", json={"version": 3, "assignee": "usr_nobody"})

    assert (answer.status_code, answer.json()["field"]) == (422, "assignee")


def test_what_could_not_be_rendered_has_its_original_attached(rig: Rig) -> None:
    message = rig.world.messages["tkt_one"][-1]
    message.not_rendered = "parts are nested more than 100 deep"
    message.raw.MergeFrom(common.Blob(inline=b"x", media_type="message/rfc822", size_bytes=1))

    with rig.client(headers=rig.bearer("tickets:read")) as client:
        shown = client.get("/api/v1/tickets/tkt_one").json()["interactions"][-1]

    assert shown["attachments"][-1] == {
        "name": "message.eml",
        "media_type": "message/rfc822",
        "size": 1,
        "sha256": hashlib.sha256(b"x").hexdigest(),
    }


def test_a_text_as_long_as_a_body_may_be_is_taken_in_and_left_behind_nowhere(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("contacts:write")) as client:
        answer = client.post("/api/v1/contacts", json=CONTACT | {"text": "x" * 14_000_000})

    assert answer.status_code == 202, answer.text
    assert list(rig.world.blobs.keys("desk/")) == []


def test_notes_customers_search_and_mentions_answer_in_their_form(rig: Rig) -> None:
    post = {
        "external_id": "p1",
        "author": {"handle": "@a"},
        "text": "Late!",
        "url": "",
        "occurred_at": "2026-03-12T08:00:00Z",
    }

    with rig.client(headers=rig.bearer("admin")) as client:
        note = client.post("/api/v1/tickets/tkt_one/notes", json={"text": "VIP"})
        customer = client.get(f"/api/v1/customers/cus_{SHOP}")
        found = client.get("/api/v1/search", params={"q": "stat:x parcel"})
        taken = client.post("/api/v1/mentions:batch", json={"source": "src_one", "items": [post]})

    assert (note.status_code, note.json()["direction"]) == (201, "internal")
    assert customer.json()["name"] == "Mara Customer"
    assert {"items", "next", "total", "facets", "ignored", "degraded"} <= set(found.json())
    assert set(found.json()["items"][0]) == {
        "kind",
        "id",
        "ticket_id",
        "number",
        "title",
        "snippet_html",
        "occurred_at",
        "channel",
    }
    assert (taken.status_code, taken.json()["items"][0]["id"]) == (202, "men_p1")


def test_an_alert_is_claimed_muted_with_an_end_and_becomes_one_ticket(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("alerts:write")) as client:
        claimed = client.post(f"{ALERTS}/alr_one/claim", json={"version": 1})
        late = client.post(f"{ALERTS}/alr_one/claim", json={"version": 1})
        endless = client.post(f"{ALERTS}/alr_one/mute", json={"reason": "campaign"})
        past = client.post(f"{ALERTS}/alr_one/mute", json={"reason": "campaign", "until": "2020-01-01T00:00:00Z"})
        first = client.post(f"{ALERTS}/alr_one/ticket")
        again = client.post(f"{ALERTS}/alr_one/ticket")

    assert (claimed.status_code, claimed.json()["state"]) == (200, "claimed")
    assert (late.status_code, late.json()["current"]["state"]) == (409, "claimed")
    assert (endless.json()["field"], past.json()["field"]) == ("until", "until")
    assert first.status_code == 201
    assert first.json() == again.json() == {"ticket_id": "tkt_from_alr_one"}
    assert rig.world.opened == ["alr_one"]


def test_a_service_that_is_away_spoils_only_its_part_of_operations(rig: Rig) -> None:
    rig.world.away.add("social")

    with rig.client(headers=rig.bearer("operations")) as client:
        health = client.get("/api/v1/operations/health").json()
        letters = client.get("/api/v1/operations/dead-letters").json()

    assert health["ready"] is False
    assert {part["service"]: part["ready"] for part in health["services"]} == {
        "tickets": True,
        "intake": True,
        "social": False,
        "search": True,
    }
    assert [part["service"] for part in letters["away"]] == ["social"]
    assert len(letters["items"]) == 6


def test_dead_letters_page_over_services_and_replay_by_id(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("operations")) as client:
        ids, after = [], ""
        while True:
            page = client.get("/api/v1/operations/dead-letters", params={"limit": 3, "after": after}).json()
            ids += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            after = page["next"]
        replayed = client.post(f"/api/v1/operations/dead-letters/{ids[-1]}/replay")
        strange = [
            client.post(f"/api/v1/operations/dead-letters/{one}/replay")
            for one in ("intake.dlq_9", "nobody.dlq_1", "x")
        ]

    assert len(ids) == len(set(ids)) == 8
    assert replayed.json()["ok"] is True
    assert [(answer.status_code, answer.headers["content-type"]) for answer in strange] == [
        (404, "application/problem+json")
    ] * 3
    assert rig.world.replayed == [ids[-1]]


def test_errors_of_http_itself_are_problems_too(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("admin")) as client:
        answers = [
            client.get("/api/v1/nothing"),
            client.delete("/api/v1/tickets"),
            client.get("/api/v1/tickets/tkt_none"),
        ]

    assert [answer.status_code for answer in answers] == [404, 405, 404]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert answers[1].headers["allow"]


def test_an_idempotency_key_answers_the_first_answer_again(rig: Rig) -> None:
    headers = rig.bearer("tickets:write") | {"idempotency-key": "call-1"}

    with rig.client(headers=headers) as client:
        first = client.post("/api/v1/tickets/tkt_one/replies", json={"text": "One"})
        again = client.post("/api/v1/tickets/tkt_one/replies", json={"text": "One"})
        other = client.post("/api/v1/tickets/tkt_one/replies", json={"text": "Two"})
        refused = client.post("/api/v1/tickets/tkt_none/notes", json={"text": ""})

    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    assert refused.status_code == 422
    assert len(rig.world.replies) == 1


def test_brands_of_a_token_limit_what_it_sees(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("admin", brand_ids=(OTHER,))) as client:
        assert [item["id"] for item in client.get("/api/v1/tickets").json()["items"]] == ["tkt_two"]
        assert client.get("/api/v1/tickets/tkt_one").status_code == 404
        assert client.get("/api/v1/operations/accounts").json()["items"][0]["brand"] == OTHER
