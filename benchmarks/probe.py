"""The barest program that does the same durable work: ASGI route, msgspec, one SQLite file with group commit, tantivy.

No accounts, no tokens, no events, no tickets' rules: what is left is the price of the machine.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import tantivy
import uvicorn


class _From(msgspec.Struct):
    email: str
    name: str


class _Contact(msgspec.Struct):
    external_id: str
    sender: _From = msgspec.field(name="from")
    subject: str
    text: str


class Probe:
    """Takes contacts, keeps them, indexes them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._decoder = msgspec.json.Decoder(_Contact)
        self._waiting: queue.SimpleQueue[tuple[_Contact, bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._to_index: queue.SimpleQueue[_Contact] = queue.SimpleQueue()
        self.indexed = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        threading.Thread(target=self._write, daemon=True).start()
        threading.Thread(target=self._index, daemon=True).start()

    def _write(self) -> None:
        db = sqlite3.connect(self._folder / "probe.db", isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(
            "CREATE TABLE raw(id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB);"
            "CREATE TABLE ticket(id INTEGER PRIMARY KEY, key TEXT UNIQUE, state TEXT, subject TEXT);"
            "CREATE TABLE interaction(id INTEGER PRIMARY KEY, key TEXT UNIQUE, ticket TEXT, author TEXT, text TEXT);"
        )
        while True:
            group = [self._waiting.get()]
            while len(group) < 100:
                try:
                    group.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT OR IGNORE INTO raw(key, body) VALUES(?, ?)", [(c.external_id, raw) for c, raw, _ in group]
            )
            db.executemany(
                "INSERT OR IGNORE INTO ticket(key, state, subject) VALUES(?, 'new', ?)",
                [(c.external_id, c.subject) for c, _, _ in group],
            )
            db.executemany(
                "INSERT OR IGNORE INTO interaction(key, ticket, author, text) VALUES(?, ?, ?, ?)",
                [(c.external_id, c.external_id, c.sender.email, c.text) for c, _, _ in group],
            )
            db.execute("COMMIT")
            for one, _, _ in group:
                self._to_index.put(one)
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._resolve, [future for _, _, future in group])

    @staticmethod
    def _resolve(futures: list[asyncio.Future[None]]) -> None:
        for future in futures:
            if not future.done():
                future.set_result(None)

    def _index(self) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("id", stored=True, tokenizer_name="raw")
        builder.add_text_field("subject", stored=True, tokenizer_name="default")
        builder.add_text_field("text", stored=True, tokenizer_name="default")
        index_folder = self._folder / "index"
        index_folder.mkdir(exist_ok=True)
        writer = tantivy.Index(builder.build(), path=str(index_folder)).writer(heap_size=64_000_000, num_threads=1)
        added, committed_at = 0, time.monotonic()
        while True:
            try:
                one = self._to_index.get(timeout=0.1)
                writer.add_document(tantivy.Document(id=one.external_id, subject=one.subject, text=one.text))
                added += 1
            except queue.Empty:
                pass
            if added > self.indexed and time.monotonic() - committed_at >= 0.5:
                writer.commit()
                self.indexed, committed_at = added, time.monotonic()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        self._loop = asyncio.get_running_loop()
        if scope["method"] == "GET":
            await _answer(send, 200, str(self.indexed).encode())
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.put((self._decoder.decode(body), body, future))
        await future
        await _answer(send, 202, b'{"id":"x"}')


async def _answer(send: Any, status: int, body: bytes) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-length", str(len(body)).encode())]}
    )
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        Probe(Path(sys.argv[1])),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        log_level="error",
        access_log=False,
        lifespan="off",
    )
