"""Builds a fresh index from the owners' rows while the old one answers, then switches. Goes on after a restart."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from services.kit import log
from services.kit.errors import Unavailable
from services.kit.uow import Database
from services.search.ports import IndexDamaged, Owners, Page
from services.search.store.generations import Generation
from services.search.store.versions import Version
from services.search.usecases.apply import index_scanned
from services.search.usecases.generations import Generations

SCANS = ("tickets", "customers", "mentions", "interactions")
_DONE = -1
_PAGE = 1000
_PAGES_A_STORE = 50  # of versions; they wait in memory
_PAGES_A_COMMIT = 200  # the engine writes its segments beside us when they are full, and while we wait when we commit
_AHEAD = 2  # pages read before they are needed: for while the engine commits
_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 15.0
_BREATH_S = 0.0005  # between pages, so that whoever waits for the lock has it
_log = log.logger("search")


@dataclass(slots=True)
class _Uncommitted:
    """What a rebuild wrote since it last committed: pages of one scan or of several."""

    pages: int = 0
    documents: int = 0
    cursors: dict[str, int] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)  # not stored yet


@dataclass(slots=True)
class Rebuilder:
    """A worker: waits until a rebuild is wanted, then does it."""

    generations: Generations
    owners: Owners
    database: Database
    name: str = "search-rebuild"
    running: bool = False
    _tried: int = 0

    def ensure_running(self) -> None:
        """Rebuilds on a thread of its own when no worker runs: the command line works without the process."""
        if not self.running:
            self.running = True
            threading.Thread(target=self.run, args=(threading.Event(),), name=self.name, daemon=True).start()

    def run(self, stop: threading.Event) -> None:
        """Rebuilds whenever it is asked for; owners that are away are waited for."""
        self.running = True
        self.generations.open()
        pause = _PAUSE_S
        while not stop.is_set():
            if not self.generations.wanted.wait(0.5):
                continue
            try:
                if self.run_once(stop):
                    pause = _PAUSE_S
            except (Unavailable, IndexDamaged) as error:
                self.generations.last_error = str(error)
                _log.warning("index.rebuild_waits", reason=type(error).__name__)
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    def run_once(self, stop: threading.Event | None = None) -> bool:
        """Builds and switches. False when it was stopped on the way; what was done is kept."""
        generations = self.generations
        generations.open()
        generation = generations.begin()
        if generation.id == self._tried:  # pages may be in it that its cursors do not know of
            generations.told = None
        self._tried = generation.id
        if not generation.cursors:
            generation.total = 0
        written = _Uncommitted()
        try:
            whole = all(self._scan(generation, what, written, stop) for what in SCANS)
        finally:  # also when an owner is away
            self._keep(generation, written)
        if not whole or generations.under_way is not generation:  # damaged meanwhile: begin again
            return False
        generations.wanted.clear()
        generations.switch()
        return True

    def _scan(self, generation: Generation, what: str, written: _Uncommitted, stop: threading.Event | None) -> bool:
        after = generation.cursors.get(what, 0)
        if after == _DONE:
            return True
        ahead = ThreadPoolExecutor(1, "search-scan")
        try:
            for page in self._pages(ahead, what, after):
                if (stop is not None and stop.is_set()) or self.generations.under_way is not generation:
                    return False
                if after == 0:
                    generation.total += page.total
                after = _DONE if page.done else page.last_rev
                self._write(page, written)
                written.cursors[what] = after
                if page.done or written.pages % _PAGES_A_STORE == 0:  # the next scan needs what this one found
                    self._store(written)
                if written.pages >= _PAGES_A_COMMIT:
                    self._keep(generation, written)
                if stop is not None:
                    stop.wait(_BREATH_S)
            return True
        finally:
            ahead.shutdown(cancel_futures=True)

    def _pages(self, ahead: Executor, what: str, after: int) -> Iterator[Page]:
        """The owner's pages; the next ones are read while one is written."""
        coming = deque([ahead.submit(self.owners.scan, what, after, _PAGE)])
        done = False
        while not done:
            while len(coming) < _AHEAD:
                coming.append(ahead.submit(self._page_after, what, coming[-1]))
            page = coming.popleft().result()
            done = page.done
            yield page

    def _page_after(self, what: str, before: Future[Page]) -> Page:
        """The page after one that is read: there is one reader, which took that one first."""
        page = before.result()
        return page if page.done else self.owners.scan(what, page.last_rev, _PAGE)

    def _write(self, page: Page, written: _Uncommitted) -> None:
        with self.generations.lock:
            with self.database.read() as reader:
                work = index_scanned(reader, page.changes)
            told = self.generations.told
            work.fresh = work.fresh - told - written.versions.keys() if told is not None else set()
            self.generations.write(work, only_building=True, commit=False)
        written.pages += 1
        written.documents += sum(change.document is not None for change in page.changes)
        written.versions.update((version.id, version) for version in work.versions)

    def _store(self, written: _Uncommitted) -> None:
        self.generations.store(list(written.versions.values()))
        written.versions.clear()

    def _keep(self, generation: Generation, written: _Uncommitted) -> None:
        """Commits, then remembers how far it came: a failure before goes on from the last time."""
        self._store(written)
        with self.generations.lock:
            if self.generations.under_way is not generation or self.generations.building is None:
                return
            try:
                self.generations.building.commit()
            except IndexDamaged as error:
                self.generations.give_up(self.generations.building, error)
                return
            generation.cursors.update(written.cursors)
            generation.documents += written.documents
        self.generations.save(generation)
        written.cursors.clear()
        written.pages = written.documents = 0
