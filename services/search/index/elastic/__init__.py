"""The index on Elasticsearch, for many processes: each generation an index of its own, searched through one alias.

A generation N is the index `prefix-N`. It is written through its own alias `prefix-N-write`, so that nobody's late
write makes it anew once it is gone, and searched through the alias `prefix`, which always leads to a whole one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from services.kit import log
from services.kit.errors import AscoltoError, Internal, Unavailable
from services.kit.uow import chunks
from services.search.domain.document import Document
from services.search.index.analysis import Analysis
from services.search.index.compile import Compiler
from services.search.index.elastic import mapping
from services.search.index.elastic.queries import ElasticQueries
from services.search.index.elastic.reading import Reading
from services.search.index.elastic.server import Server
from services.search.index.elastic.typos import Spellings
from services.search.index.elastic.writing import forgetting, kept, lines
from services.search.ports import Found, IndexDamaged, Plan

_BULK_BYTES = 4_000_000
_BULK_ITEMS = 250
_BULKS_AT_ONCE = 2  # the server takes one with one thread; in which order makes no difference, by their versions
_MGET_ITEMS = 1000
_PURGE_EVERY_S = 3600.0
_TOMBSTONES_KEPT_US = 35 * 86_400_000_000  # longer than the log keeps events (28 days) and a rebuild takes
_PURGED_AT_ONCE = 1000
_log = log.logger("search")


class ElasticEngine:
    """Generations in the cluster of the setting's URL."""

    schema = mapping.VERSION
    shared = True

    def __init__(self, url: str, _folder: Path) -> None:
        self.server = Server(url)

    def existing(self) -> set[int]:
        """The generations there are; indices of others are left alone."""
        found: Mapping[str, Any] = self.server.ask("GET", f"/{self.server.prefix}-*/_alias")
        names = [name.removeprefix(f"{self.server.prefix}-") for name in found]
        return {int(name) for name in names if name.isdigit()}

    def open(self, number: int, *, built: bool) -> ElasticIndex:
        """A generation; made anew where there is none, unless it was built. Raises `IndexDamaged`, `Unavailable`."""
        name = f"{self.server.prefix}-{number}"
        if not self.server.ask("GET", f"/{name}/_alias", missing={}):
            if built:
                raise IndexDamaged("The index is not there any more.")
            self._create(name)
        return ElasticIndex(self.server, name, promoted=built)

    def _create(self, name: str) -> None:
        body = mapping.index(shards=self.server.shards, alias=f"{name}-write")
        try:
            self.server.ask("PUT", f"/{name}", body)
        except Internal:
            if not self.server.ask("GET", f"/{name}/_alias", missing={}):  # else another process made it just now
                raise

    def faults(self) -> list[str]:
        """Analyzers the cluster lacks, and shards that are away."""
        found = []
        for name, asked in mapping.analyzers().items():
            try:
                self.server.ask("POST", "/_analyze", asked | {"text": "prova"})
            except Internal:
                found.append(
                    f"Elasticsearch at {self.server.name} cannot analyse {name}: install its analysis-common module"
                    " (part of every full distribution) on each node."
                )
        health = self.server.ask("GET", f"/_cluster/health/{self.server.prefix}-*")
        if health["status"] == "red":
            found.append(
                f"Elasticsearch at {self.server.name} lacks shards of the index: bring its nodes back,"
                " or run `ascolto reindex` once it is green."
            )
        return found

    def discard(self, number: int) -> None:
        """Removes a generation, if it is there; one that cannot be removed now goes at the next start."""
        try:
            self.server.ask("DELETE", f"/{self.server.prefix}-{number}", missing={})
        except AscoltoError as error:
            _log.warning("index.not_removed", generation=number, reason=error.kind)


