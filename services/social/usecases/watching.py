"""The watches as compiled: read again when they changed, shared by sources and ingestion."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.kit.errors import Invalid
from services.kit.uow import Database
from services.social.domain.watch import SEARCH_LIMIT, Post, WatchSet, parse, x_rules
from services.social.domain.watch.tree import Field, Node, leaves
from services.social.store import config
from services.social.store.config import Watch


@dataclass(frozen=True, slots=True)
class Compiled:
    """All watches at one moment."""

    watches: Mapping[str, Watch]
    trees: Mapping[str, Node]
    matching: WatchSet
    needs_tone: bool

    def match(self, post: Post, source_id: str) -> dict[str, tuple[str, ...]]:
        """Watches that want the post, each with the words it matched by."""
        found = self.matching.match(post)
        return {
            key: words
            for key, words in found.items()
            if not self.watches[key].source_ids or source_id in self.watches[key].source_ids
        }

    def reads(self, source_id: str) -> bool:
        """Whether any watch wants posts of the source."""
        return any(True for _ in self._of(source_id))

    def rules(self, source_id: str) -> list[str]:
        """Searches of X that together find all that the source's watches may want of it; none where X cannot be asked."""
        return list(dict.fromkeys(rule for tree in self._of(source_id) for rule in x_rules(tree, limit=SEARCH_LIMIT)))

    def _of(self, source_id: str) -> Iterator[Node]:
        for key, tree in self.trees.items():
            wanted = self.watches[key].source_ids
            if not wanted or source_id in wanted:
                yield tree


class Watching:
    """Keeps the compiled watches; `changed` makes the next use read them again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._compiled: Compiled | None = None

    def changed(self) -> None:
        """The watches were changed."""
        with self._lock:
            self._compiled = None

    def compiled(self) -> Compiled:
        """The watches as they are."""
        with self._lock:
            if self._compiled is None:
                with self._database.read() as reader:
                    self._compiled = compile_watches(config.list_watches(reader))
            return self._compiled


def compile_watches(watches: Sequence[Watch]) -> Compiled:
    """Compiles stored watches; one whose query an older version allowed and this one does not is left out."""
    trees: dict[str, Node] = {}
    for watch in watches:
        try:
            trees[watch.id] = parse(watch.query)
        except Invalid:
            continue  # its lint on the settings page says what is wrong
    toned = any(isinstance(leaf, Field) and leaf.name == "tone" for tree in trees.values() for leaf in leaves(tree))
    return Compiled({watch.id: watch for watch in watches if watch.id in trees}, trees, WatchSet(trees), toned)
