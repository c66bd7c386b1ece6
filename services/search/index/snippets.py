"""The passage of a document that answers a query, its words marked. Everything else in it is escaped."""

from __future__ import annotations

import html
from dataclasses import dataclass, field

from services.search.domain import codes, words
from services.search.domain.document import Document
from services.search.domain.query import And, Near, Node, Or, Phrase, Prefix, Scoped, Word
from services.search.index.analysis import Analysis, Typos, whole_text

_LENGTH = 220
_FIRST_LOOK = 16_000  # characters marked before looking further
_BEFORE = 60


@dataclass(slots=True)
class Marks:
    """What to mark: words as they stand, stems by language, beginnings, codes."""

    exact: set[str] = field(default_factory=set)
    stems: dict[str, set[str]] = field(default_factory=dict)
    prefixes: list[str] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)


def marks_of(node: Node, analysis: Analysis, typos: Typos, *, with_typos: bool) -> Marks:
    """The words a query seeks, those it excludes left out."""
    marks = Marks()
    _gather(node, marks, analysis, typos if with_typos else None)
    return marks


def _gather(node: Node, marks: Marks, analysis: Analysis, typos: Typos | None) -> None:
    if isinstance(node, And | Or):
        for child in node.nodes:
            _gather(child, marks, analysis, typos)
    elif isinstance(node, Scoped):
        _gather(node.node, marks, analysis, typos)
    elif isinstance(node, Prefix):
        marks.prefixes.append(node.text)
    elif isinstance(node, Phrase):
        marks.exact.update(words.split(node.text))
    elif isinstance(node, Near):
        for side in (node.left, node.right):
            _gather(Word(side), marks, analysis, None)
    elif isinstance(node, Word):
        _gather_word(node.text, marks, analysis, typos)


def _gather_word(text: str, marks: Marks, analysis: Analysis, typos: Typos | None) -> None:
    if codes.looks_like_code(text):
        marks.codes.update(codes.forms(text))
        if phone := codes.phone_form(text):
            marks.codes.add(phone)
    parts = words.split(text)
    for part in [part for part in parts if len(part) > 1] or parts:
        _add_forms(part, marks, analysis)
        for variant in typos.of(part) if typos is not None else ():
            if variant.is_correction:
                _add_forms(variant.text, marks, analysis)
            else:
                marks.exact.add(variant.text)


def _add_forms(word: str, marks: Marks, analysis: Analysis) -> None:
    marks.exact.add(word)
    for language, stem in analysis.stems(word):
        marks.stems.setdefault(language, set()).add(stem)


class Marker:
    """Marks documents for one query; what a word turned out to be is remembered."""

    def __init__(self, marks: Marks, analysis: Analysis) -> None:
        self._marks, self._analysis = marks, analysis
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def snippet(self, document: Document) -> str:
        """About 220 characters of escaped HTML with `<mark>`: where most of the words are, else the beginning."""
        text = document.text
        whole = words.composed(whole_text(document.title, text))
        languages = self._analysis.languages_of(document, whole.split(), len(whole))
        found = self._places(text[:_FIRST_LOOK], languages)
        if not found and len(text) > _FIRST_LOOK:
            found = self._places(text, languages)
        if not found:
            for other in (document.files, document.title, document.sender):
                if other and (places := self._places(other, languages)):
                    text, found = other, places
                    break
        start, end = _window(text, found)
        return _render(text, start, end, found)

    def _places(self, text: str, languages: tuple[str, ...]) -> list[tuple[int, int, str]]:
        """Start, end and which word, in order, not overlapping."""
        found: list[tuple[int, int, str]] = []
        covered = 0
        runs = self._code_places(text) if self._marks.codes else []
        known = self._known.setdefault(languages, {})
        for match in words.matches(text):
            name = known.get(typed := match[0])
            if name is None:
                name = known[typed] = self._look_up(languages, words.fold(words.composed(typed)))
            if not name and not runs:
                continue
            start, end = match.span()
            while runs and runs[0][0] <= start:
                run = runs.pop(0)
                if run[0] >= covered:
                    found.append(run)
                    covered = run[1]
            if name and start >= covered:
                found.append((start, end, name))
        return sorted(found)

    def _code_places(self, text: str) -> list[tuple[int, int, str]]:
        wanted = self._marks.codes
        runs = [
            (begin, end, text[begin:end])
            for begin, end in codes.places(text)
            if wanted.intersection(codes.forms(text[begin:end]))
        ]
        phones = [(*match.span(), "p:") for match in codes.PHONE.finditer(text) if codes.phone_form(match[0]) in wanted]
        return sorted(runs + phones)

    def _look_up(self, languages: tuple[str, ...], word: str) -> str:
        marks = self._marks
        if word in marks.exact or word in marks.codes:
            return word
        for prefix in marks.prefixes:
            if word.startswith(prefix):
                return prefix
        for language in languages:
            wanted = marks.stems.get(language)
            if wanted and (stem := self._analysis.stem(language, word)) in wanted:
                return stem
        return ""


def _window(text: str, found: list[tuple[int, int, str]]) -> tuple[int, int]:
    """The stretch with most different words; its ends fall between words."""
    if len(text) <= _LENGTH:
        return 0, len(text)
    best, best_start = 0, 0
    for index, (start, _, _) in enumerate(found[:200]):
        names = {name for at, _, name in found[index : index + 30] if at < start + _LENGTH - _BEFORE}
        if len(names) > best:
            best, best_start = len(names), start
    begin = max(0, best_start - _BEFORE)
    if begin:
        space = text.find(" ", begin, best_start)
        begin = space + 1 if space >= 0 else begin
    end = min(len(text), begin + _LENGTH)
    if end < len(text):
        space = text.rfind(" ", begin + _LENGTH // 2, end)
        end = space if space > 0 else end
    return begin, end


def _render(text: str, start: int, end: int, found: list[tuple[int, int, str]]) -> str:
    parts = ["…"] if start else []
    place = start
    for begin, stop, _ in found:
        if begin < start or stop > end:
            continue
        parts.extend((html.escape(text[place:begin]), "<mark>", html.escape(text[begin:stop]), "</mark>"))
        place = stop
    parts.append(html.escape(text[place:end]))
    if end < len(text):
        parts.append("…")
    return " ".join("".join(parts).replace("</mark> <mark>", " ").split())
