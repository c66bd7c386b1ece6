"""Decides locally whether a post belongs to a watch, and by which words; many watches at once through their anchors.

An anchor of a query is a word without which it cannot match. Posts are cut into words once (`View`), and only the
watches that have an anchor among them are evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from services.social.domain.text import fold, fold_word, split
from services.social.domain.watch.tree import And, Field, Near, Node, Not, Or, Phrase, Word

_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
_HOST = re.compile(r"(?:https?://|www\.)(?:www\.)?([\w.-]+)", re.IGNORECASE)
_BREAK: Final = "\n"  # stands between title and text so that no phrase spans them; no word equals it
_PREFIX_KEY = 3  # beginnings are found by their first three letters


@dataclass(frozen=True, slots=True)
class Post:
    """What a watch may ask of a mention. `tone` is empty until known; `source` is the kind of source."""

    text: str
    title: str = ""
    author: str = ""
    language: str = ""
    source: str = ""
    followers: int = 0
    tone: str = ""
    url: str = ""


class View:
    """A post cut into words once, for all watches."""

    __slots__ = ("places", "post", "signed", "written")

    def __init__(self, post: Post) -> None:
        self.post = post
        written = split(post.text)
        if post.title:
            written = [*split(post.title), _BREAK, *written]
        self.written = written
        places: dict[str, list[int]] = {}
        signed: dict[str, list[int]] = {}
        for place, word in enumerate(written):
            folded = fold_word(word)
            if folded[0] in "#@":
                signed.setdefault(folded, []).append(place)
                folded = folded[1:] or folded
            places.setdefault(folded, []).append(place)
        self.places = places
        self.signed = signed

    def of(self, word: str) -> list[int]:
        """Places of a word; with a sign only where the post has it too, without one with or without."""
        return (self.signed if word[0] in "#@" else self.places).get(word, [])

    def hosts(self) -> list[str]:
        """Hosts of the links in the post and of its own address."""
        return [fold(host) for host in _HOST.findall(f"{self.post.url} {self.post.text}")]


# Places of the words that made it match (none for a field), or None where it does not match.
_Test = Callable[[View], "list[int] | None"]
_Spans = Callable[[View], "list[tuple[int, int]]"]


class Matcher:
    """A compiled query."""

    def __init__(self, tree: Node) -> None:
        self._test = _compile(tree)
        self.anchors = _anchors(tree)

    def match(self, post: Post | View) -> tuple[str, ...] | None:
        """The words of the post, as written, that matched (empty where only fields did), or None."""
        view = post if isinstance(post, View) else View(post)
        places = self._test(view)
        if places is None:
            return None
        return tuple(dict.fromkeys(view.written[place] for place in sorted(places)))


class WatchSet:
    """Many watches matched at once: cost grows with the watches that could match, not with all."""

    def __init__(self, trees: Mapping[str, Node]) -> None:
        self._matchers = {watch_id: Matcher(tree) for watch_id, tree in trees.items()}
        self._always: list[str] = []
        self._by_word: dict[str, list[str]] = {}
        self._by_prefix: dict[str, list[str]] = {}
        for watch_id, matcher in self._matchers.items():
            if matcher.anchors is None:
                self._always.append(watch_id)
            for word, prefix in matcher.anchors or ():
                if not prefix:
                    self._by_word.setdefault(word, []).append(watch_id)
                elif len(word) < _PREFIX_KEY:
                    self._always.append(watch_id)
                else:
                    self._by_prefix.setdefault(word[:_PREFIX_KEY], []).append(watch_id)

    def match(self, post: Post) -> dict[str, tuple[str, ...]]:
        """Matched words by the id of each watch the post belongs to."""
        view = View(post)
        candidates = set(self._always)
        by_word, by_prefix = self._by_word, self._by_prefix
        for word in (view.places.keys() & by_word.keys()) | (view.signed.keys() & by_word.keys()):
            candidates.update(by_word[word])
        if by_prefix:
            for word in view.places:
                candidates.update(by_prefix.get(word[:_PREFIX_KEY], ()))
            for word in view.signed:
                candidates.update(by_prefix.get(word[:_PREFIX_KEY], ()))
        found: dict[str, tuple[str, ...]] = {}
        for watch_id in candidates:
            matched = self._matchers[watch_id].match(view)
            if matched is not None:
                found[watch_id] = matched
        return found


def _anchors(node: Node) -> frozenset[tuple[str, bool]] | None:
    """Words of which at least one must be there for a match; None where no such set exists."""
    match node:
        case Word(text, prefix=prefix):
            return frozenset({(text, prefix)})
        case Phrase(phrase):
            return frozenset({(max(phrase, key=len), False)})
        case Near(left, right):
            return _rarest([_anchors(left), _anchors(right)])
        case And(parts):
            return _rarest([_anchors(part) for part in parts])
        case Or(parts):
            found = [_anchors(part) for part in parts]
            return frozenset().union(*(one for one in found if one is not None)) if None not in found else None
        case Not() | Field():
            return None


def _rarest(sets: list[frozenset[tuple[str, bool]] | None]) -> frozenset[tuple[str, bool]] | None:
    known = [one for one in sets if one is not None]
    return min(
        known, key=lambda one: (any(prefix for _, prefix in one), len(one), -max(len(w) for w, _ in one)), default=None
    )


def _compile(node: Node) -> _Test:
    match node:
        case Word() | Phrase():
            spans = _spans(node)
            return lambda view: [place for start, end in spans(view) for place in range(start, end)] or None
        case Near(left, right, distance):
            return _near(_spans(left), _spans(right), distance)
        case Field():
            test = _field(node)
            return lambda view: [] if test(view) else None
        case Not(part):
            inner = _compile(part)
            return lambda view: [] if inner(view) is None else None
        case And(parts):
            return _all([_compile(part) for part in parts])
        case Or(parts):
            return _any([_compile(part) for part in parts])


def _all(tests: list[_Test]) -> _Test:
    def test(view: View) -> list[int] | None:
        places: list[int] = []
        for one in tests:
            found = one(view)
            if found is None:
                return None
            places += found
        return places

    return test


def _any(tests: list[_Test]) -> _Test:
    def test(view: View) -> list[int] | None:
        found = [places for one in tests if (places := one(view)) is not None]
        return [place for places in found for place in places] if found else None

    return test


def _spans(node: Node) -> _Spans:
    """Start and end (exclusive) of each occurrence of a word, phrase or alternative of them."""
    match node:
        case Word(text, prefix=True):
            return lambda view: [
                (place, place + 1)
                for word, places in (view.signed if text[0] in "#@" else view.places).items()
                if word.startswith(text)
                for place in places
            ]
        case Word(text):
            return lambda view: [(place, place + 1) for place in view.of(text)]
        case Phrase(phrase):
            return lambda view: _phrase_spans(view, phrase)
        case Or(parts):
            alternatives = [_spans(part) for part in parts]
            return lambda view: [span for one in alternatives for span in one(view)]
        case _:
            return lambda _view: []


def _phrase_spans(view: View, phrase: tuple[str, ...]) -> list[tuple[int, int]]:
    rest = [set(view.of(word)) for word in phrase[1:]]
    return [
        (start, start + len(phrase))
        for start in view.of(phrase[0])
        if all(start + offset in places for offset, places in enumerate(rest, 1))
    ]


def _near(left: _Spans, right: _Spans, distance: int) -> _Test:
    def test(view: View) -> list[int] | None:
        ends = right(view)
        if not ends:
            return None
        places: list[int] = []
        for start, end in left(view):
            for other_start, other_end in ends:
                gap = other_start - end if other_start >= end else start - other_end
                if 0 <= gap <= distance and _BREAK not in view.written[min(start, other_start) : max(end, other_end)]:
                    places += [*range(start, end), *range(other_start, other_end)]
        return places or None

    return test


def _field(field: Field) -> Callable[[View], bool]:
    value = field.value
    match field.name:
        case "author":
            return lambda view: fold(view.post.author).lstrip("@") == value
        case "lang":
            return lambda view: fold(view.post.language).partition("-")[0] == value
        case "source":
            return lambda view: fold(view.post.source) == value
        case "tone":
            return lambda view: fold(view.post.tone) == value
        case "has":
            return lambda view: _LINK.search(view.post.text) is not None
        case "site":
            return lambda view: any(host == value or host.endswith("." + value) for host in view.hosts())
        case _:
            return _followers(field.sign, int(value))


def _followers(sign: str, bound: int) -> Callable[[View], bool]:
    match sign:
        case ">":
            return lambda view: view.post.followers > bound
        case "<":
            return lambda view: view.post.followers < bound
        case "<=":
            return lambda view: view.post.followers <= bound
        case "=":
            return lambda view: view.post.followers == bound
        case _:
            return lambda view: view.post.followers >= bound
