"""The index in a folder, by tantivy. One long-lived writer; readers on snapshots; files watched by our own hashes.

tantivy reports damage in many ways, a `PanicException` (a `BaseException`) among them: every call into it passes
`_engine`, which turns all of them into `IndexDamaged`. Queries are built before, outside of it.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import tantivy

from services.kit.errors import Unavailable
from services.search.domain.document import Document
from services.search.index.analysis import Analysis
from services.search.index.compile import Compiler
from services.search.index.local import schema as fields
from services.search.index.local.manifest import Manifest
from services.search.index.local.queries import TantivyQueries
from services.search.index.local.reading import Reading
from services.search.index.local.typos import Spellings
from services.search.index.local.writing import to_json
from services.search.ports import Found, IndexDamaged, Plan

_HEAP_BYTES = 48_000_000
_LEAST_FREE_BYTES = 16 * 1024 * 1024  # below this a failure to write is a full disk, not damage
_AT_ONCE = 100  # made ready together, while the engine's own thread works on those before
_ENDINGS = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)


class LocalEngine:
    """Generations as folders `generation-N` below `folder`. Another process has no part in them."""

    schema = fields.VERSION
    shared = False

    def __init__(self, _url: str, folder: Path) -> None:
        self._folder = folder

    def path(self, number: int) -> Path:
        """Where a generation lies."""
        return self._folder / f"generation-{number}"

    def existing(self) -> set[int]:
        """The generations there are; foreign files are left alone."""
        names = [path.name.removeprefix("generation-") for path in self._folder.glob("generation-*")]
        return {int(name) for name in names if name.isdigit()}

    def open(self, number: int, *, built: bool) -> LocalIndex:
        """A generation; made anew where there is none, unless it was built. Raises `IndexDamaged`."""
        path = self.path(number)
        if built and not (path / "meta.json").exists():
            raise IndexDamaged("The index is not there any more.")
        return LocalIndex(path)

    def faults(self) -> list[str]:
        """A folder has no set-up."""
        return []

    def discard(self, number: int) -> None:
        """Removes a damaged or retired one; readers under way keep their files open."""
        shutil.rmtree(self.path(number), ignore_errors=True)


class LocalIndex:
    """One generation in `folder`; an empty folder becomes an empty index. Raises `IndexDamaged` when it cannot open."""

    def __init__(self, folder: Path, *, heap_bytes: int = _HEAP_BYTES) -> None:
        self._folder, self._heap_bytes = folder, heap_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._writing = threading.Lock()
        built = fields.build()
        with _engine("opened"):
            if (folder / "meta.json").exists():
                self._index = tantivy.Index(built, str(folder), reuse=True)
            elif any(folder.glob("*.store")):
                raise IndexDamaged("The index has files but no list of them.")
            else:
                self._index = tantivy.Index(built, str(folder), reuse=False)
            fields.register_tokenizers(self._index)
            self._index.config_reader("manual", 0)
            self.manifest = Manifest(folder)
            self.manifest.check_sizes()
            self._writer: tantivy.IndexWriter | None = self._index.writer(heap_bytes, 1)
            self._index.reload()
        self._analysis = Analysis()
        self._spellings = Spellings(built, self._analysis, self._index.searcher)
        self._queries = TantivyQueries(built, self._analysis)
        self._compiler = Compiler(self._queries, self._spellings)

    def write(self, documents: Iterable[Document], fresh: Container[str] = ()) -> Mapping[str, str]:
        """Puts documents in place of what their ids had; tombstones only take away. Seen after `commit`.

        Nothing is taken away for ids in `fresh`: each commit seeks what is to be taken away in every segment.
        Refuses no document.
        """
        waiting = iter(documents)
        while part := list(itertools.islice(waiting, _AT_ONCE)):
            prepared = [(one.id, None if one.deleted else to_json(one, self._analysis)) for one in part]
            with self._engine_writes("written") as writer:
                for id_, made in prepared:
                    if id_ not in fresh:
                        writer.delete_documents_by_term("id", id_)
                    if made is not None:
                        writer.add_json(made)
        return {}

    def commit(self) -> None:
        """Makes what was written durable and visible."""
        with self._engine_writes("committed") as writer:
            writer.commit()
            self._index.reload()
        self._spellings.commits += 1

    def sources(self, ids: Sequence[str]) -> list[Document]:
        """The committed documents of these ids, those there are."""
        with self._reading() as reading:
            return reading.sources(ids)

    def find(self, plan: Plan) -> Found:
        """One page of what a plan asks for."""
        with self._reading() as reading:
            return reading.find(plan)

    def count(self, plan: Plan, *, most: int = 0) -> int:
        """How many documents a plan finds; at most `most` when given."""
        with self._reading() as reading:
            found = reading.count(self._compiler.plan(plan))
        return min(found, most) if most else found

    def values(self, plan: Plan, field_name: str, limit: int) -> list[tuple[str, int]]:
        """The commonest values of an exact field among what a plan finds."""
        with self._reading() as reading:
            return reading.values(self._compiler.plan(plan), field_name, limit)

    def corrections(self, word: str) -> list[tuple[str, int]]:
        """Words of the index that `word` may be a misspelling of, commonest first, with their counts."""
        with _engine("searched"):
            return [(found.text, found.count) for found in self._spellings.of(word) if found.is_correction]

    def frequency(self, word: str) -> int:
        """In how many documents a word stands, in any form."""
        with self._reading() as reading:
            return reading.count(self._compiler.word(word, typos=False))

    def documents(self) -> int:
        """How many there are."""
        with _engine("searched"):
            return int(self._index.searcher().num_docs)

    def size_bytes(self) -> int:
        """On disk."""
        total = 0
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # merged away while we look
                total += path.stat().st_size
        return total

    def check(self, *, most_bytes: int) -> None:
        """Hashes what is new, compares some of what is old. Raises `IndexDamaged`."""
        self.manifest.check(most_bytes=most_bytes)
        self.manifest.update()

    def close(self) -> None:
        """Waits for merges, then lets the folder go."""
        with self._writing, _engine("closed"):
            if self._writer is not None:
                self._writer.wait_merging_threads()
            self._writer = None
        self.manifest.update()

    def promote(self) -> None:
        """There is nobody else to be told."""

    def ping(self) -> None:
        """Its files are watched, not asked."""

    @contextlib.contextmanager
    def _engine_writes(self, act: str) -> Iterator[tantivy.IndexWriter]:
        """The writer. When it fails on a full disk, what was not committed is dropped and a later try begins anew."""
        with self._writing:
            try:
                with _engine(act):
                    if self._writer is None:
                        self._writer = self._index.writer(self._heap_bytes, 1)
                    yield self._writer
            except IndexDamaged as error:
                if shutil.disk_usage(self._folder).free >= _LEAST_FREE_BYTES:
                    raise
                self._writer = None
                raise Unavailable(f"The disk of {self._folder} is full: free some space, indexing goes on.") from error

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Reading]:
        with _engine("searched"):
            yield Reading(self._index.searcher(), self._queries, self._compiler, self._analysis, self._spellings)


@contextlib.contextmanager
def _engine(act: str) -> Iterator[None]:
    """Turns whatever the engine throws, panics included, into `IndexDamaged`; ends of the process pass."""
    try:
        yield
    except (IndexDamaged, *_ENDINGS):
        raise
    except BaseException as error:
        sentence = f"The index could not be {act}: {type(error).__name__}: {str(error)[:200]}"
        raise IndexDamaged(sentence, certain=not isinstance(error, Exception) or act != "searched") from error
