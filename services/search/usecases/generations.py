"""The index that answers and the one being built: opened, written to together, switched, given up when damaged."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from services.kit import crash, log
from services.kit.clock import Clock
from services.kit.errors import Unavailable
from services.kit.uow import Database, Lane, Uow, chunks
from services.search.domain.document import Document
from services.search.ports import Index, IndexDamaged
from services.search.store import generations as store
from services.search.store import versions
from services.search.store.generations import Generation
from services.search.store.versions import Version
from services.search.usecases.apply import Work

Open = Callable[[Path], Index]
_MOST_TOLD = 200_000  # ids, about 20 MB; beyond, a rebuild takes away before it puts in
_ROWS = 300  # a transaction: about 4 ms, so that people's writes are not felt
_log = log.logger("search")


class Generations:
    """Holds both indexes. `lock` is held by whoever applies changes or switches; readers need none."""

    def __init__(self, database: Database, folder: Path, open_index: Open, *, schema: int, clock: Clock) -> None:
        self._database, self._folder, self._open, self._schema, self._clock = (
            database,
            folder,
            open_index,
            schema,
            clock,
        )
        self.lock = threading.RLock()
        self.wanted = threading.Event()  # a rebuild is asked for
        self.live: Index | None = None
        self.building: Index | None = None
        self.generation: Generation | None = None  # of the live one
        self.under_way: Generation | None = None  # of the one being built
        self.told: set[str] | None = None  # what events wrote to it since it was begun; None: who knows
        self.suspected = threading.Event()  # the files should be compared now
        self.suspicions = 0
        self.damaged = ""
        self.last_error = ""
        self._opened = False
        self._closed = False

    def now_us(self) -> int:
        """The hour, in microseconds."""
        return int(self._clock.now().timestamp() * 1_000_000)

    def open(self) -> None:
        """Opens what the database says there is; what cannot be opened is rebuilt. Does nothing the second time."""
        with self.lock:
            if self._opened:
                return
            self._opened = True
            with self._database.read() as reader:
                found = store.current(reader)
            for generation in found:
                self._open_one(generation)
            self._sweep({generation.id for generation in found})
            if self.live is None or self.under_way is not None:
                self.wanted.set()

    def _open_one(self, generation: Generation) -> None:
        if generation.schema != self._schema:  # of an earlier version, whose fields are others
            _log.info("index.outdated", generation=generation.id)
            self._retire(generation)
            return
        path = self.path(generation)
        try:
            if generation.built_us and not (path / "meta.json").exists():
                raise IndexDamaged("The index is not there any more.")
            index = self._open(path)
        except IndexDamaged as error:
            self._note(error)
            if generation.state == "live":
                self.damaged = str(error)
            self._retire(generation)
            return
        if generation.state == "live":
            self.live, self.generation = index, generation
        else:
            self.building, self.under_way = index, generation

    def _retire(self, generation: Generation) -> None:
        self._database.write(lambda uow: store.retire(uow, generation.id))
        shutil.rmtree(self.path(generation), ignore_errors=True)

    def _sweep(self, kept: set[int]) -> None:
        """Removes folders of generations nobody uses; foreign files are left alone."""
        for path in self._folder.glob("generation-*"):
            number = path.name.removeprefix("generation-")
            if number.isdigit() and int(number) not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def path(self, generation: Generation) -> Path:
        """Where a generation lies."""
        return self._folder / f"generation-{generation.id}"

    def begin(self) -> Generation:
        """Starts building one, or goes on with the one under way; from now on every change is written to it too."""
        with self.lock:
            if self.under_way is not None and self.building is not None:
                return self.under_way
            now_us, schema = self.now_us(), self._schema
            generation = self._database.write(lambda uow: store.begin(uow, schema, now_us))
            self.building = self._open(self.path(generation))
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
        return list(found.values())

    def write(self, work: Work, *, only_building: bool = False, commit: bool = True) -> None:
        """Writes to every index and commits. One that fails is given up; the others go on."""
        if self._closed:
            raise Unavailable("The index is closed; what comes now is indexed after the next start.")
        indexes = (self.building,) if only_building else (self.live, self.building)
        if self.building is not None and not only_building:
            self._remember(work)
        crash.point("search.before_index_commit")
        for index in indexes:
            if index is None:
                continue
            try:
                index.write(work.documents, work.fresh if only_building or self.building is None else ())
                if commit:
                    index.commit()
            except IndexDamaged as error:
                self.give_up(index, error)
        crash.point("search.after_index_commit")

    def _remember(self, work: Work) -> None:
        """What events write to the one being built, a page may hold too."""
        if self.told is None:
            return
        self.told.update(document.id for document in work.documents)
        if len(self.told) > _MOST_TOLD:
            self.told = None

    def give_up(self, index: Index, error: IndexDamaged) -> None:
        """Stops using a damaged index and asks for another."""
        with self.lock:
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
            self.give_up(index, error)
            return
        self._note(error)
        self.suspicions += 1
        self.suspected.set()

    def _note(self, error: IndexDamaged) -> None:
        self.last_error = str(error)
        _log.error("index.damaged", reason=str(error)[:200])

    def switch(self) -> None:
        """The one being built becomes the one that answers."""
        with self.lock:
            index, generation = self.building, self.under_way
            if index is None or generation is None:
                return
            index.commit()
            now_us = self.now_us()
            self._database.write(lambda uow: store.switch(uow, generation.id, now_us))
            old, old_generation = self.live, self.generation
            generation.state, generation.built_us = "live", now_us
            self.live, self.generation = index, generation
            self.building = self.under_way = None
            self.damaged = ""
        if old is not None and old_generation is not None:
            old.discard()
        _log.info("index.switched", generation=generation.id, documents=generation.documents)

    def store(self, found: Sequence[Version]) -> None:
        """Remembers versions a rebuild found. The index need not have committed them: what events tell is as new."""
        for part in chunks(found, _ROWS):
            self._database.write(partial(_put, part), lane=Lane.BULK)

    def save(self, generation: Generation) -> None:
        """Remembers how far a rebuild came, after the index has committed it."""
        self._database.write(lambda uow: store.progress(uow, generation), lane=Lane.BULK)

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
