"""Builds a fresh index from the owners' rows while the old one answers, then switches. Goes on after a restart.

One process at a time does it, by a lease; when it dies another goes on from what it had saved.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from services.kit import log
from services.kit.errors import Conflict, Unavailable
from services.kit.leases import Lease, Leases
from services.kit.uow import Database, Uow
from services.search.ports import IndexDamaged, Owners, Page
from services.search.store.generations import Generation
from services.search.store.versions import Version
from services.search.usecases.apply import Work, index_scanned
from services.search.usecases.generations import Generations

SCANS = ("tickets", "customers", "mentions", "interactions")
_DONE = -1
_PAGE = 1000
_PAGES_A_STORE = 50  # of versions; they wait in memory
_PAGES_A_COMMIT = 200  # the engine writes its segments beside us when they are full, and while we wait when we commit
_PAGES_KEPT = 15  # a commit, where others write too: their documents are kept until it is known that they stand
_AHEAD = 2  # pages read before they are needed: for while the engine commits
_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 15.0
_LEASE_S, _RENEWED_S = 60.0, 15.0  # a page may take 30 s
_LOOK_S = 0.5
_BREATH_S = 0.0005  # between pages, so that whoever waits for the lock has it
_log = log.logger("search")


@dataclass(slots=True)
class _Unsaved:
    """What was written since the index last committed: pages of one scan, or of several."""

    losses: int  # of the index, when the first page was written
    pages: int = 0
    cursors: dict[str, int] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)  # not stored yet
    work: Work = field(default_factory=Work)  # to be settled, where other processes write too


@dataclass(slots=True)
class Rebuilder:
    """A worker: waits until a rebuild is wanted, then does it."""

    generations: Generations
    owners: Owners
    database: Database
    leases: Leases
    holder: str
    name: str = "search-rebuild"
    running: bool = False
    _tried: int = 0
    _counted: tuple[int, int] = (0, 0)  # documents and total, as far as they are saved
    _lease: Lease | None = None
    _renewed_at: float = 0.0

    def ensure_running(self) -> None:
        """Rebuilds on a thread of its own when no worker runs: the command line works without the process."""
        if not self.running:
            self.running = True
            threading.Thread(target=self.run, args=(threading.Event(),), name=self.name, daemon=True).start()

    def run(self, stop: threading.Event) -> None:
        """Rebuilds whenever it is asked for; owners that are away are waited for."""
        self.running = True
        pause = _PAUSE_S
        while not stop.is_set():
            try:
                self.generations.refresh()
                if not self.generations.wanted.wait(_LOOK_S):
                    continue
                if self.run_once(stop):
                    pause = _PAUSE_S
                else:  # another process does it, or it was stopped
                    stop.wait(_LOOK_S)
            except (Unavailable, IndexDamaged, Conflict) as error:
                self.generations.last_error = str(error)
                _log.warning("index.rebuild_waits", reason=type(error).__name__)
                stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    def run_once(self, stop: threading.Event | None = None) -> bool:
        """Builds and switches. False when it was stopped on the way, or another does it; what was done is kept.

        Raises `Conflict` when it was away for so long that another took over.
        """
        self._lease = self.leases.take("search-rebuild", self.holder, seconds=_LEASE_S)
        if self._lease is None:
            return False
        self._renewed_at = time.monotonic()
        try:
            return self._build(stop)
        finally:
            self.leases.release(self._lease)

    def _build(self, stop: threading.Event | None) -> bool:
        generations = self.generations
        generation = generations.begin()
        if generation.id == self._tried:  # pages may be in it that its cursors do not know of
            generations.told = None
            generation.documents, generation.total = self._counted
        self._tried, self._counted = generation.id, (generation.documents, generation.total)
        unsaved = _Unsaved(generations.losses)
        whole = all(self._scan(generation, what, unsaved, stop) for what in SCANS)
        self._save(generation, unsaved)
        if not whole or generations.under_way is not generation:  # damaged meanwhile: begin again
            return False
        generations.wanted.clear()
        generations.switch(self._fence)
        return True

    def _fence(self, uow: Uow) -> None:
        assert self._lease is not None, "only its holder writes"
        self.leases.fence(self._lease, uow)

    def _hold_on(self) -> None:
        assert self._lease is not None, "only its holder builds"
        if time.monotonic() - self._renewed_at >= _RENEWED_S:
            if not self.leases.renew(self._lease, seconds=_LEASE_S):
                raise Conflict("Another process builds the index now.")
            self._renewed_at = time.monotonic()

    def _scan(self, generation: Generation, what: str, unsaved: _Unsaved, stop: threading.Event | None) -> bool:
        after = generation.cursors.get(what, 0)
        if after == _DONE:
            return True
        engine = self.generations.engine
        ahead = ThreadPoolExecutor(1, "search-scan")
        try:
            pages = self._pages(ahead, what, after)
            while page := self._next(pages, generation, unsaved):
                if (stop is not None and stop.is_set()) or self.generations.under_way is not generation:
                    return False
                if after == 0:
                    generation.total += page.total
                self._write(generation, page, unsaved)
                unsaved.cursors[what] = after = _DONE if page.done else page.last_rev
                self._hold_on()
                if unsaved.pages >= (_PAGES_KEPT if engine.shared else _PAGES_A_COMMIT) or (
                    page.done and engine.shared
                ):
                    self._save(generation, unsaved)
                elif page.done or unsaved.pages % _PAGES_A_STORE == 0:  # the next scan needs what this one found
                    self._store(unsaved)
                if stop is not None:
                    stop.wait(_BREATH_S)
            return True
        finally:
            ahead.shutdown(cancel_futures=True)

    def _next(self, pages: Iterator[Page], generation: Generation, unsaved: _Unsaved) -> Page | None:
        try:
            return next(pages, None)
        except Unavailable:  # the owner is away: what it gave before is good
            self._save(generation, unsaved)
            raise

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

    def _write(self, generation: Generation, page: Page, unsaved: _Unsaved) -> None:
        with self.generations.lock:
            with self.database.read() as reader:
                work = index_scanned(reader, page.changes)
            told = self.generations.told
            work.fresh = work.fresh - told - unsaved.versions.keys() if told is not None else set()
            refused = self.generations.write(work, only_building=True, commit=False)
        for id_, reason in refused.items():
            _log.error("index.refused", document=id_, reason=reason)
        unsaved.pages += 1
        unsaved.versions.update((version.id, version) for version in work.versions)
        if self.generations.engine.shared:
            unsaved.work.documents += work.documents
            unsaved.work.facts |= {id_: facts for id_, facts in work.facts.items() if id_ not in unsaved.work.facts}
        generation.documents += sum(change.document is not None for change in page.changes)

    def _store(self, unsaved: _Unsaved) -> None:
        """Before the index has committed, too: should it never, the cursor is before these rows and they come again."""
        self.generations.store(list(unsaved.versions.values()))
        unsaved.versions = {}

    def _save(self, generation: Generation, unsaved: _Unsaved) -> None:
        """Commits, then remembers how far it came: a failure before goes on from the last time."""
        with self.generations.lock:
            if self.generations.under_way is not generation or self.generations.building is None:
                return
            if self.generations.losses != unsaved.losses:
                raise Unavailable("What was not committed yet is lost, and read again.")
            try:
                self.generations.building.commit()
            except IndexDamaged as error:
                self.generations.give_up(self.generations.building, error)
                return
        self._store(unsaved)
        self.generations.settle(unsaved.work, only_building=True)
        generation.cursors.update(unsaved.cursors)
        self.generations.save(generation, self._fence)
        self._counted = (generation.documents, generation.total)
        unsaved.pages, unsaved.cursors, unsaved.work = 0, {}, Work()
