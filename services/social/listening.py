"""One worker a configured source: fills the gap since the last post stored, then holds the stream or waits; back-off as told.

A supervisor starts and stops them as sources are switched on and off; a lease makes sure that one process reads a source.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.kit import log
from services.kit.clock import Clock
from services.kit.egress import Egress
from services.kit.errors import AscoltoError, Unavailable
from services.kit.leases import Leases
from services.kit.secrets import SecretBox
from services.kit.uow import Database
from services.social.sources import Limited, Listening, Post, Refused, Told, kind
from services.social.store import config
from services.social.store.config import SourceRow
from services.social.store.rows import micros
from services.social.usecases.ingest import Ingest
from services.social.usecases.watching import Watching

_LOOK_S = 1.0
_LEASE_S = 30.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 320.0  # X: HTTP errors from 5 s doubling to 320 s
_REFUSED_PAUSE_S = 300.0
_CHUNK = 200
_SEARCH_S = (
    900.0  # under a stream the search is repeated, so that a reconnect has a quarter of an hour to read again at most
)


@dataclass(frozen=True, slots=True)
class Deps:
    """What readers need."""

    database: Database
    clock: Clock
    secrets: SecretBox
    egress: Egress
    leases: Leases
    watching: Watching
    ingest: Ingest
    holder: str


class Reader:
    """Reads one source until told to stop."""

    def __init__(self, row: SourceRow, deps: Deps) -> None:
        self.row, self._deps = row, deps
        self._log = log.logger("social")
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"source-{row.name}", daemon=True)

    def stop(self) -> None:
        """Ends it within a second or so; a stream that hangs ends with the process."""
        self._stop.set()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                wait_s = self._read_once() if self._holds() else _LEASE_S / 3
                pause = _FIRST_PAUSE_S
            except Limited as limit:
                wait_s = max(1.0, (limit.until - self._deps.clock.now()).total_seconds())
                self._note("limited", limit.message, wait_s)
            except Refused as refusal:
                wait_s = _REFUSED_PAUSE_S
                self._note("failing", str(refusal), wait_s)
            except AscoltoError as error:
                wait_s, pause = pause, min(pause * 2, _LONGEST_PAUSE_S)
                self._note("failing", error.message, wait_s)
            except Exception as error:  # noqa: BLE001 (the edge of the loop: logged, shown on the source, tried again)
                wait_s, pause = pause, min(pause * 2, _LONGEST_PAUSE_S)
                self._log.exception("source.failed", source_id=self.row.id)
                self._note("failing", f"It failed on our side: {type(error).__name__}.", wait_s)
            self._stop.wait(wait_s)

    def _holds(self) -> bool:
        """Takes the lease, or holds on to it: one process reads a source."""
        return self._deps.leases.take(f"source:{self.row.id}", self._deps.holder, seconds=_LEASE_S) is not None

    def _told(self) -> Told:
        sealed = self.row.secrets
        secrets = json.loads(self._deps.secrets.open(sealed, owner=self.row.id)) if sealed else {}
        return Told(json.loads(self.row.settings), secrets, self._deps.egress)

    def _read_once(self) -> float:
        source, told = kind(self.row.kind), self._told()
        compiled = self._deps.watching.compiled()
        if not compiled.reads(self.row.id):
            return _LOOK_S * 5
        rules = compiled.rules(self.row.id)
        wait_s = self._fill_gap(told, rules)
        if isinstance(source, Listening):
            self._listen(source, told, rules)
            return 0.0 if self._stop.is_set() else 1.0
        return wait_s

    def _fill_gap(self, told: Told, rules: Sequence[str]) -> float:
        while True:
            with self._deps.database.read() as reader:
                row = config.find_source(reader, self.row.id)
            if row is None:
                self._stop.set()
                return 0.0
            batch = kind(row.kind).poll(told, row.cursor, rules)
            for start in range(0, max(1, len(batch.posts)), _CHUNK):
                last = start + _CHUNK >= len(batch.posts)
                self._deps.ingest(
                    row,
                    batch.posts[start : start + _CHUNK],
                    cursor=batch.cursor if last else None,
                    lost=batch.lost and not start,
                )
            if not batch.more or self._stop.is_set():
                return batch.wait_s

    def _listen(self, source: Listening, told: Told, rules: Sequence[str]) -> None:
        """Holds the stream on a thread of its own, as its client cannot always be interrupted; stores what it hands over.

        The cursor is not moved by the stream: a search begins at the last post a search has seen, and what both found
        is stored once. While the stream is held its source counts as heard.
        """
        came: queue.SimpleQueue[Sequence[Post]] = queue.SimpleQueue()
        ended = threading.Event()
        faults: list[Exception] = []
        stop = threading.Event()

        def hold() -> None:
            try:
                source.listen(told, rules, came.put, stop)
            except Exception as error:  # noqa: BLE001 (carried to the reader's own thread, which tells them apart)
                faults.append(error)
            finally:
                ended.set()

        thread = threading.Thread(target=hold, name=f"stream-{self.row.name}", daemon=True)
        thread.start()
        compiled = self._deps.watching.compiled()
        renew_at = self._deps.clock.monotonic() + _LEASE_S / 3
        search_at = self._deps.clock.monotonic() + _SEARCH_S
        try:
            while not self._stop.is_set() and not (ended.is_set() and came.empty()):
                posts = self._next(came)
                if posts:
                    self._deps.ingest(self.row, posts)
                now = self._deps.watching.compiled()
                if now is not compiled and now.rules(self.row.id) != list(rules):
                    return
                compiled = now
                if self._deps.clock.monotonic() >= renew_at:
                    if not self._holds():
                        return
                    self._note_heard()
                    renew_at = self._deps.clock.monotonic() + _LEASE_S / 3
                if self._deps.clock.monotonic() >= search_at:
                    self._search_again(told, rules)
                    search_at = self._deps.clock.monotonic() + _SEARCH_S
        finally:
            stop.set()
        if faults:
            raise faults[0]

    @staticmethod
    def _next(came: queue.SimpleQueue[Sequence[Post]]) -> list[Post]:
        posts: list[Post] = []
        wait_s = 0.3
        while len(posts) < _CHUNK:
            try:
                posts.extend(came.get(block=wait_s > 0, timeout=wait_s or None))
            except queue.Empty:
                break
            wait_s = 0.0
        return posts

    def _search_again(self, told: Told, rules: Sequence[str]) -> None:
        try:
            self._fill_gap(told, rules)
        except Unavailable as away:  # the stream goes on; what it may have missed is searched for with the next
            self._log.info("source.search_put_off", source_id=self.row.id, reason=away.message)

    def _note_heard(self) -> None:
        now_us = micros(self._deps.clock.now())
        self._deps.database.write(lambda uow: config.listened(uow, self.row.id, now_us))

    def _note(self, state: str, error: str, wait_s: float) -> None:
        retry_us = micros(self._deps.clock.now() + timedelta(seconds=wait_s))
        self._log.warning("source.trouble", source_id=self.row.id, state=state, wait_s=round(wait_s))
        try:
            self._deps.database.write(
                lambda uow: config.trouble(uow, self.row.id, state=state, error=error, retry_us=retry_us)
            )
        except AscoltoError as away:
            self._log.warning("source.trouble_untold", source_id=self.row.id, reason=away.message)


class Supervisor:
    """Keeps a reader for each source that is on; a `Worker`."""

    name = "sources"

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._readers: dict[str, Reader] = {}

    def run(self, stop: threading.Event) -> None:
        """Looks each second for sources switched on, off or changed."""
        try:
            while not stop.is_set():
                self._match()
                stop.wait(_LOOK_S)
        finally:
            for reader in self._readers.values():
                reader.stop()
            for reader in self._readers.values():
                reader.thread.join(timeout=1.0)
            self._readers.clear()

    def _match(self) -> None:
        with self._deps.database.read() as database:
            rows = {row.id: row for row in config.list_sources(database) if row.enabled}
        for own, reader in list(self._readers.items()):
            row = rows.get(own)
            if row is None or row.version != reader.row.version or not reader.thread.is_alive():
                reader.stop()
                del self._readers[own]
        for own, row in rows.items():
            if own not in self._readers:
                self._readers[own] = Reader(row, self._deps)
                self._readers[own].thread.start()
