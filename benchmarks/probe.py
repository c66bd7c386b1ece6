"""The barest program that does the same durable work: ASGI route, msgspec, one SQLite file with group commit, tantivy.

No accounts, no tokens, no events, no tickets' rules: what is left is the price of the machine.
"""

from __future__ import annotations

import queue
import sqlite3
import sys
import threading
import time
from pathlib import Path

import tantivy

from benchmarks.edge import Contact, Edge


class Probe(Edge):
    """Takes contacts, keeps them, indexes them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._to_index: queue.SimpleQueue[Contact] = queue.SimpleQueue()
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
            group = self.group()
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
            self.answer(group)

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


if __name__ == "__main__":
    Probe(Path(sys.argv[1])).serve(int(sys.argv[2]))
