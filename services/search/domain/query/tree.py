"""What a query means: a tree of small values that every index compiles to its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo


@dataclass(frozen=True, slots=True)
class All:
    """Everything the caller may see."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word in any of its forms; as a code when it looks like one."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words next to each other, in this order."""

    text: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """Words that begin so."""

    text: str


@dataclass(frozen=True, slots=True)
class Near:
    """Two words at most `distance` words apart, in either order."""

    left: str
    right: str
    distance: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A field that is one of some exact values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A moment field within [low, high), in microseconds; None is open."""

    field: str
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Scoped:
    """Words sought in one part alone: subject, body, files, from, to, customer."""

    part: str
    node: Node


@dataclass(frozen=True, slots=True)
class And:
    """All of these."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """All but this."""

    node: Node


Node = All | Word | Phrase | Prefix | Near | Filter | Range | Scoped | And | Or | Not
EMPTY = All()


@dataclass(frozen=True, slots=True)
class Chip:
    """One part of a query as understood, or crossed out (`ignored`) with the reason.

    `without` is the query less this part.
    """

    text: str
    field: str = ""
    value: str = ""
    without: str = ""
    ignored: bool = False
    reason: str = ""
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: decides how dates are written, which words are theirs and what "me" is."""

    now: datetime
    zone: tzinfo
    language: str = "en"
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, understood."""

    node: Node
    chips: tuple[Chip, ...] = ()
    ignored: tuple[str, ...] = ()
    sort: str = ""  # new, old, best; empty: not said
    words: tuple[str, ...] = ()  # sought anywhere, in order
    fields: frozenset[str] = field(default_factory=frozenset)  # fields filtered by


def any_of(nodes: list[Node]) -> Node:
    """One node for a choice."""
    return nodes[0] if len(nodes) == 1 else Or(tuple(nodes)) if nodes else EMPTY


def all_of(nodes: list[Node]) -> Node:
    """One node for a conjunction."""
    kept = [node for node in nodes if node != EMPTY]
    return kept[0] if len(kept) == 1 else And(tuple(kept)) if kept else EMPTY


def rewrite(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """The tree with each node replaced by `change(node)`; where it answers None, the children are rewritten."""
    replaced = change(node)
    if replaced is not None:
        return replaced
    if isinstance(node, And | Or):
        return type(node)(tuple(rewrite(child, change) for child in node.nodes))
    if isinstance(node, Not):
        return Not(rewrite(node.node, change))
    return node
