"""What the use cases of search need: an index, and the owners of what it copies."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.kit.principal import Person
from services.search.domain.document import Change, Document
from services.search.domain.query import Filter, Node


class IndexDamaged(Exception):
    """The index cannot be trusted: a file is gone or changed, or the engine failed on it.

    `certain` when a file is not what it was, or the engine broke; otherwise its files should be compared first.
    """

    def __init__(self, message: str, *, certain: bool = True) -> None:
        super().__init__(message)
        self.certain = certain


@dataclass(frozen=True, slots=True)
class Scope:
    """What a caller may see: kinds, and brands (None: all). Part of every query."""

    kinds: tuple[str, ...]
    brand_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One search, ready for any index.

    `chosen` are values picked in facets: several of a field are OR. `until` freezes a paged list: nothing newer.
    """

    node: Node
    scope: Scope
    sort: str = "best"  # best, new, old
    limit: int = 20
    after: Cursor | None = None
    chosen: tuple[Filter, ...] = ()
    facets: tuple[str, ...] = ()
    by_ticket: bool = False
    typos: bool = True
    spam: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: documents passed, the last one's sort key, and the newest key when the list began."""

    passed: int
    key: int
    top: int


@dataclass(frozen=True, slots=True)
class Row:
    """One hit: the document as kept, its score and its words marked (escaped HTML)."""

    document: Document
    score: float = 0.0
    snippet_html: str = ""
    more: int = 0
    inner: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A page. `total` counts documents; beyond 10,000 it is a lower bound."""

    rows: tuple[Row, ...] = ()
    total: int = 0
    lower_bound: bool = False
    next: Cursor | None = None
    facets: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    histogram: list[tuple[int, int]] = field(default_factory=list)  # start of the bin in microseconds, count
    bin_us: int = 0
    cut: bool = False  # more exist, but a list by relevance ends here


class Index(Protocol):
    """One generation of an index. Reading is safe from any thread; one thread of a process writes.

    Errors: `IndexDamaged`, and `Unavailable` (disk full, server away): what was not committed may be lost and is
    written again later.
    """

    def write(self, documents: Iterable[Document], fresh: Container[str] = ()) -> Mapping[str, str]:
        """Puts documents in place of what their ids had; tombstones only take away. Seen after `commit`.

        The caller is sure that nothing is there under the ids in `fresh`, written but not committed included.
        Where others write too, a document with an older rev than the index has changes nothing.
        Returns why, by id, for documents that the engine will never take; the others are written.
        """
        ...

    def commit(self) -> None:
        """Makes what was written durable and visible."""
        ...

    def sources(self, ids: Sequence[str]) -> list[Document]:
        """The committed documents of these ids, those there are."""
        ...

    def find(self, plan: Plan) -> Found:
        """One page of what a plan asks for."""
        ...

    def count(self, plan: Plan, *, most: int = 0) -> int:
        """How many documents a plan finds."""
        ...

    def values(self, plan: Plan, field_name: str, limit: int) -> list[tuple[str, int]]:
        """The commonest values of an exact field among what a plan finds."""
        ...

    def corrections(self, word: str) -> list[tuple[str, int]]:
        """Words of the index that `word` may be a misspelling of, commonest first, with their counts."""
        ...

    def frequency(self, word: str) -> int:
        """In how many documents a word stands, in any form."""
        ...

    def documents(self) -> int:
        """How many there are."""
        ...

    def size_bytes(self) -> int:
        """On disk."""
        ...

    def check(self, *, most_bytes: int) -> None:
        """Compares some files with the manifest. Raises `IndexDamaged`."""
        ...

    def promote(self) -> None:
        """Lets every process search this generation from now on, instead of another. Harmless to do again."""
        ...

    def ping(self) -> None:
        """Raises `Unavailable` when it does not answer."""
        ...

    def close(self) -> None:
        """Ends writing; readers under way finish."""
        ...


class Engine(Protocol):
    """Where the generations of an index are: made, opened, removed by number."""

    schema: int  # of the fields: a generation with another is built anew
    shared: bool  # other processes write to the same generations

    def existing(self) -> set[int]:
        """The generations there are. Raises `Unavailable`."""
        ...

    def open(self, number: int, *, built: bool) -> Index:
        """A generation; made anew where there is none, unless it was `built`.

        Raises `IndexDamaged` when it cannot be used, `Unavailable` when nobody can tell now.
        """
        ...

    def faults(self) -> list[str]:
        """What is wrong with where they are, a sentence each with how to mend it. Raises `Unavailable`."""
        ...

    def discard(self, number: int) -> None:
        """Removes a generation, if it is there; readers under way finish or are told that it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an owner's rows, by rev."""

    changes: Sequence[Change]
    last_rev: int
    done: bool
    total: int


class Owners(Protocol):
    """The services whose data is indexed."""

    def scan(self, what: str, after_rev: int, limit: int) -> Page:
        """Rows of `tickets`, `customers`, `mentions` or `interactions` with a rev above `after_rev`, in order.

        Interactions come without their tickets, which were scanned before.
        """
        ...

    def recent(self, person: Person, words: Sequence[str], limit: int, *, newest: int = 0) -> list[Document]:
        """The newest messages that hold all words, from the store itself, for `person`; looks through `newest` (0: as many as it can)."""
        ...

    def ticket(self, person: Person, number: int) -> Document | None:
        """A ticket by its number, if `person` may see it."""
        ...
