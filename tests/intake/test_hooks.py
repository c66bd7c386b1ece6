"""The way in for machines: once each, whoever repeats; wrong input is named and nothing of it is kept."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from services.intake import signatures
from services.kit import topics
from services.kit.errors import Unavailable
from tests.intake.world import TOKEN, World, contact, request


def test_a_contact_is_answered_after_it_is_stored(world: World) -> None:
    answer = world.post(contact(conversation="order-1"))

    assert answer.status_code == 202
    (record,) = world.events(topics.CONTACTS)
    assert answer.json() == {"id": record.envelope.aggregate_id, "duplicate": False}
    assert record.key == f"{world.accounts['api']}:order-1"


def test_the_same_post_32_times_at_once_is_one_contact_and_everyone_is_told_success(world: World) -> None:
    path, headers = f"/hooks/api/{world.accounts['api']}", {"authorization": f"Bearer {TOKEN}"}

    async def storm() -> list[Any]:
        return await asyncio.gather(
            *(request(world.hooks, "POST", path, json=contact(), headers=headers) for _ in range(32))
        )

    answers = asyncio.run(storm())

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False] + [True] * 31
    assert len(world.events(topics.CONTACTS)) == 1


def test_many_at_once_share_commits(world: World) -> None:
    path, headers = f"/hooks/api/{world.accounts['api']}", {"authorization": f"Bearer {TOKEN}"}
    before = world.parts.database.commits  # type: ignore[attr-defined]  # the test knows what it made

    async def storm() -> None:
        await asyncio.gather(
            *(request(world.hooks, "POST", path, json=contact(f"a-{n}"), headers=headers) for n in range(60))
        )

    asyncio.run(storm())

    assert len(world.events(topics.CONTACTS)) == 60
    assert world.parts.database.commits - before < 20  # type: ignore[attr-defined]  # the test knows what it made


def test_a_repeat_after_three_days_keeps_the_first_body(world: World) -> None:
    first = world.post(contact())
    world.clock.advance(days=3)

    second = world.post(contact(text="etwas anderes"))

    assert second.json() == {"id": first.json()["id"], "duplicate": True}
    assert len(world.events(topics.CONTACTS)) == 1


BAD: list[tuple[Any, int, str]] = [
    (b"{", 400, "body"),
    (b'{"external_id": "\xff\xfe"}', 400, "body"),
    (contact(external_id="a\0b"), 422, "external_id"),
    (contact(conversation="a\nb"), 422, "conversation"),
    (contact(text="a\0b"), 422, "text"),
    (contact(html="<p>a\0b</p>"), 422, "html"),
    (contact(subject="s" * 1001), 422, "subject"),
    (b"[]", 422, "body"),
    (contact(colour="red"), 422, "colour"),
    (contact(text=7), 422, "text"),
    ({"external_id": "a", "from": {"email": "a@b.example", "age": 3}, "text": "x"}, 422, "from.age"),
    ({"from": {"email": "a@b.example"}, "text": "x"}, 422, "external_id"),
    ({"external_id": "a", "from": {"name": "solo"}, "text": "x"}, 422, "from"),
    ({"external_id": "a", "from": {"email": "a@b.example"}}, 422, "text"),
    (contact(**{"from": {"email": "a@b.example\r\nBcc: c@d.example"}}), 422, "from.email"),
    (contact(occurred_at="1961-01-01T00:00:00Z"), 422, "occurred_at"),
    (contact(occurred_at="2026-03-14T00:00:00Z"), 422, "occurred_at"),
    (contact(occurred_at="2026-13-45"), 422, "occurred_at"),
    (contact(attachments=[{"name": "a", "content_base64": "%%"}]), 422, "attachments.0.content_base64"),
    (contact(attachments=[{"name": "a", "media_type": "text", "content_base64": ""}]), 422, "attachments.0.media_type"),
    (contact(attachments=[{"content_base64": ""}] * 101), 422, "attachments"),
    (contact(**{"from": {"handle": "a\0b"}}), 422, "from.handle"),
]


@pytest.mark.parametrize(("body", "status", "field"), BAD)
def test_wrong_input_is_refused_by_name_and_not_kept(world: World, body: Any, status: int, field: str) -> None:
    answer = world.post(body)

    assert (answer.status_code, answer.json().get("field", "")) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"
    assert world.events(topics.CONTACTS) == []


def test_a_body_over_15_mib_is_413_by_its_length_and_while_reading(world: World) -> None:
    declared = world.post(b"x" * (15 * 1024 * 1024 + 1))

    async def stream() -> Any:
        async def parts() -> Any:
            for _ in range(16):
                yield b"x" * 1024 * 1024

        headers = {"authorization": f"Bearer {TOKEN}"}
        return await request(
            world.hooks, "POST", f"/hooks/api/{world.accounts['api']}", content=parts(), headers=headers
        )

    assert declared.status_code == 413
    assert asyncio.run(stream()).status_code == 413


@pytest.mark.parametrize("value", ["Bearer wrong", "Bearer ", "Basic abc", "Bearer tok-for-test"])
def test_a_forged_token_is_401(world: World, value: str) -> None:
    answer = world.post(contact(), headers={"authorization": value})

    assert answer.status_code == 401
    assert world.events(topics.CONTACTS) == []


SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()


def test_the_published_vector_of_standard_webhooks() -> None:
    body = '{"id":"evt-1","text":"Grüße ✓"}'.encode()

    assert signatures.sign(SECRET, message_id="msg_1", timestamp_s=1763626527, body=body) == (
        "v1,ZkNn8oRTddzO3u4Y4c35IvxHpyoZJxenpaRHv/3/BNo="
    )


def signed(
    world: World, body: bytes, *, secret: str = SECRET, shift_s: int = 0, message_id: str = "msg_1"
) -> dict[str, str]:
    stamp = int(world.clock.now().timestamp()) + shift_s
    return signatures.signed_headers(secret, message_id=message_id, timestamp_s=stamp, body=body)


def with_secrets(world: World) -> str:
    from services.intake.usecases.accounts import Accounts

    account = world.accounts["api"]
    Accounts(world.parts.database, world.directory, world.parts.secrets).put_account(
        account_id=account,
        brand_id=world.brand,
        channel="api",
        address="",
        settings={},
        secrets={"webhook_secret": SECRET, "webhook_secret_old": OLD},
    )
    return f"/hooks/api/{account}"


def test_a_signature_by_either_of_two_secrets_is_accepted(world: World) -> None:
    path, body = with_secrets(world), json.dumps(contact()).encode()

    new = world.call(world.hooks, "POST", path, content=body, headers=signed(world, body))
    old = world.call(world.hooks, "POST", path, content=body, headers=signed(world, body, secret=OLD))

    assert (new.status_code, old.status_code) == (202, 202)
    assert old.json()["duplicate"] is True


def test_forged_late_and_early_signatures_are_401(world: World) -> None:
    path, body = with_secrets(world), json.dumps(contact()).encode()
    good = signed(world, body)
    forged = [
        signed(world, body, shift_s=-360),
        signed(world, body, shift_s=360),
        signed(world, body, secret="whsec_AAAA"),
        signed(world, body + b" "),
        {name: value for name, value in good.items() if name != "webhook-signature"},
        good | {"webhook-signature": good["webhook-signature"].replace("v1,", "v2,")},
        good | {"webhook-signature": good["webhook-signature"][:-4]},
        good | {"webhook-timestamp": "²"},
        good | {"webhook-id": "msg_2"},
        {},
    ]

    answers = [
        world.call(world.hooks, "POST", path, content=body, headers={k: v.encode() for k, v in one.items()})
        for one in forged
    ]

    assert [answer.status_code for answer in answers] == [401] * len(forged)
    assert world.events(topics.CONTACTS) == []


def test_a_full_database_is_503_with_retry_after(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: Any, **_more: Any) -> Any:
        raise Unavailable("The disk is full.", retry_after_s=5.0)

    monkeypatch.setattr(type(world.parts.database), "submit", full)
    answer = world.post(contact())

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_a_channel_switched_off_names_the_ones_that_are_on(world: World) -> None:
    from services.intake.usecases.accounts import Accounts

    use = Accounts(world.parts.database, world.directory, world.parts.secrets)
    use.switch(world.accounts["api"], on=False, off_message="Back on Monday.")

    answer = world.post(contact())

    assert answer.status_code == 403
    assert "Back on Monday. Open now: chat, email, webform." in answer.json()["detail"]


def test_html_comes_in_clean_and_files_are_kept(world: World) -> None:
    data = b"\x89PNG" + b"0" * 100
    file = {"name": "foto.png", "media_type": "image/png", "content_base64": base64.b64encode(data).decode()}

    world.post(contact(html="<p onclick=x>Ciao<script>alert(1)</script></p>", attachments=[file]))

    (record,) = world.events(topics.CONTACTS)
    from ascolto.intake.v1.events_pb2 import ContactReceived

    message = ContactReceived.FromString(record.envelope.payload)
    assert b"script" not in message.html.inline
    assert b"onclick" not in message.html.inline
    assert world.parts.blobs.get(message.attachments[0].key) == data


def test_an_account_shows_when_it_last_received_something(world: World) -> None:
    from services.intake.store import accounts as store
    from services.intake.workers import PendingParser

    world.post(contact())
    (worker,) = (one for one in world.service.workers if isinstance(one, PendingParser))
    worker.note_received()

    with world.parts.database.read() as reader:
        seen = {row.id: row.last_in_us for row in store.accounts(reader)}
    assert seen[world.accounts["api"]] == int(world.clock.now().timestamp() * 1e6)
    assert seen[world.accounts["chat"]] == 0
