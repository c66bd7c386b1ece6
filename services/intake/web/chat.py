"""The chat's page, sessions, history and socket (sub-protocol `care.chat.v1`); polling does without a socket.

Every stored event has a number in its conversation; a returning browser says the last it saw and misses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from services.intake.domain import brand as rules
from services.intake.domain.brand import Brand
from services.intake.domain.channel import Account
from services.intake.domain.contact import Accepted, RawContact
from services.intake.store import chat as store
from services.intake.store.chat import Message, Visitor
from services.intake.usecases.chat import Connection, event_of
from services.intake.web import http, identity
from services.intake.web.pages import RateLimit, Shared
from services.kit.errors import AscoltoError, Forbidden, Invalid, NotFound, RateLimited, Unauthenticated
from services.kit.uow import Uow

PROTOCOL = "care.chat.v1"
MAX_FRAME = 64 * 1024
_HEARTBEAT_S = 25
_SILENCE_S = 60.0
_HELLO_S = 10.0
_PER_SECOND = 5
_BUFFER = 100  # events resent on a reconnect; older ones are fetched
_CHANNEL = "chat"
Fetch = Callable[[int], Sequence[Message]]


class ChatPages:
    """See the module."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._room = shared, shared.room
        self._per_address = RateLimit(shared.settings.chat_per_minute, 60.0)
        self._per_visitor = RateLimit(_PER_SECOND, 1.0)

    async def answer(self, brand: Brand, rest: str, scope: Scope, receive: Receive, send: Send) -> None:
        """One request below `chat`."""
        account = self._shared.account(brand, _CHANNEL)
        if account is None:
            raise NotFound("This shop has no chat.")
        method, query = scope["method"], parse_qs(scope["query_string"].decode("latin-1"))
        if rest == "chat" and method == "GET":
            await self._page(brand, account, scope, send, query.get("lang", [""])[0])
            return
        self._check_origin(brand, scope)
        if account.state != "on":
            self._shared.directory.open_account(account.id)  # raises, naming what is open
        if rest == "chat/session" and method == "POST":
            await self._session(brand, account, scope, receive, send)
        elif rest == "chat/messages":
            visitor = await asyncio.to_thread(self._room.visitor_of, _bearer(scope), account.id)
            if method == "POST":
                frame = _decoded(await http.read_body(scope, receive, MAX_FRAME))
                message, accepted = await self._say(account, visitor, frame, http.peer(scope))
                await http.respond_json(
                    send, 200 if accepted.duplicate else 201, event_of(message)["data"] | {"seq": message.seq}
                )
                return
            after = query.get("after", ["0"])[0]
            if not after.isdigit():
                raise Invalid("after is the number of the last message seen.", field="after")
            await asyncio.to_thread(self._room.note_seen, visitor.conversation)
            found = await asyncio.to_thread(self._room.history, visitor.conversation, after=int(after[:15]))
            await http.respond_json(send, 200, {"items": [event_of(one) for one in found], "more": len(found) == 100})
        else:
            raise NotFound("There is no such page.")

    def _check_origin(self, brand: Brand, scope: Scope) -> None:
        origin = http.header(scope, b"origin").decode("latin-1")
        own = http.header(scope, b"host").decode("latin-1")
        if origin and origin.partition("://")[2] != own and origin not in brand.origins:
            raise Forbidden("This page may not open the chat.", field="origin")

    async def _page(self, brand: Brand, account: Account, scope: Scope, send: Send, asked: str) -> None:
        language, words = self._shared.words(brand, scope, asked=asked)
        if account.state != "on":
            ways = self._shared.ways(brand)
            await self._shared.page(
                send, "closed.html", 503, brand, language=language, words=words, note=account.off_message, ways=ways
            )
            return
        opens = self._shared.opens(brand, words)
        lead = words["chat_away"].format(opens=opens) if opens else words["chat_lead"]
        await self._shared.page(
            send, "chat.html", 200, brand, language=language, words=words, lead=lead, away=bool(opens)
        )

    async def _session(self, brand: Brand, account: Account, scope: Scope, receive: Receive, send: Send) -> None:
        """Begins or refreshes a session; a verified customer gets their own conversation."""
        if not self._per_address.allows(http.peer(scope)):
            raise RateLimited("Too many requests from this address.", retry_after_s=30.0)
        told = _decoded(await http.read_body(scope, receive, MAX_FRAME) or b"{}")
        vouched = None
        if told.get("identity") is not None:
            proofs = [account.secrets.get("identity_secret", ""), account.secrets.get("identity_secret_old", "")]
            if not isinstance(told["identity"], dict):
                raise Invalid("identity is an object.", field="identity")
            now_s = self._shared.clock.now().timestamp()
            vouched = identity.verify(told["identity"], proofs, audience=(account.id, brand.slug), now_s=now_s)
        claims = {name: str(told.get(name) or "") for name in ("name", "email", "language")}
        if vouched is not None:
            claims |= {name: value for name, value in (("name", vouched.name), ("email", vouched.email)) if value}

        def enter() -> Visitor:
            known = None
            if token := str(told.get("token") or ""):
                with contextlib.suppress(Unauthenticated):  # an old browser begins anew
                    known = self._room.visitor_of(token, account.id, refresh=True)
            customer = vouched.customer if vouched else ""
            return self._room.enter(account.id, known, claims, customer=customer, verified=vouched is not None)

        visitor = await asyncio.to_thread(enter)
        _, words = self._shared.words(brand, scope, asked=claims["language"])
        opens = self._shared.opens(brand, words)
        await http.respond_json(
            send,
            200,
            {
                "token": self._room.token(visitor),
                "visitor": visitor.id,
                "conversation": visitor.conversation,
                "last_seq": visitor.last_seq,
                "open": rules.is_open(brand, self._shared.clock.now()),
                "message": words["chat_away"].format(opens=opens) if opens else words["chat_lead"],
                "ws": f"/c/{brand.slug}/chat/ws",
            },
        )

    async def _say(
        self, account: Account, visitor: Visitor, frame: Mapping[str, Any], peer: str
    ) -> tuple[Message, Accepted]:
        """Takes one message in: history, contact and event in one commit; shown after it. A repeat changes nothing."""
        client_id, text = frame.get("client_id") or frame.get("id"), frame.get("text")
        if not isinstance(client_id, str) or not 0 < len(client_id) <= 64:
            raise Invalid("The message needs an id of 1 to 64 characters.", field="id")
        if not isinstance(text, str):
            raise Invalid("text is missing.", field="text")
        if not (self._per_visitor.allows(visitor.id) and self._per_address.allows(peer)):
            raise RateLimited("Too many messages.", retry_after_s=5.0)
        body = {
            "client_id": client_id,
            "conversation": visitor.conversation,
            "visitor": visitor.id,
            "text": text,
            "name": visitor.name,
            "email": visitor.email,
            "email_verified": bool(visitor.verified),
            "customer": visitor.customer if visitor.verified else "",
            "language": visitor.language,
        }
        raw = RawContact(
            account.id,
            f"{visitor.conversation}:{client_id}",
            msgspec.json.encode(body),
            "application/json",
            received_at=self._shared.clock.now(),
        )
        found = self._shared.directory.channels[account.channel].parse(raw, account, budget_s=1.0)
        prepared = await asyncio.to_thread(self._shared.acceptor.prepared, raw, account, found)
        row = self._room.said(visitor, client_id=client_id, text=text)
        stored: list[tuple[Message, bool]] = []

        def beside(uow: Uow, answers: Sequence[Accepted]) -> None:
            del answers
            stored[:] = [store.add_message(uow, row)]  # a run that was rolled back is replaced by the one that stood

        accepted = (await asyncio.wrap_future(self._shared.acceptor.submit([prepared], beside=beside)))[0]
        message, fresh = stored[0]
        if fresh:
            self._room.show(message)
        return message, accepted

    # --- the socket ---

    async def socket(self, brand: Brand, scope: Scope, receive: Receive, send: Send) -> None:
        """One visitor's socket, until either side ends it."""
        await receive()  # websocket.connect
        account = self._shared.account(brand, _CHANNEL)
        try:
            self._check_origin(brand, scope)
            if account is None or PROTOCOL not in scope.get("subprotocols", ()):
                raise Forbidden("The chat speaks care.chat.v1.")
            account = self._shared.directory.open_account(account.id)
        except AscoltoError:
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        try:
            hello = await asyncio.wait_for(_frame(receive), _HELLO_S)
            visitor = await asyncio.to_thread(self._room.visitor_of, str(hello.get("token") or ""), account.id)
            if hello.get("op") != "hello":
                raise Invalid("The first frame is hello.")
        except _Closed:
            return
        except Unauthenticated:
            await send({"type": "websocket.close", "code": 4401})
            return
        except (TimeoutError, AscoltoError):
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._converse(account, visitor, hello, http.peer(scope), receive, send)

    async def _converse(
        self, account: Account, visitor: Visitor, hello: Mapping[str, Any], peer: str, receive: Receive, send: Send
    ) -> None:
        try:
            connection = self._room.connect(visitor.conversation, asyncio.get_running_loop())
        except Forbidden:
            await send({"type": "websocket.close", "code": 1008})
            return
        writer: asyncio.Task[None] | None = None
        try:
            await asyncio.to_thread(self._room.note_open, visitor.conversation)
            last = hello.get("last_seq")
            last = last if isinstance(last, int) and last >= 0 else 0
            missed = await asyncio.to_thread(self._room.history, visitor.conversation, after=last, limit=_BUFFER + 1)
            over = len(missed) > _BUFFER
            await _tell(send, {"op": "ready", "session": visitor.id, "heartbeat_s": _HEARTBEAT_S, "missed": over})
            for one in () if over else missed:
                await _tell(send, event_of(one))
            shown = last if over or not missed else missed[-1].seq
            writer = asyncio.create_task(
                _write(connection, send, shown, lambda after: self._room.history(visitor.conversation, after=after))
            )
            await self._read(account, visitor, peer, receive, send)
        except (_Closed, OSError):
            return
        except TimeoutError:
            await send({"type": "websocket.close", "code": 1001})
        finally:
            if writer is not None:
                writer.cancel()
            await asyncio.to_thread(self._room.disconnect, visitor.conversation, connection)

    async def _read(self, account: Account, visitor: Visitor, peer: str, receive: Receive, send: Send) -> None:
        while True:
            try:
                frame = await asyncio.wait_for(_frame(receive), _SILENCE_S * 5)
            except Invalid as error:
                await _tell(send, {"op": "error", "code": "invalid", "detail": error.message})
                continue
            op, frame_id = frame.get("op"), frame.get("id")
            if op == "ping":
                await _tell(send, {"op": "pong"})
            elif op == "msg.send":
                try:
                    message, accepted = await self._say(account, visitor, frame, peer)
                    answer = {"op": "ack", "id": frame_id, "message_id": message.id, "seq": message.seq}
                    await _tell(send, answer | {"duplicate": accepted.duplicate})
                except AscoltoError as error:
                    told: dict[str, Any] = {"op": "error", "id": frame_id, "code": error.kind, "detail": error.message}
                    await _tell(send, told | ({"retry_after": error.retry_after_s} if error.retry_after_s else {}))
            elif op not in {"typing", "seen"}:
                await _tell(send, {"op": "error", "id": frame_id, "code": "invalid", "detail": "This op is not known."})


