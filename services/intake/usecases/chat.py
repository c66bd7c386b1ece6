"""The chat's room: who is connected, what was said, who may listen. The hub is this process's; rows outlive it.

Nothing is shown before it is stored: every event goes out after its commit. What another process stored is found by
looking: `run` asks for the newest number of each conversation that is open here, and while none is it asks nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from services.intake.ports import Presence
from services.intake.store import chat as store
from services.intake.store.chat import Message, Visitor
from services.kit.clock import Clock
from services.kit.errors import Forbidden, NotFound, Unauthenticated
from services.kit.ids import new_id
from services.kit.secrets import Keys
from services.kit.uow import Database, Uow

SESSION_S = 3600
REFRESH_S = 30 * 86400
MAX_CONNECTIONS = 10
_LOOK_S = 0.5
_OPEN_S, _OPEN_AGAIN_S = 30.0, 10.0  # how long a process is believed to hold a socket, and how often it says so
_QUEUE = 200  # events a slow reader may be behind; then it is told to fetch them


@dataclass(eq=False)
class Connection:
    """One open socket of a visitor. `overrun` says that events were dropped: fetch them."""

    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[dict[str, Any]]
    overrun: bool = False


class ChatRoom:
    """See the module, a worker. Thread-safe; `post` comes from senders, connections from the web's loop."""

    name = "intake-chat"

    def __init__(self, database: Database, *, clock: Clock, keys: Keys | None = None, instance: str = "") -> None:
        self._database, self._clock, self._keys, self._instance = database, clock, keys, instance
        self._known: dict[str, int] = {}  # number of the last message shown here, of what is open here
        self._lock = threading.Lock()
        self._connections: dict[str, list[Connection]] = {}

    @property
    def now_us(self) -> int:
        """The hour, in microseconds."""
        return int(self._clock.now().timestamp() * 1_000_000)

    # --- sessions ---

    def token(self, visitor: Visitor) -> str:
        """A session of an hour, bound to account and visitor."""
        claim = f"{visitor.account_id}:{visitor.id}:{int(self._clock.now().timestamp()) + SESSION_S}"
        return f"{claim}:{self._sign(claim)}"

    def visitor_of(self, token: str, account_id: str, *, refresh: bool = False) -> Visitor:
        """Whose session this is. Raises `Unauthenticated`; one that ended up to 30 days ago may be refreshed."""
        claim, _, signature = token.rpartition(":")
        parts = claim.split(":")
        if len(parts) != 3 or not hmac.compare_digest(self._sign(claim).encode(), signature.encode()):
            raise Unauthenticated("This chat session is not known; begin a new one.")
        ends = int(parts[2]) + (REFRESH_S if refresh else 0)
        if parts[0] != account_id or ends < self._clock.now().timestamp():
            raise Unauthenticated("This chat session has ended; refresh it.")
        with self._database.read() as reader:
            found = store.find_visitor(reader, parts[1])
        if found is None:
            raise Unauthenticated("This chat session is not known; begin a new one.")
        return found

    def _sign(self, claim: str) -> str:
        if self._keys is None:
            raise Unauthenticated("This chat takes no sessions.")
        return self._keys.sign("chat-session", claim.encode()).hex()[:40]

    def enter(
        self, account_id: str, known: Visitor | None, told: Mapping[str, str], *, customer: str, verified: bool
    ) -> Visitor:
        """The visitor of a new or returning browser. A verified customer gets their own conversation on every device."""
        now_us = self.now_us
        if verified and (known is None or known.customer != customer):
            with self._database.read() as reader:
                known = store.find_by_customer(reader, account_id, customer) or (
                    known if known and not known.verified else None
                )
        changes = {name: told[name][:200] for name in ("name", "email", "language") if told.get(name)}
        if known is not None and known.verified and not verified:
            changes = {
                name: value for name, value in changes.items() if name == "language"
            }  # claims do not change what is proven
        if verified:
            changes |= {"customer": customer}
        if known is None:
            fresh = Visitor(
                id=new_id("vis"), account_id=account_id, conversation=new_id("cnv"), created_us=now_us, seen_us=now_us
            )
            made = replace(fresh, **changes, verified=int(verified))  # type: ignore[arg-type]  # texts only
            self._database.write(lambda uow: store.add_visitor(uow, made))
            return made
        if not changes:
            return known
        made = replace(known, **changes, verified=int(verified or known.verified))  # type: ignore[arg-type]  # texts only
        self._database.write(lambda uow: store.introduce(uow, made))
        return made

    # --- messages ---

    def said(self, visitor: Visitor, *, client_id: str, text: str) -> Message:
        """A visitor's message, as its row; write it beside the contact, then `show` it."""
        return Message(
            conversation=visitor.conversation,
            id=new_id("msg"),
            client_id=client_id,
            author_kind="visitor",
            author_name=visitor.name,
            text=text,
            created_us=self.now_us,
        )

    def post(self, conversation: str, *, client_id: str, author: str, text: str, automatic: bool) -> Presence:
        """Stores the shop's message once, shows it to who is connected."""
        message = Message(
            conversation=conversation,
            id=new_id("msg"),
            client_id=client_id,
            author_kind="automatic" if automatic else "agent",
            author_name=author,
            text=text,
            created_us=self.now_us,
        )
        stored, fresh = self._database.write(lambda uow: store.add_message(uow, message))
        if fresh:
            self.show(stored)
        with self._database.read() as reader:
            visitor = store.find_by_conversation(reader, conversation)
            elsewhere = store.is_open(reader, conversation, self.now_us)
        if visitor is None:
            raise NotFound(f"There is no conversation {conversation[:60]}.")
        connected = elsewhere or self.connected(conversation)
        came_back = visitor.seen_us > stored.created_us
        gone_s = max(0.0, (self.now_us - visitor.seen_us) / 1_000_000)
        return Presence(connected or came_back, gone_s, visitor.email, visitor.name)

    def history(self, conversation: str, *, after: int, limit: int = 100) -> list[Message]:
        """Messages above a number, in order."""
        with self._database.read() as reader:
            return store.messages(reader, conversation, after=after, limit=limit)

    # --- the hub ---

    def connect(self, conversation: str, loop: asyncio.AbstractEventLoop) -> Connection:
        """A new socket. Raises `Forbidden` beyond ten."""
        connection = Connection(loop, asyncio.Queue(_QUEUE))
        with self._lock:
            there = self._connections.setdefault(conversation, [])
            if len(there) >= MAX_CONNECTIONS:
                raise Forbidden("This conversation is open in too many windows.")
            there.append(connection)
        return connection

    def disconnect(self, conversation: str, connection: Connection) -> None:
        """The socket is closed; the visitor was seen until now."""
        with self._lock:
            there = self._connections.get(conversation, [])
            if connection in there:
                there.remove(connection)
            if last := not there:
                self._connections.pop(conversation, None)
                self._known.pop(conversation, None)
        if last:
            self._database.write(lambda uow: store.shut(uow, conversation, self._instance))
        self.note_seen(conversation)

    def note_open(self, conversation: str) -> None:
        """Tells the other processes that a socket is open here."""
        until_us = self.now_us + int(_OPEN_S * 1e6)
        self._database.write(lambda uow: store.keep_open(uow, [conversation], self._instance, until_us))

    def note_seen(self, conversation: str) -> None:
        """Notes that the visitor was there just now."""
        now_us = self.now_us
        self._database.write(lambda uow: store.seen(uow, conversation, now_us))

    def connected(self, conversation: str) -> bool:
        """Whether a socket is open."""
        with self._lock:
            return bool(self._connections.get(conversation))

    def show(self, message: Message) -> None:
        """Sends a stored message to every open socket of its conversation."""
        self._publish(message.conversation, event_of(message))

    # --- other processes ---

    def run(self, stop: threading.Event) -> None:
        """Looks for what other processes stored, and tells them what is open here, until `stop`."""
        told = float("-inf")
        while not stop.wait(_LOOK_S):
            with self._lock:
                there = list(self._connections)
            if there:
                self.show_new(there)
            if self._clock.monotonic() - told >= _OPEN_AGAIN_S:
                told = self._clock.monotonic()
                self._keep_open(there)

    def show_new(self, conversations: Sequence[str]) -> None:
        """Shows what was stored in open conversations since the last look."""
        with self._database.read() as reader:
            last = store.last_numbers(reader, conversations)
            grown = [one for one, seq in last.items() if seq > self._known.get(one, 0)]
            newest = [store.messages(reader, one, after=last[one] - 1, limit=1) for one in grown]
        self._known = last
        for message in (message for found in newest for message in found):
            self.show(message)  # a socket fetches what it misses before it, and drops what it has

    def _keep_open(self, conversations: Sequence[str]) -> None:
        now_us = self.now_us
        with self._database.read() as reader:
            stale = store.any_stale(reader, now_us)
        if conversations or stale:

            def write(uow: Uow) -> None:
                store.keep_open(uow, conversations, self._instance, now_us + int(_OPEN_S * 1e6))
                store.forget_open(uow, now_us)

            self._database.write(write)

    def typing(self, account_id: str, conversation: str, name: str) -> None:
        """Somebody of the shop writes; not stored."""
        del account_id
        self._publish(conversation, {"op": "event", "type": "typing", "data": {"on": True, "name": name}})

    def _publish(self, conversation: str, event: dict[str, Any]) -> None:
        with self._lock:
            there = list(self._connections.get(conversation, ()))
        for connection in there:
            if not connection.loop.is_closed():
                connection.loop.call_soon_threadsafe(_put, connection, event)

    def close(self) -> None:
        """Tells every socket that the server restarts."""
        with self._lock:
            conversations = list(self._connections)
        for conversation in conversations:
            self._publish(conversation, {"op": "restart"})


def event_of(message: Message) -> dict[str, Any]:
    """The frame of one stored message."""
    return {
        "op": "event",
        "seq": message.seq,
        "type": "message.created",
        "conversation": message.conversation,
        "data": {
            "id": message.id,
            "client_id": message.client_id if message.author_kind == "visitor" else "",
            "author": {"kind": message.author_kind, "name": message.author_name},
            "text": message.text,
            "files": json.loads(message.files),
            "created_at": datetime.fromtimestamp(message.created_us / 1_000_000, UTC)
            .isoformat()
            .replace("+00:00", "Z"),
        },
    }


def _put(connection: Connection, event: dict[str, Any]) -> None:
    try:
        connection.events.put_nowait(event)
    except asyncio.QueueFull:
        connection.overrun = True
