"""Reads a query. Total: every text means something, and what could not be used is said."""

from __future__ import annotations

import re

from services.search.domain import codes, words
from services.search.domain.query import fields, lexer
from services.search.domain.query.lexer import Token
from services.search.domain.query.meaning import Meaning, field_node
from services.search.domain.query.tree import (
    EMPTY,
    And,
    Asked,
    Chip,
    Filter,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Reader,
    Scoped,
    Word,
    all_of,
    any_of,
    rewrite,
)
from services.search.domain.sentences import say

MOST_CHARACTERS = 2000
MOST_NESTING = 50
MOST_TERMS = 40
_MOST_CHIPS = 60
_LEAST_PREFIX = 2
_MOST_NEAR = 50
_LONGEST_WORD = 100
_OPERATORS = "OR|AND|OPPURE"
_DANGLING = re.compile(  # operators with nothing on one side, and empty parentheses
    rf"^(?:{_OPERATORS})\s+|\s+(?:{_OPERATORS}|NOT|NON)$|(?<=\()\s*(?:{_OPERATORS})\s+|\s+(?:{_OPERATORS})\s*(?=\))"
    r"|\(\s*\)|(?<=\()\s+|\s+(?=\))"
)


def parse(text: str, reader: Reader) -> Asked:
    """What `text` asks for. Never raises; longer than 2,000 characters is cut, deeper than 50 is flattened, and said."""
    clean = words.composed(text.encode("utf-8", "replace").decode().replace("\x00", " "))
    notes: list[str] = []
    if len(clean) > MOST_CHARACTERS:
        clean = clean[:MOST_CHARACTERS]
        notes.append(say(reader.language, "long", most=str(MOST_CHARACTERS)))
    return _Parser(clean.strip(), reader, notes).asked()