class _Closed(Exception):
    """The browser ended the socket."""


async def _frame(receive: Receive) -> dict[str, Any]:
    message = await receive()
    if message["type"] == "websocket.disconnect":
        raise _Closed
    text = message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace")
    if len(text) > MAX_FRAME:
        raise Invalid("The frame is larger than 64 KiB.")
    return _decoded(text.encode("utf-8", "replace"))


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("This is not a JSON object.", field="body") from error


async def _tell(send: Send, frame: Mapping[str, Any]) -> None:
    await send({"type": "websocket.send", "text": msgspec.json.encode(frame).decode()})


async def _write(connection: Connection, send: Send, shown: int, fetch: Fetch) -> None:
    """Sends what is published, in the order of the numbers: what is missing before an event is fetched first."""
    while True:
        event = await connection.events.get()
        if event["op"] == "restart":
            await send({"type": "websocket.close", "code": 1012})
            return
        seq = event.get("seq", 0)
        if not seq:
            await _tell(send, event)
            continue
        connection.overrun = False
        if seq == shown + 1:
            shown = seq
            await _tell(send, event)
            continue
        while seq > shown and (found := await asyncio.to_thread(fetch, shown)):
            for one in found:
                await _tell(send, event_of(one))
            shown = found[-1].seq


def _bearer(scope: Scope) -> str:
    kind, _, token = http.header(scope, b"authorization").decode("latin-1").partition(" ")
    if kind.lower() != "bearer":
        raise Unauthenticated("The chat session's token is missing.")
    return token.strip()
