"""What search costs beside the bare engine: queries (P6) and building the index anew (P7)."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import tantivy

from ascolto.tickets.v1.events_pb2 import Interaction
from benchmarks.filled import DOCUMENTS, FULL, ensure_filled
from benchmarks.product import Product, command, product
from benchmarks.report import Row
from benchmarks.texts import words
from services.search.domain.document import KINDS
from services.search.domain.query import Reader, parse
from services.search.index.analysis import Analysis, analyzer
from services.search.index.compile import Compiler
from services.search.index.local import schema as fields
from services.search.index.local.queries import TantivyQueries
from services.search.index.local.typos import Spellings
from services.search.index.local.writing import kept
from services.search.ports import Plan, Scope
from services.search.usecases.find import FACETS

ROUNDS = 3
REBUILDS = 3 if FULL else 1
_HITS = 20


@lru_cache(maxsize=1)
def mix() -> list[str]:
    """Two hundred searches as people make them, always the same."""
    source = random.Random(7)
    vocabulary = sorted(set(" ".join(words(number) for number in range(20)).split()))
    made: list[str] = []
    for number in range(200):
        one, other, third = source.sample(vocabulary, 3)
        made.append(
            (
                one,
                f"{one} {other}",
                f"{one} {other} {third}",
                f'"{one} {other}"',
                f"{one[:-1]}{'x' if one[-1] != 'x' else 'y'}",  # a slip of the finger
                f"LC-{10_000 + source.randrange(20_000)}",
                f"channel:api {one}",
                f"{one} -{other}",
                f"c{source.randrange(20_000)}.fill@posta.example",
                f"{one} state:new",
            )[number % 10]
        )
    return made


def _p99(seconds: Sequence[float]) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(0.99 * len(seconds)))]


def _timed(run: Callable[[str], object], queries: Sequence[str]) -> list[float]:
    took = []
    for query in queries:
        began = time.perf_counter()
        run(query)
        took.append(time.perf_counter() - began)
    return took


def _asker(running: Product) -> tuple[http.client.HTTPConnection, Callable[[str], object]]:
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {running.token}"}

    def ask(query: str) -> object:
        connection.request("GET", f"/api/v1/search?limit={_HITS}&q={quote(query)}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:200]
        return body

    return connection, ask


class Engine:
    """The index of a data folder read by tantivy alone: queries compiled beforehand, aggregations, hits, snippets."""

    def __init__(self, data: Path) -> None:
        folder = max((data / "search").glob("generation-*"), key=lambda path: int(path.name.partition("-")[2]))
        self._index = tantivy.Index.open(str(folder))
        fields.register_tokenizers(self._index)
        self._index.reload()
        self._schema = fields.build()
        analysis = Analysis()
        queries = TantivyQueries(self._schema, analysis)
        self._compiler = Compiler(queries, Spellings(self._schema, analysis, self._index.searcher))
        self._wanted: dict[str, Any] = {name: {"terms": {"field": name, "size": 50}} for name in FACETS}
        self._wanted["h"] = {"histogram": {"field": "at", "interval": 86_400_000_000.0, "min_doc_count": 1}}
        self._compiled: dict[str, tantivy.Query] = {}

    def compile(self, queries: Sequence[str]) -> None:
        """Before the clock runs."""
        reader = Reader(datetime.now(UTC), UTC)
        for query in queries:
            self._compiled[query] = self._compiler.plan(Plan(parse(query, reader).node, Scope(KINDS)))

    def ask(self, query: str) -> object:
        """One search."""
        compiled, searcher = self._compiled[query], self._index.searcher()
        hits = searcher.search(compiled, _HITS, count=True).hits
        searcher.aggregate(compiled, self._wanted)
        snippets = tantivy.SnippetGenerator.create(searcher, compiled, self._schema, "words") if hits else None
        found = []
        for _, address in hits:
            assert snippets is not None
            shown = tantivy.Document.from_dict({"words": kept(searcher, address).text}, self._schema)
            found.append(snippets.snippet_from_doc(shown).to_html())
        return found


def queries() -> list[Row]:
    """P6: p99 of `GET /search` ÷ p99 of the engine doing the same, and both medians in the unit's column."""
    data = ensure_filled(DOCUMENTS)
    ours: list[float] = []
    theirs: list[float] = []
    with product(data) as running:
        engine = Engine(data)
        engine.compile(mix())
        connection, ask = _asker(running)
        with closing(connection):
            for run in (ask, engine.ask):  # once without counting: both find their files in memory
                _timed(run, mix())
            for _ in range(ROUNDS):
                connection.close()  # the server closes what is idle while the engine is asked; a request opens it anew
                ours += _timed(ask, mix())
                theirs += _timed(engine.ask, mix())
    median = f"ms (medians {statistics.median(ours) * 1000:.1f} and {statistics.median(theirs) * 1000:.1f})"
    value = _p99(ours) / _p99(theirs)
    what = f"search, p99 at {DOCUMENTS // 1000}k documents ÷ engine"
    return [Row("P6", what, value, 3.0, _p99(ours) * 1000, _p99(theirs) * 1000, median, at_most=True)]


