"""A small X: recent search, filtered stream with rules, posting replies. Speaks the documented wire format of API v2.

Scripted faults (`fail_next`) answer as X does when it limits, breaks, shows a page of HTML or hangs up.
Source: X API v2 reference: search recent, filtered stream, manage posts, rate limits.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

_KEEP_ALIVE_S = 5.0  # X sends a newline every 20 s; shorter, so that a stop is noticed soon
_TERM = re.compile(r'"([^"]+)"|(\S+)')  # a quoted phrase, or a word


@dataclass(frozen=True, slots=True)
class Author:
    """An account of the simulated X."""

    id: str
    handle: str
    name: str
    followers: int


@dataclass(frozen=True, slots=True)
class Post:
    """One post."""

    id: str
    author: Author
    text: str
    language: str
    created_at: datetime
    reply_to: str = ""
    conversation: str = ""

    def wire(self) -> dict[str, Any]:
        """As the API shows it."""
        made: dict[str, Any] = {
            "id": self.id,
            "text": self.text,
            "author_id": self.author.id,
            "created_at": self.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "conversation_id": self.conversation or self.id,
            "edit_history_tweet_ids": [self.id],
            "lang": self.language or "und",
            "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": 0, "quote_count": 0},
        }
        if self.reply_to:
            made["referenced_tweets"] = [{"type": "replied_to", "id": self.reply_to}]
        return made


@dataclass(slots=True)
class SimulatedX:
    """State of the simulation; safe to use from any thread."""

    own: Author = field(default_factory=lambda: Author("9001", "lumacacasa", "Lumaca Casa", 4200))
    token: str = "demo-bearer-token"  # noqa: S105 (of a simulation, on loopback)
    posts: list[Post] = field(default_factory=list)
    replies: list[Post] = field(default_factory=list)
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    _faults: deque[str] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last_id: int = 1_900_000_000_000_000_000
    _streams: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Post | None]]] = field(default_factory=list)

    def post(
        self, author: Author, text: str, *, language: str = "", at: datetime | None = None, reply_to: str = ""
    ) -> Post:
        """Publishes; streams whose rules match see it at once."""
        with self._lock:
            self._last_id = max(self._last_id + 1, (int(time.time() * 1000) - 1_288_834_974_657) << 22)
            parent = next((one for one in self.posts + self.replies if one.id == reply_to), None)
            conversation = (parent.conversation or parent.id) if parent else ""
            made = Post(str(self._last_id), author, text, language, at or datetime.now(UTC), reply_to, conversation)
            (self.replies if author == self.own else self.posts).append(made)
            listening = list(self._streams)
        for loop, queue in listening:
            loop.call_soon_threadsafe(queue.put_nowait, made)
        return made

    def fail_next(self, *kinds: str) -> None:
        """The next requests fail, one each, with: 429, 503, html, hangup."""
        with self._lock:
            self._faults.extend(kinds)

    def close_streams(self) -> None:
        """Hangs up on every stream."""
        with self._lock:
            listening, self._streams = self._streams, []
        for loop, queue in listening:
            loop.call_soon_threadsafe(queue.put_nowait, None)

    def routes(self) -> list[Route]:
        """The API, to be mounted at the root of a server."""
        return [
            Route("/2/tweets/search/recent", self._search),
            Route("/2/tweets/search/stream", self._stream),
            Route("/2/tweets/search/stream/rules", self._list_rules, methods=["GET"]),
            Route("/2/tweets/search/stream/rules", self._change_rules, methods=["POST"]),
            Route("/2/tweets", self._create, methods=["POST"]),
            Route("/2/users/me", self._me),
        ]

    def _refusal(self, request: Request) -> Response | None:
        with self._lock:
            fault = self._faults.popleft() if self._faults else ""
        match fault:
            case "429":
                reset = str(int(time.time()) + 2)
                headers = {"x-rate-limit-limit": "450", "x-rate-limit-remaining": "0", "x-rate-limit-reset": reset}
                return JSONResponse(
                    {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429},
                    429,
                    headers,
                )
            case "503":
                return JSONResponse(
                    {
                        "title": "Service Unavailable",
                        "detail": "Service Unavailable",
                        "type": "about:blank",
                        "status": 503,
                    },
                    503,
                )
            case "html":
                return HTMLResponse("<html><body>Something went wrong</body></html>", 200)
            case "hangup":
                return _HangUp()
        if (
            request.headers.get("authorization") != f"Bearer {self.token}"
            and "oauth" not in request.headers.get("authorization", "").lower()
        ):
            return JSONResponse(
                {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}, 401
            )
        return None

    async def _search(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        asked = request.query_params
        if len(asked.get("query", "")) > 512 or not asked.get("query"):
            return JSONResponse(
                {"title": "Invalid Request", "type": "about:blank", "status": 400, "errors": [{"message": "query"}]},
                400,
            )
        limit = min(100, max(10, int(asked.get("max_results", "10"))))
        since = int(asked.get("since_id") or 0)
        before = int(asked.get("next_token") or asked.get("until_id") or 1 << 63)
        with self._lock:
            found = [
                one for one in reversed(self.posts) if since < int(one.id) < before and matches(asked["query"], one)
            ]
        page, rest = found[:limit], found[limit:]
        meta: dict[str, Any] = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": page[0].id, "oldest_id": page[-1].id}
        if rest:
            meta["next_token"] = page[-1].id
        answer: dict[str, Any] = {"meta": meta}
        if page:
            answer |= {"data": [one.wire() for one in page], "includes": {"users": _users(page)}}
        return JSONResponse(
            answer,
            headers={
                "x-rate-limit-limit": "450",
                "x-rate-limit-remaining": "449",
                "x-rate-limit-reset": str(int(time.time()) + 900),
            },
        )

    async def _stream(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if not self.rules:
            return JSONResponse(
                {"title": "Conflict", "type": "about:blank", "status": 409, "detail": "There are no rules."}, 409
            )
        queue: asyncio.Queue[Post | None] = asyncio.Queue(10_000)
        entry = (asyncio.get_running_loop(), queue)
        with self._lock:
            self._streams.append(entry)
        return StreamingResponse(self._lines(queue, entry), media_type="application/json")

    async def _lines(self, queue: asyncio.Queue[Post | None], entry: Any) -> AsyncIterator[bytes]:
        try:
            yield b"\r\n"
            while True:
                try:
                    post = await asyncio.wait_for(queue.get(), _KEEP_ALIVE_S)
                except TimeoutError:
                    yield b"\r\n"
                    continue
                if post is None:
                    return
                hits = [
                    {"id": key, "tag": rule["tag"]} for key, rule in self.rules.items() if matches(rule["value"], post)
                ]
                if hits:
                    body = {"data": post.wire(), "includes": {"users": _users([post])}, "matching_rules": hits}
                    yield json.dumps(body).encode() + b"\r\n"
        finally:
            with self._lock:
                if entry in self._streams:
                    self._streams.remove(entry)

    async def _list_rules(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        listed = [{"id": key, **rule} for key, rule in self.rules.items()]
        return JSONResponse(
            {"data": listed, "meta": {"sent": datetime.now(UTC).isoformat(), "result_count": len(listed)}}
        )

    async def _change_rules(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        asked = await request.json()
        made: list[dict[str, str]] = []
        for rule in asked.get("add", []):
            key = str(int(time.time() * 1e6) + len(made))
            self.rules[key] = {"value": rule["value"], "tag": rule.get("tag", "")}
            made.append({"id": key, **self.rules[key]})
        for key in asked.get("delete", {}).get("ids", []):
            self.rules.pop(str(key), None)
        return JSONResponse(
            {
                "data": made,
                "meta": {
                    "sent": datetime.now(UTC).isoformat(),
                    "summary": {"created": len(made), "not_created": 0, "valid": len(made), "invalid": 0},
                },
            },
            201,
        )

    async def _create(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        asked = await request.json()
        made = self.post(self.own, asked["text"], reply_to=asked.get("reply", {}).get("in_reply_to_tweet_id", ""))
        return JSONResponse({"data": {"id": made.id, "text": made.text, "edit_history_tweet_ids": [made.id]}}, 201)

    async def _me(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        return JSONResponse({"data": {"id": self.own.id, "username": self.own.handle, "name": self.own.name}})


class _HangUp(Response):
    """Sends the head of an answer and then nothing more: the client sees the connection break."""

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionResetError("scripted")


def matches(rule: str, post: Post) -> bool:
    """Whether a post matches a rule: OR of terms and phrases, `from:` and `@` included; wide rather than exact."""
    folded = post.text.casefold()
    for part in re.split(r"\bOR\b", rule.replace("(", " ").replace(")", " ")):
        terms = [(quoted or word).casefold() for quoted, word in _TERM.findall(part)]
        wanted = [term for term in terms if not term.startswith(("-", "lang:", "is:", "has:"))]
        if wanted and all(
            term.removeprefix("from:") == post.author.handle if term.startswith("from:") else term in folded
            for term in wanted
        ):
            return True
    return False


def _users(posts: list[Post]) -> list[dict[str, Any]]:
    authors = {one.author.id: one.author for one in posts}.values()
    return [
        {
            "id": one.id,
            "username": one.handle,
            "name": one.name,
            "public_metrics": {
                "followers_count": one.followers,
                "following_count": 10,
                "tweet_count": 100,
                "listed_count": 0,
            },
        }
        for one in authors
    ]
