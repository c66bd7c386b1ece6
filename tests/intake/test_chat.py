"""The chat: nothing lost or doubled over a broken connection, answered live or by mail, opened by the shop alone."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from ascolto.intake.v1.events_pb2 import ContactReceived
from services.intake.domain.delivery import State
from services.intake.usecases.accounts import Accounts
from services.intake.usecases.chat import ChatRoom
from services.kit import topics
from tests.intake.world import World, fake, good_receipt, reply


def session(world: World, **told: Any) -> dict[str, Any]:
    answer = world.call(world.pages, "POST", f"/c/{world.slug}/chat/session", json=told)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def say(world: World, token: str, client_id: str, text: str) -> httpx.Response:
    return world.call(
        world.pages,
        "POST",
        f"/c/{world.slug}/chat/messages",
        json={"client_id": client_id, "text": text},
        headers={"authorization": f"Bearer {token}"},
    )


def history(world: World, token: str, after: int = 0) -> list[dict[str, Any]]:
    answer = world.call(
        world.pages,
        "GET",
        f"/c/{world.slug}/chat/messages",
        params={"after": after},
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


class Socket:
    """A visitor's socket, driven frame by frame."""

    def __init__(self, world: World, *, origin: str = "", protocol: str = "care.chat.v1") -> None:
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        headers = [(b"host", b"care.example")] + ([(b"origin", origin.encode())] if origin else [])
        scope = {
            "type": "websocket",
            "path": f"/c/{world.slug}/chat/ws",
            "headers": headers,
            "subprotocols": [protocol],
            "client": ("127.0.0.1", 4),
        }
        self._in.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(world.pages(scope, self._in.get, self.out.put))

    def send(self, **frame: Any) -> None:
        self._in.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})

    async def next(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.out.get(), 5)
        return dict(json.loads(message["text"])) if message["type"] == "websocket.send" else message

    async def leave(self) -> None:
        self._in.put_nowait({"type": "websocket.disconnect"})
        await asyncio.wait_for(self.task, 5)


async def opened(world: World, token: str, last_seq: int = 0) -> Socket:
    socket = Socket(world)
    assert (await socket.next())["type"] == "websocket.accept"
    socket.send(op="hello", token=token, last_seq=last_seq)
    assert (await socket.next())["op"] == "ready"
    return socket


def test_a_message_is_acknowledged_numbered_and_becomes_one_contact(world: World) -> None:
    visitor = session(world, name="Bice")

    async def talk() -> list[dict[str, Any]]:
        socket = await opened(world, visitor["token"])
        socket.send(op="msg.send", id="c-1", text="E27 😅")
        first = [await socket.next(), await socket.next()]
        socket.send(op="msg.send", id="c-1", text="E27 😅")
        first.append(await socket.next())
        await socket.leave()
        return first

    frames = asyncio.run(talk())

    acks = [frame for frame in frames if frame["op"] == "ack"]
    assert [(ack["seq"], ack["duplicate"]) for ack in acks] == [(1, False), (1, True)]
    (record,) = world.events(topics.CONTACTS)
    contact = ContactReceived.FromString(record.envelope.payload)
    assert (contact.text, contact.conversation) == ("E27 😅", visitor["conversation"])
    assert len(history(world, visitor["token"])) == 1


def test_a_reconnect_gets_what_was_missed_once_and_in_order(world: World) -> None:
    visitor = session(world)

    async def talk() -> list[int]:
        socket = await opened(world, visitor["token"])
        socket.send(op="msg.send", id="c-1", text="uno")
        await socket.next()
        await socket.leave()
        for number in range(3):
            await asyncio.to_thread(
                world.room.post,
                visitor["conversation"],
                client_id=f"d-{number}",
                author="Elisa",
                text="…",
                automatic=False,
            )
        again = await opened(world, visitor["token"], last_seq=1)
        seen = [(await again.next())["seq"] for _ in range(3)]
        await again.leave()
        return seen

    assert asyncio.run(talk()) == [2, 3, 4]


def test_an_answer_appears_on_the_open_socket_and_is_delivered(world: World) -> None:
    visitor = session(world)

    async def talk() -> dict[str, Any]:
        socket = await opened(world, visitor["token"])
        await asyncio.to_thread(world.ask, reply(world, "int_1", "chat", conversation=visitor["conversation"]))
        await asyncio.to_thread(world.send_all)
        event = await socket.next()
        await socket.leave()
        return event

    event = asyncio.run(talk())

    assert event["data"]["text"] == "Arriva domani."
    assert event["data"]["author"]["kind"] == "agent"
    assert world.delivery("int_1").state is State.DELIVERED


def test_an_answer_that_another_process_sends_appears_on_the_socket_here(world: World) -> None:
    visitor = session(world, email="bice@example.org")
    elsewhere = ChatRoom(world.parts.database, clock=world.clock, instance="another")

    async def talk() -> tuple[bool, dict[str, Any], dict[str, Any]]:
        socket = await opened(world, visitor["token"])
        said: dict[str, Any] = {"author": "Elisa", "automatic": False}
        first = await asyncio.to_thread(
            elsewhere.post, visitor["conversation"], client_id="d-1", text="Arriva domani.", **said
        )
        await asyncio.to_thread(world.room.show_new, [visitor["conversation"]])
        shown = await socket.next()
        await asyncio.to_thread(elsewhere.post, visitor["conversation"], client_id="d-2", text="Alle dieci.", **said)
        await asyncio.to_thread(world.room.show_new, [visitor["conversation"]])
        await asyncio.to_thread(world.room.show_new, [visitor["conversation"]])
        again = await socket.next()
        await socket.leave()
        assert socket.out.empty()
        return first.connected, shown, again

    connected, shown, again = asyncio.run(talk())

    assert connected
    assert (shown["data"]["text"], again["data"]["text"]) == ("Arriva domani.", "Alle dieci.")
    left = elsewhere.post(visitor["conversation"], client_id="d-3", author="Elisa", text="Fatto.", automatic=False)
    assert not left.connected