def reindex() -> list[Row]:
    """P7: documents a second of a rebuild in the running product ÷ a bare loop over the same rows."""
    data = ensure_filled(DOCUMENTS)
    ours, theirs = [], []
    with product(data) as running:
        for _ in range(REBUILDS):
            command("reindex", data=running.data)
            ours.append(_rebuilt(data))
            theirs.append(_bare_loop(data))
    value = statistics.median(mine / bare for mine, bare in zip(ours, theirs, strict=True))
    unit = "documents/s"
    what = f"reindex of {DOCUMENTS // 1000}k documents/s ÷ bare loop"
    return [Row("P7", what, value, 0.5, statistics.median(ours), statistics.median(theirs), unit)]


def _rows(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def _rebuilt(data: Path) -> float:
    """Documents a second of the last rebuild."""
    newest = "SELECT documents, started_us, built_us FROM generations WHERE built_us > 0 ORDER BY id DESC LIMIT 1"
    ((documents, started_us, built_us),) = _rows(data / "search.db", newest)
    return int(documents) / ((int(built_us) - int(started_us)) / 1_000_000)


def _bare_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("words", tokenizer_name="folded")
    builder.add_text_field("text_it", tokenizer_name="stem_it", index_option="freq")
    builder.add_bytes_field("source", stored=True)
    return builder.build()


def _bare_loop(data: Path) -> float:
    """Reads rows page by page, adds words, stems and text of each to an index, commits each ten thousand."""
    with tempfile.TemporaryDirectory(dir=data) as folder:
        built = _bare_schema()
        index = tantivy.Index(built, folder)
        index.register_tokenizer("folded", analyzer(""))
        index.register_tokenizer("stem_it", analyzer("it"))
        writer = index.writer(48_000_000, 1)
        began, added = time.perf_counter(), 0
        statements = (
            "SELECT id, subject, rev FROM tickets WHERE rev > {} ORDER BY rev LIMIT 1000",
            "SELECT id, name, rev FROM customers WHERE rev > {} ORDER BY rev LIMIT 1000",
            "SELECT id, data, rev FROM interactions WHERE kind <> 'event' AND rev > {} ORDER BY rev LIMIT 1000",
        )
        for statement in statements:
            after = 0
            while rows := _rows(data / "tickets.db", statement.format(after)):
                for id_, content, after in rows:  # noqa: B007 (the last one is where the next page begins)
                    text = content if isinstance(content, str) else _words_of(content)
                    made = {"id": id_, "words": text, "text_it": text, "source": text.encode()}
                    writer.add_document(tantivy.Document.from_dict(made, built))
                added += len(rows)
                if added % 10_000 < 1000:
                    writer.commit()
        writer.commit()
        took = time.perf_counter() - began
        writer.wait_merging_threads()
    return added / took


def _words_of(data: bytes) -> str:
    message = Interaction.FromString(data)
    return f"{message.subject}\n{message.text}"


if __name__ == "__main__":
    print(json.dumps(mix(), indent=1))
