"""The index that answers and the one being built: opened, written to together, switched, given up when damaged."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from services.kit import crash, log
from services.kit.clock import Clock
from services.kit.errors import Unavailable
from services.kit.uow import Database, Lane, Uow, chunks
from services.search.domain.document import Document
from services.search.ports import Engine, Index, IndexDamaged
from services.search.store import generations as store
from services.search.store import versions
from services.search.store.generations import Generation
from services.search.store.versions import Version
from services.search.usecases.apply import Work, settle_changes

Guard = Callable[[Uow], None]
_MOST_TOLD = 200_000  # ids, about 20 MB; beyond, a rebuild takes away before it puts in
_ROWS = 300  # a transaction: about 4 ms, so that people's writes are not felt
_log = log.logger("search")


class Generations:
    """Holds both indexes. `lock` is held by whoever applies changes or switches; readers need none."""

    def __init__(self, database: Database, engine: Engine, *, clock: Clock) -> None:
        self._database, self.engine, self._clock = database, engine, clock
        self.lock = threading.RLock()
        self.wanted = threading.Event()  # a rebuild is asked for
        self.live: Index | None = None
        self.building: Index | None = None
        self.generation: Generation | None = None  # of the live one
        self.under_way: Generation | None = None  # of the one being built
        self.told: set[str] | None = None  # what events wrote to it since it was begun; None: who knows
        self.suspected = threading.Event()  # the files should be compared now
        self.suspicions = 0
        self.losses = 0  # how often the one being built may have lost what was not committed
        self.damaged = ""
        self.last_error = ""
        self._opened = False
        self._closed = False

    def now_us(self) -> int:
        """The hour, in microseconds."""
        return int(self._clock.now().timestamp() * 1_000_000)

    def open(self) -> None:
        """Opens what the database says there is; what cannot be opened is rebuilt. Does nothing the second time.

        Raises `Unavailable` when nobody can tell what there is: to be tried again.
        """
        if not self._opened:
            self._open_all()

    def _open_all(self) -> None:
        with self.lock:
            if self._opened:  # by another thread, while this one waited
                return
            existing = self.engine.existing()  # before the database is asked: each is written there before it is made
            found = self._current()
            for generation in found:
                self._open_one(generation)
            for number in existing - {generation.id for generation in found}:
                self.engine.discard(number)
            if self.live is None or self.under_way is not None:
                self.wanted.set()
            self._opened = True

    def refresh(self) -> None:
        """Takes up what another process began, switched to or gave up. Raises `Unavailable`.

        Whoever writes what it has read from the log calls this between the two: a generation that is not seen then is
        begun after those events, and its scan finds them at their owners.
        """
        self.open()
        if self._closed or not self.engine.shared:
            return
        with self.lock:
            found = {generation.state: generation for generation in reversed(self._current())}
            live, building = found.get("live"), found.get("building")
            if self.generation is not None and (live is None or live.id != self.generation.id):
                self.live = self.generation = None
            if self.under_way is not None and (building is None or building.id != self.under_way.id):
                self.building = self.under_way = None
            if live is not None and self.generation is None:
                self._open_one(live)
            if building is not None and self.under_way is None:
                self._open_one(building)
            if self.live is None or self.under_way is not None:
                self.wanted.set()
            else:
                self.wanted.clear()

    def _current(self) -> list[Generation]:
        with self._database.read() as reader:
            return store.current(reader)

    def _open_one(self, generation: Generation) -> None:
        if generation.schema != self.engine.schema:  # of an earlier version, whose fields are others
            _log.info("index.outdated", generation=generation.id)
            self._retire(generation)
            return
        try:
            index = self.engine.open(generation.id, built=bool(generation.built_us))
        except IndexDamaged as error:
            self._note(error)
            if generation.state == "live":
                self.damaged = str(error)
            self._retire(generation)
            return
        if generation.state == "live":
            self.live, self.generation, self.damaged = index, generation, ""
        else:
            self.building, self.under_way = index, generation

    def _retire(self, generation: Generation) -> None:
        self._database.write(lambda uow: store.retire(uow, generation.id))
        self.engine.discard(generation.id)

    def begin(self) -> Generation:
        """Starts building one, or goes on with the one under way; from now on every change is written to it too."""
        with self.lock:
            self.refresh()
            if self.under_way is not None and self.building is not None:
                return self.under_way
            now_us, schema = self.now_us(), self.engine.schema
            generation = self._database.write(lambda uow: store.begin(uow, schema, now_us))
            if generation is None:  # begun in this very moment, or before its index could be made
                generation = next(one for one in self._current() if one.state == "building")
            self.building = self.engine.open(generation.id, built=False)
            self.under_way, self.told = generation, set()
            _log.info("index.rebuild_started", generation=generation.id)
            return generation

    def sources(self, ids: Sequence[str]) -> list[Document]:
        """Documents as any of the indexes has them; the one being built knows best."""
        found: dict[str, Document] = {}
        for index in (self.live, self.building):
            if index is None:
                continue
            try:
                found.update((document.id, document) for document in index.sources(ids))
            except IndexDamaged as error:
                self.give_up(index, error)
                return self.sources(ids)
        return list(found.values())

    def write(self, work: Work, *, only_building: bool = False, commit: bool = True) -> dict[str, str]:
        """Writes to every index and commits. One that fails is given up; the others go on.

        Returns why, by id, for documents that no index will ever take.
        """
        if self._closed:
            raise Unavailable("The index is closed; what comes now is indexed after the next start.")
        indexes = (self.building,) if only_building else (self.live, self.building)
        if self.building is not None and not only_building:
            self._remember(work)
        refused: dict[str, str] = {}
        crash.point("search.before_index_commit")
        for index in indexes:
            if index is None:
                continue
            try:
                fresh = work.fresh if only_building or self.building is None else ()
                refused |= index.write(work.documents, fresh)
                if commit:
                    index.commit()
            except IndexDamaged as error:
                self.give_up(index, error)
            except Unavailable:
                self.losses += index is self.building
                raise
        crash.point("search.after_index_commit")
        return refused

    def _remember(self, work: Work) -> None:
        """What events write to the one being built, a page may hold too."""
        if self.told is None:
            return
        self.told.update(document.id for document in work.documents)
        if len(self.told) > _MOST_TOLD:
            self.told = None

    def give_up(self, index: Index, error: IndexDamaged) -> None:
        """Stops using a damaged index and asks for another, unless another process has taken it away already."""
        with self.lock:
            self.refresh()
            self._note(error)
            if index is self.live and self.generation is not None:
                self.live, generation, self.generation = None, self.generation, None
                self.damaged = str(error)
            elif index is self.building and self.under_way is not None:
                self.building, generation, self.under_way = None, self.under_way, None
            else:
                return
            self._retire(generation)
            self.wanted.set()

    def suspect(self, index: Index, error: IndexDamaged) -> None:
        """A search failed: gives the index up when it is certainly damaged, else has its files compared first."""
        if error.certain:
            try:
                self.give_up(index, error)
            except (
                Unavailable
            ) as away:  # nobody can tell whether another process has made a new one: the next search asks
                _log.warning("index.doubted", reason=away.message)
            return
        self._note(error)
        self.suspicions += 1
        self.suspected.set()

    def _note(self, error: IndexDamaged) -> None:
        self.last_error = str(error)
        _log.error("index.damaged", reason=str(error)[:200])

    def switch(self, guard: Guard) -> None:
        """The one being built becomes the one that answers. `guard` runs first in the transaction."""
        with self.lock:
            index, generation = self.building, self.under_way
            if index is None or generation is None:
                return
            index.commit()
            now_us = self.now_us()

            def switch(uow: Uow) -> None:
                guard(uow)
                store.switch(uow, generation.id, now_us)

            index.promote()  # it is complete: before or after, searches find the same
            self._database.write(switch)
            old = self.generation
            generation.state, generation.built_us = "live", now_us
            self.live, self.generation = index, generation
            self.building = self.under_way = None
            self.damaged = ""
        if old is not None:
            self.engine.discard(old.id)
        _log.info("index.switched", generation=generation.id, documents=generation.documents)

    def store(self, found: Sequence[Version]) -> None:
        """Remembers versions a rebuild found. The index need not have committed them: what events tell is as new."""
        for part in chunks(found, _ROWS):
            self._database.write(partial(_put, part), lane=Lane.BULK)

    def save(self, generation: Generation, guard: Guard) -> None:
        """Remembers how far a rebuild came, after the index has committed it. `guard` runs first in the transaction."""

        def progress(uow: Uow) -> None:
            guard(uow)
            store.progress(uow, generation)

        self._database.write(progress, lane=Lane.BULK)

    def settle(self, work: Work, *, only_building: bool = False) -> None:
        """Writes again what news of other processes made wrong while `work`, now stored, was written."""
        while self.engine.shared:
            with self._database.read() as reader:
                work = settle_changes(reader, work, self.sources)
            if not work.documents:
                return
            with self.lock:
                self.write(work, only_building=only_building)

    def close(self) -> None:
        """Ends writing to both."""
        with self.lock:
            self._closed = True
            indexes = [index for index in (self.live, self.building) if index is not None]
            self.live = self.building = None
        for index in indexes:
            try:
                index.close()
            except IndexDamaged as error:
                self._note(error)


def _put(found: Sequence[Version], uow: Uow) -> None:
    versions.put(uow, found)
