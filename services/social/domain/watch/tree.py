"""What a query is once read: a tree of words, phrases, nearness, fields and their combination."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """Something the writer of a query should know; a blocking one keeps the watch from being saved.

    `position` counts characters from 0.
    """

    position: int
    message: str
    hint: str
    blocking: bool


@dataclass(frozen=True, slots=True)
class Word:
    """One folded word; with its sign where a hashtag or handle was asked for; a beginning where `prefix`.

    `written` is what the person typed: rules of X keep its accents beside the folded form.
    """

    text: str
    written: str
    position: int = 0
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """Folded words that follow one another."""

    words: tuple[str, ...]
    written: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Near:
    """Two words, phrases or alternatives of them with at most `distance` words between them, in any order."""

    left: Node
    right: Node
    distance: int
    position: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A property of the post; `sign` is `>`, `<`, `>=`, `<=` or `=` for numbers and empty elsewhere."""

    name: str
    value: str
    sign: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Node


Node = Word | Phrase | Near | Field | And | Or | Not


def leaves(node: Node) -> list[Word | Phrase | Field]:
    """All words, phrases and fields in the order of writing, negated ones too."""
    match node:
        case And(parts) | Or(parts):
            return [leaf for part in parts for leaf in leaves(part)]
        case Not(part):
            return leaves(part)
        case Near(left, right):
            return leaves(left) + leaves(right)
        case _:
            return [node]


def render(node: Node) -> str:
    """The query as it was understood, with every AND, OR and bracket shown; reading it again gives the same tree."""
    match node:
        case Word(text, prefix=prefix):
            return text + "*" * prefix
        case Phrase(words):
            return '"' + " ".join(words) + '"'
        case Near(left, right, distance):
            return f"({render(left)} NEAR/{distance} {render(right)})"
        case Field(name, value, sign):
            quoted = f'"{value}"' if " " in value else value
            return f"{name}:{sign if sign != '=' else ''}{quoted}"
        case And(parts):
            return "(" + " AND ".join(map(render, parts)) + ")"
        case Or(parts):
            return "(" + " OR ".join(map(render, parts)) + ")"
        case Not(part):
            return f"NOT {render(part)}"