class ElasticIndex:
    """One generation. Once `promoted` it is read through the alias of all, and so never missed."""

    def __init__(self, server: Server, name: str, *, promoted: bool) -> None:
        self._server, self._name = server, name
        self._reads = server.prefix if promoted else name
        self._analysis = Analysis()
        self._spellings = Spellings(self._search, self._analysis)
        self._compiler = Compiler(ElasticQueries(), self._spellings)
        self._reading = Reading(self._search, self._compiler, self._analysis, self._spellings)
        self._senders = ThreadPoolExecutor(_BULKS_AT_ONCE, "search-bulk")
        self._purge_at = 0.0

    def _search(self, bodies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._server.search(self._reads, bodies)

    def write(self, documents: Iterable[Document], fresh: Container[str] = ()) -> Mapping[str, str]:
        """Puts documents in place of what their ids had, unless that has a newer rev. Seen after `commit`.

        Durable when it returns. `fresh` makes no difference: the server compares versions.
        """
        del fresh
        refused: dict[str, str] = {}
        under_way: deque[Future[dict[str, str]]] = deque()
        for items in _in_bulks((one.id, lines(one, self._analysis)) for one in documents):
            if len(under_way) == _BULKS_AT_ONCE:
                refused |= under_way.popleft().result()
            under_way.append(self._senders.submit(self._server.bulk, f"{self._name}-write", items))
        for bulk in under_way:
            refused |= bulk.result()
        return refused

    def commit(self) -> None:
        """Makes what was written visible."""
        answer = self._server.ask("POST", f"/{self._name}/_refresh")
        if answer["_shards"]["failed"]:
            raise Unavailable("A part of the search index is away; it is tried again.")
        self._spellings.commits += 1

    def promote(self) -> None:
        """Lets every process search this generation from now on: one step, so that no search finds nothing."""
        alias = self._server.prefix
        actions = [
            {"remove": {"index": f"{alias}-*", "alias": alias, "must_exist": False}},
            {"add": {"index": self._name, "alias": alias}},
        ]
        self._server.ask("POST", "/_aliases", {"actions": actions})
        self._reads = alias

    def sources(self, ids: Sequence[str]) -> list[Document]:
        """The documents of these ids, those there are."""
        found: list[Document] = []
        for some in chunks(ids, _MGET_ITEMS):
            for hit in self._server.ask("POST", f"/{self._name}/_mget", {"ids": some})["docs"]:
                if "error" in hit:
                    if hit["error"].get("type") == "index_not_found_exception":
                        raise IndexDamaged("The index is not there any more.")
                    raise Unavailable("A part of the search index is away; it is tried again.")
                if hit["found"] and hit["_source"]:
                    found.append(kept(hit))
        return found

    def find(self, plan: Plan) -> Found:
        """One page of what a plan asks for."""
        return self._reading.find(plan)

    def count(self, plan: Plan, *, most: int = 0) -> int:
        """How many documents a plan finds; at most `most` when given."""
        return self._reading.count(self._reading.compiled(plan), most=most)

    def values(self, plan: Plan, field_name: str, limit: int) -> list[tuple[str, int]]:
        """The commonest values of an exact field among what a plan finds."""
        return self._reading.values(plan, field_name, limit)

    def corrections(self, word: str) -> list[tuple[str, int]]:
        """Words of the index that `word` may be a misspelling of, commonest first, with their counts."""
        return [(found.text, found.count) for found in self._spellings.of(word) if found.is_correction]

    def frequency(self, word: str) -> int:
        """In how many documents a word stands, in any form."""
        return self._reading.count(self._compiler.word(word, typos=False).body)

    def documents(self) -> int:
        """How many there are, tombstones aside."""
        return self._reading.count({"exists": {"field": "kind"}})

    def size_bytes(self) -> int:
        """On the disks of the cluster, copies included."""
        return int(self._server.ask("GET", f"/{self._reads}/_stats/store")["_all"]["total"]["store"]["size_in_bytes"])

    def check(self, *, most_bytes: int) -> None:
        """The server watches its own files; what it leaves to us is to forget tombstones, each hour."""
        del most_bytes
        if time.monotonic() < self._purge_at:
            return
        oldest = {"range": {"gone": {"lt": time.time_ns() // 1000 - _TOMBSTONES_KEPT_US}}}
        body = {"query": oldest, "size": _PURGED_AT_ONCE, "version": True, "sort": ["gone"], "_source": False}
        (answer,) = self._search([body])
        hits = answer["hits"]["hits"]
        items = [(str(hit["_id"]), forgetting(str(hit["_id"]), int(hit["_version"]))) for hit in hits]
        if items:
            self._server.bulk(f"{self._name}-write", items)
        if len(items) < _PURGED_AT_ONCE:
            self._purge_at = time.monotonic() + _PURGE_EVERY_S

    def ping(self) -> None:
        """Raises `Unavailable` when a search would not be answered."""
        try:
            self.documents()
        except IndexDamaged as error:
            raise Unavailable(str(error)) from error

    def close(self) -> None:
        """What was written is durable."""
        self._senders.shutdown()


def _in_bulks(items: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """In bodies that the server likes, and several to a page: it works on one while the next is made."""
    part: list[tuple[str, bytes]] = []
    size = 0
    for item in items:
        part.append(item)
        size += len(item[1])
        if size >= _BULK_BYTES or len(part) >= _BULK_ITEMS:
            yield part
            part, size = [], 0
    if part:
        yield part