class _Parser:
    def __init__(self, text: str, reader: Reader, notes: list[str]) -> None:
        self._text, self._reader, self._notes = text, reader, notes
        whole = codes.recognise(text)[0] == "phone"  # spaces belong to a phone number
        self._tokens = [Token("word", text, 0, len(text))] if whole else lexer.tokens(text)
        self._place = 0
        self._depth = 0
        self._terms = 0
        self._chips: list[Chip] = []
        self._sort = ""
        self._parts: list[str] = []
        self._words: list[str] = []
        self._fields: set[str] = set()

    def asked(self) -> Asked:
        """Reads all tokens."""
        nodes: list[Node] = []
        while self._place < len(self._tokens):
            nodes.append(self._choice())
            if self._place < len(self._tokens):  # only a closing parenthesis too many stops a choice
                self._note(self._say("unopened"))
                self._place += 1
        node = all_of(nodes)
        if self._parts:
            node = _in_parts(node, self._parts)
        if self._terms > MOST_TERMS:
            self._note(self._say("many", most=str(MOST_TERMS), rest=str(self._terms - MOST_TERMS)))
        return Asked(
            node=node,
            chips=tuple(self._chips[:_MOST_CHIPS]),
            ignored=tuple(self._notes),
            sort=self._sort,
            words=tuple(self._words),
            fields=frozenset(self._fields),
        )

    def _note(self, sentence: str) -> None:
        if sentence not in self._notes and len(self._notes) < _MOST_CHIPS:
            self._notes.append(sentence)

    def _say(self, sentence: str, **parts: str) -> str:
        return say(self._reader.language, sentence, **parts)

    def _peek(self) -> Token | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _choice(self) -> Node:
        options = [self._all()]
        while (token := self._peek()) and token.kind == "or":
            self._place += 1
            options.append(self._all())
        return any_of([option for option in options if option != EMPTY])

    def _all(self) -> Node:
        nodes: list[Node] = []
        while (token := self._peek()) and token.kind not in {"or", "close"}:
            if token.kind == "and":
                self._place += 1
                continue
            nodes.append(self._near(self._one()))
        return all_of(nodes)

    def _one(self) -> Node:
        negations = 0
        start = self._place
        while (token := self._peek()) and token.kind == "not":
            negations += 1
            self._place += 1
        token = self._peek()
        if token is None or token.kind in {"or", "close", "and"}:
            return EMPTY
        self._place += 1
        begin = self._tokens[start].start
        negated = negations % 2 == 1
        if token.kind == "open":
            node = self._group()
        elif token.kind == "near":
            self._cross(token, self._say("near_alone"), begin)
            node = EMPTY
        else:
            node = self._leaf(token, begin, negated=negated)
        return Not(node) if negated and node != EMPTY else node

    def _group(self) -> Node:
        if self._depth >= MOST_NESTING:
            self._note(self._say("nested", most=str(MOST_NESTING)))
            return EMPTY
        self._depth += 1
        node = self._choice()
        self._depth -= 1
        if (token := self._peek()) and token.kind == "close":
            self._place += 1
        return node

    def _near(self, left: Node) -> Node:
        token = self._peek()
        if token is None or token.kind != "near":
            return left
        self._place += 1
        right = self._one()
        distance = int(token.text)
        if distance > _MOST_NEAR:
            self._note(self._say("near_far", asked=str(distance), most=str(_MOST_NEAR)))
            distance = _MOST_NEAR
        if isinstance(left, Word) and isinstance(right, Word):
            return Near(left.text, right.text, distance)
        if EMPTY in {left, right}:
            self._note(f"NEAR: {self._say('near_alone')}.")
        else:
            self._note(self._say("near_words"))
        return all_of([left, right])

    def _leaf(self, token: Token, begin: int, *, negated: bool) -> Node:
        self._terms += 1
        if self._terms > MOST_TERMS:
            return EMPTY
        if token.kind == "field":
            return self._field(token, begin, negated=negated)
        if token.kind == "phrase":
            if token.unclosed:
                self._note(self._say("unclosed"))
            return self._phrase(token.text, begin, token.end, negated=negated)
        return self._word(token, begin, negated=negated)

    def _phrase(self, text: str, begin: int, end: int, *, negated: bool) -> Node:
        parts = words.split(text)
        if not parts:
            self._chip(begin, end, ignored=True, reason=self._say("empty_phrase"))
            return EMPTY
        if len(parts) > MOST_TERMS:
            self._note(self._say("long_phrase", most=str(MOST_TERMS)))
            text = " ".join(parts[:MOST_TERMS])
        self._chip(begin, end, value=text)
        if not negated:
            self._words.append(text)
        return Phrase(text)

    def _word(self, token: Token, begin: int, *, negated: bool) -> Node:
        text = token.text[:_LONGEST_WORD]
        stripped = text.rstrip("*")
        if text.startswith(("*", "?")) and len(text) > 1:
            self._cross(token, self._say("wildcard"), begin)
            stripped = text.strip("*?")
            text = stripped
        if "~" in stripped:
            self._cross(token, self._say("likeness"), begin)
            text = stripped = stripped.split("~")[0]
        folded = words.split(stripped)
        if not folded:
            if text == token.text:
                self._chip(begin, token.end, ignored=True, reason=self._say("no_letter"))
            return EMPTY
        if text.endswith("*"):
            if len(folded[-1]) < _LEAST_PREFIX:
                self._cross(token, self._say("short_prefix", least=str(_LEAST_PREFIX)), begin)
            elif len(folded) == 1:
                self._chip(begin, token.end, value=stripped + "*")
                return Prefix(folded[0])
        if not any(chip.ignored and chip.text == self._text[begin : token.end] for chip in self._chips[-1:]):
            self._chip(begin, token.end, value=stripped)
        if not negated:
            self._words.append(stripped)
        return Word(stripped)

    def _field(self, token: Token, begin: int, *, negated: bool) -> Node:
        field = fields.find(token.text)
        if field is None:
            return self._unknown_field(token, begin, negated=negated)
        meaning = field_node(field, token.value, self._reader, quoted=token.quoted)
        if meaning.reason:
            self._cross(token, meaning.reason, begin, suggestion=meaning.suggestion, field=field.name)
            if meaning == Meaning(reason=meaning.reason, suggestion=meaning.suggestion):
                return EMPTY
        else:
            self._chip(begin, token.end, field=field.name, value=token.value)
        self._take(meaning, field.name)
        return meaning.node

    def _take(self, meaning: Meaning, name: str) -> None:
        self._fields.add(name)
        self._sort = meaning.sort or self._sort
        self._parts.extend(part for part in meaning.parts if part not in self._parts)

    def _unknown_field(self, token: Token, begin: int, *, negated: bool) -> Node:
        suggestion = fields.nearest(token.text)
        rest = f'"{token.value}"' if token.quoted else token.value
        hint = f"{suggestion}:{rest}" if suggestion else ""
        known = "no_field_but" if suggestion else "no_field"
        reason = self._say(known, name=token.text, other=suggestion)
        self._cross(token, reason, begin, suggestion=hint, note=reason)
        parts = words.split(f"{token.text} {token.value}")[:MOST_TERMS]
        if not negated:
            self._words.extend(parts)
        return all_of([Word(part) for part in parts])

    def _chip(
        self,
        begin: int,
        end: int,
        *,
        field: str = "",
        value: str = "",
        ignored: bool = False,
        reason: str = "",
        suggestion: str = "",
    ) -> None:
        if ignored and reason:
            self._note(f"`{self._text[begin:end]}`: {reason}.".replace("..", "."))
        self._add(Chip(self._text[begin:end], field, value, self._less(begin, end), ignored, reason, suggestion))

    def _cross(
        self, token: Token, reason: str, begin: int, *, suggestion: str = "", field: str = "", note: str = ""
    ) -> None:
        shown = self._text[begin : token.end]
        self._note(note or f"`{shown[:80]}`: {reason}.")
        replaced = f"{self._text[:begin]}{suggestion}{self._text[token.end :]}" if suggestion else ""
        self._add(
            Chip(
                shown,
                field,
                token.value,
                self._less(begin, token.end),
                ignored=True,
                reason=reason,
                suggestion=replaced,
            )
        )

    def _add(self, chip: Chip) -> None:
        if len(self._chips) < _MOST_CHIPS:
            self._chips.append(chip)

    def _less(self, begin: int, end: int) -> str:
        rest = " ".join((self._text[:begin] + " " + self._text[end:]).split())
        for _ in range(MOST_NESTING):  # one taken away may leave another
            tidy = " ".join(_DANGLING.sub("", rest).split())
            if tidy == rest:
                break
            rest = tidy
        return rest


def _in_parts(node: Node, parts: list[str]) -> Node:
    """The words of a query, each sought only in the parts named by `in:`."""

    def narrow(found: Node) -> Node | None:
        if isinstance(found, Word | Phrase | Prefix | Near):
            options: list[Node] = []
            for part in parts:
                if part == "notes":
                    options.append(And((Filter("kind", ("note",)), found)))
                else:
                    options.append(Scoped(part, found))
            return any_of(options)
        return found if isinstance(found, Scoped | Filter) else None

    has_words = any(True for _ in _leaves(node))
    if has_words:
        return rewrite(node, narrow)
    return all_of([node, Filter("kind", ("note",))]) if "notes" in parts else node


def _leaves(node: Node) -> list[Node]:
    if isinstance(node, And | Or):
        return [leaf for child in node.nodes for leaf in _leaves(child)]
    if isinstance(node, Not):
        return _leaves(node.node)
    return [node] if isinstance(node, Word | Phrase | Prefix | Near) else []