def test_a_socket_of_a_process_that_died_counts_for_half_a_minute(world: World) -> None:
    visitor = session(world)
    died = ChatRoom(world.parts.database, clock=world.clock, instance="died")
    died.note_open(visitor["conversation"])
    said: dict[str, Any] = {"author": "Elisa", "text": "…", "automatic": False}

    assert world.room.post(visitor["conversation"], client_id="d-1", **said).connected
    world.clock.advance(seconds=31)
    assert not world.room.post(visitor["conversation"], client_id="d-2", **said).connected


def test_who_left_with_an_address_is_answered_by_mail_after_a_while(world: World) -> None:
    mail = fake(world, "email", good_receipt)
    visitor = session(world, email="bice@posta.example")
    world.ask(reply(world, "int_1", "chat", conversation=visitor["conversation"]))
    world.send_all()
    waited = len(mail.sent)

    for _ in range(40):
        world.clock.advance(seconds=10)
        world.send_all()

    assert waited == 0
    assert [one.to[0].value for one in mail.sent] == ["bice@posta.example"]
    assert [item["data"]["text"] for item in history(world, session(world, token=visitor["token"])["token"])] == [
        "Arriva domani."
    ]


@pytest.mark.parametrize(("origin", "protocol"), [("https://evil.example", "care.chat.v1"), ("", "other")])
def test_another_sites_socket_is_closed(world: World, origin: str, protocol: str) -> None:
    async def attempt() -> dict[str, Any]:
        return await Socket(world, origin=origin, protocol=protocol).next()

    assert asyncio.run(attempt()) == {"type": "websocket.close", "code": 1008}


def test_a_forged_or_ended_session_is_4401(world: World) -> None:
    visitor = session(world)

    async def attempt(token: str) -> Any:
        socket = Socket(world)
        await socket.next()
        socket.send(op="hello", token=token, last_seq=0)
        return (await socket.next()).get("code")

    forged = asyncio.run(attempt(visitor["token"][:-2] + "zz"))
    world.clock.advance(hours=2)
    ended = asyncio.run(attempt(visitor["token"]))

    assert (forged, ended) == (4401, 4401)
    assert session(world, token=visitor["token"])["conversation"] == visitor["conversation"]


def jwt(world: World, key: str = "shop-key", *, alg: str = "HS256", **changes: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    now = int(world.clock.now().timestamp())
    claims = {
        "aud": world.accounts["chat"],
        "sub": "cust_1",
        "email": "a@b.example",
        "email_verified": True,
        "exp": now + 600,
    }
    signed = f"{part({'alg': alg})}.{part(claims | changes)}"
    digest = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def with_key(world: World) -> None:
    Accounts(world.parts.database, world.directory, world.parts.secrets).put_account(
        account_id=world.accounts["chat"],
        brand_id=world.brand,
        channel="chat",
        address="",
        settings={},
        secrets={"identity_secret": "shop-key"},
    )


def test_a_vouched_customer_has_one_conversation_on_every_device(world: World) -> None:
    with_key(world)

    phone = session(world, identity={"token": jwt(world)})
    desk = session(world, identity={"token": jwt(world)})
    digest = hmac.new(b"shop-key", b"cust_1", hashlib.sha256).hexdigest()
    hashed = session(world, identity={"identifier": "cust_1", "identifier_hash": digest})

    assert phone["conversation"] == desk["conversation"] == hashed["conversation"]


def test_forged_proofs_of_identity_are_403(world: World) -> None:
    with_key(world)
    now = int(world.clock.now().timestamp())
    forged = [
        {"token": jwt(world, "other")},
        {"token": jwt(world, alg="none")},
        {"token": jwt(world, aud="acc_other")},
        {"token": jwt(world, exp=now - 120)},
        {"token": "a.b"},
        {"identifier": "cust_1", "identifier_hash": "00"},
        {"identifier": "cust_1"},
    ]

    answers = [
        world.call(world.pages, "POST", f"/c/{world.slug}/chat/session", json={"identity": one}) for one in forged
    ]

    assert [answer.status_code for answer in answers] == [403] * len(forged)


def test_polling_does_without_a_socket_and_says_each_once(world: World) -> None:
    visitor = session(world)

    answers = [say(world, visitor["token"], "c-1", "ciao") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    assert [item["seq"] for item in history(world, visitor["token"])] == [1]
    assert len(world.events(topics.CONTACTS)) == 1


def test_out_of_hours_the_chat_says_when_it_opens(world: World) -> None:
    open_now = session(world, language="it")
    world.clock.advance(hours=12)

    closed = session(world, language="it")

    assert open_now["open"] is True
    assert closed["open"] is False
    assert "venerdì alle 09:00" in closed["message"]
