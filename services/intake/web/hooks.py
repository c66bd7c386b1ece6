"""`/hooks/{channel}/{account}`: machines and platforms. The way of contacts by machines is the hot one: bare ASGI.

What arrives while a commit is under way is written by the next one, up to a hundred contacts together.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import cast
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry, Counter
from starlette.types import Message, Receive, Scope, Send

from services.intake.domain.channel import Account
from services.intake.domain.contact import Accepted, Inbound, RawContact
from services.intake.ports import RawRequest, Unparsable, Verifies
from services.intake.usecases.accept import Acceptor
from services.intake.usecases.directory import Directory
from services.intake.usecases.prepare import Prepared
from services.intake.web import http
from services.kit import crash, trace
from services.kit.clock import Clock
from services.kit.errors import AscoltoError, Forbidden, NotFound, Unauthenticated, Unavailable

MAX_BODY = 15 * 1024 * 1024
MAX_GROUP = 100
_ENOUGH = 32  # so many make a commit worth its price at once
MAX_WAITING = 2_000  # beyond it the edge says 503: the sender's queue is the better one
Decode = Callable[[bytes, datetime], Inbound]
_SMALL = 64 * 1024  # larger bodies are read and hashed off the loop
_SCOPES = frozenset({"contacts:write", "admin"})


class Coalescer:
    """Gathers contacts of one event loop into common transactions; each caller hears of its own after the commit.

    A few are written at once. While a crowd comes during each commit, commits keep the distance that suits the database:
    it costs a few milliseconds and saves most calls of fsync, or of a server.
    """

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor, self._spacing = acceptor, acceptor.spacing
        self._waiting: deque[tuple[Prepared, asyncio.Future[Accepted]]] = deque()
        self._busy = False
        self._scheduled = False
        self._crowded = False  # the last commit had a crowd in it
        self._next_at = 0.0  # time of the loop

    async def accept(self, prepared: Prepared) -> Accepted:
        """Resolves after the commit. Raises `Unavailable`."""
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable("Too many contacts wait to be stored; send this one again.", retry_after_s=1.0)
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[Accepted] = loop.create_future()
        self._waiting.append((prepared, mine))
        if not self._busy and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush, loop)
        return await mine

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        if self._busy or not self._waiting:
            return
        now = loop.time()
        if self._crowded and now < self._next_at and len(self._waiting) < _ENOUGH:
            self._scheduled = True
            loop.call_at(self._next_at, self._flush, loop)
            return
        group = [self._waiting.popleft() for _ in range(min(MAX_GROUP, len(self._waiting)))]
        self._crowded, self._next_at = len(group) >= self._spacing.crowd, now + self._spacing.seconds
        self._busy = True
        try:
            future = self._acceptor.submit([prepared for prepared, _ in group])
        except Unavailable as error:
            self._resolve(loop, group, error)
            return
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._settle, loop, group, done))

    def _settle(
        self,
        loop: asyncio.AbstractEventLoop,
        group: Sequence[tuple[Prepared, asyncio.Future[Accepted]]],
        done: Future[list[Accepted]],
    ) -> None:
        error = done.exception()
        self._resolve(loop, group, error if error is not None else done.result())

    def _resolve(
        self,
        loop: asyncio.AbstractEventLoop,
        group: Sequence[tuple[Prepared, asyncio.Future[Accepted]]],
        outcome: BaseException | list[Accepted],
    ) -> None:
        self._busy = False
        if isinstance(outcome, list):
            for (_, mine), accepted in zip(group, outcome, strict=True):
                if not mine.done():
                    mine.set_result(accepted)
        else:
            for _, mine in group:
                if not mine.done():
                    mine.set_exception(outcome)
        self._flush(loop)


class Hooks:
    """The ASGI application of `/hooks`."""

    def __init__(self, *, directory: Directory, acceptor: Acceptor, clock: Clock, metrics: CollectorRegistry) -> None:
        self._directory, self._acceptor, self._clock = directory, acceptor, clock
        self._coalescers: dict[int, Coalescer] = {}
        self._series: dict[tuple[str, int], Counter] = {}
        self._answers = Counter(
            "ascolto_intake_hooks_total",
            "Requests to hooks, by channel and status.",
            ["channel", "status"],
            registry=metrics,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        parts = scope["path"].split("/")  # "", hooks, channel, account
        channel = parts[2] if len(parts) == 4 and parts[2] in self._directory.channels else ""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(channel, message["status"])
            await send(message)

        try:
            if not channel:
                raise NotFound("There is no such hook; its address is /hooks/{channel}/{account}.")
            account = self._directory.open_account(parts[3])
            if account.channel != channel:
                raise NotFound(f"The account {account.id} is not of the channel {channel}.", field="account")
            await self._answer(account, scope, receive, counted)
        except http.TooLarge:
            await http.problem(counted, 413, f"The body is larger than {MAX_BODY // 1024 // 1024} MiB.", field="body")
        except Unparsable as error:
            await http.fail(counted, error, malformed=not error.field)
        except AscoltoError as error:
            await http.fail(counted, error)
        except ConnectionError:
            return

    def _count(self, channel: str, status: int) -> None:
        series = self._series.get((channel, status))
        if series is None:
            series = self._series[channel, status] = self._answers.labels(channel, str(status))
        series.inc()

    async def _answer(self, account: Account, scope: Scope, receive: Receive, send: Send) -> None:
        channel = self._directory.channels[account.channel]
        bearer = http.header(scope, b"authorization")
        if bearer:
            self._check_bearer(bearer)
        elif scope["method"] == "POST" and not hasattr(channel, "verify"):
            raise NotFound(f"The channel {account.channel} has no hook.")
        body = await http.read_body(scope, receive, MAX_BODY)
        if scope["method"] != "POST":
            await http.problem(send, 405, "Send contacts with POST.")
            return
        decode: Decode | None = getattr(channel, "decode", None)
        if decode is not None:
            if not bearer:
                request = RawRequest("POST", scope["path"], headers=http.headers_of(scope), body=body)
                cast("Verifies", channel).verify(request, account)
            await self._hot(account, decode, body, send)
            return
        if bearer:
            raise Unauthenticated("This hook is signed by its platform; a token is not enough.")
        await self._generic(account, scope, body, send)

    def _check_bearer(self, value: bytes) -> None:
        kind, _, token = value.partition(b" ")
        found = (
            self._directory.picture.keys.get(hashlib.sha256(token.strip()).digest())
            if kind.lower() == b"bearer"
            else None
        )
        if found is None:
            raise Unauthenticated("The token is missing, unknown or revoked.")
        if not found[1] & _SCOPES:
            raise Forbidden("The token lacks the scope contacts:write.")

    async def _hot(self, account: Account, decode: Decode, body: bytes, send: Send) -> None:
        if len(body) <= _SMALL:
            prepared = self._prepare(account, decode, body)
        else:
            prepared = await asyncio.to_thread(self._prepare, account, decode, body)
        with trace.span("write", service="intake"):
            accepted = await self._coalescer().accept(prepared)
        crash.point("intake.after_commit")
        crash.point("intake.before_202")
        answer = b'{"id":"%s","duplicate":%s}' % (accepted.id.encode(), b"true" if accepted.duplicate else b"false")
        await http.respond(send, 202, answer, b"application/json")

    def _prepare(self, account: Account, decode: Decode, body: bytes) -> Prepared:
        now = self._clock.now()
        found = decode(body, now)
        raw = RawContact(account.id, found.external_id, body, "application/json", received_at=now)
        return self._acceptor.prepared(raw, account, [found])

    def _coalescer(self) -> Coalescer:
        loop = id(asyncio.get_running_loop())
        found = self._coalescers.get(loop)
        if found is None:
            found = self._coalescers[loop] = Coalescer(self._acceptor)
        return found

    async def _generic(self, account: Account, scope: Scope, body: bytes, send: Send) -> None:
        verifier = cast("Verifies", self._directory.channels[account.channel])
        request = RawRequest(
            "POST",
            scope["path"],
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
            headers=http.headers_of(scope),
            body=body,
            peer=http.peer(scope),
        )
        verifier.verify(request, account)
        key = verifier.transport_key(request) or hashlib.sha256(body).hexdigest()
        media_type = request.headers.get("content-type", "application/octet-stream")
        raw = RawContact(account.id, key, body, media_type, received_at=self._clock.now())
        accepted = (await asyncio.to_thread(self._acceptor.accept, [raw]))[0]
        if accepted.error:
            raise Forbidden(accepted.error, field=accepted.field)
        await http.respond_json(send, 202, {"id": accepted.id, "duplicate": accepted.duplicate})
