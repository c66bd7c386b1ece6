"""Reads a query into its tree. Bounded in length and nesting, so that no query can exhaust the stack.

query   = all ("OR" all)*
all     = one (["AND"] one)*
one     = ("NOT" | "-") one | near
near    = atom ("NEAR/"n atom)*
atom    = "(" query ")" | '"' phrase '"' | field ":" value | word | beginning "*"
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from services.kit.errors import Invalid
from services.social.domain.text import fold, words
from services.social.domain.watch.tree import And, Fault, Field, Near, Node, Not, Or, Phrase, Word

LONGEST_QUERY = 2000
DEEPEST_NESTING = 50
FIELDS = ("author", "lang", "source", "followers", "tone", "site", "has")
TONES = ("negative", "neutral", "positive")
WIDEST_NEAR = 50

# One token: bracket, phrase, minus sign, NEAR/n, a field with its value (maybe quoted), or anything up to a blank.
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<open>\() | (?P<close>\)) | "(?P<phrase>[^"]*)(?P<end>"|$) | (?P<minus>-)(?=[\w"(\#@])
      | (?P<near>NEAR(?:/(?P<distance>\d{1,3}))?)(?![\w:*]) | (?P<operator>AND|OR|NOT)(?![\w:*])
      | (?P<field>[A-Za-z]+):(?!//)(?P<value>"[^"]*"|[^\s()"]*) | (?P<word>[^\s()"]+)""",
    re.VERBOSE,
)
_NUMBER_VALUE = re.compile(r"(>=|<=|>|<|=)?(\d{1,12})([kKmM]?)$")
_LANGUAGE = re.compile(r"[a-z]{2,3}$")


class BadQuery(Invalid):
    """The query cannot be read; `fault` says where and what to write instead."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.message} {fault.hint}".strip(), field="query")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int
    value: str = ""


def parse(query: str) -> Node:
    """The tree of a query.

    Raises:
        BadQuery: it is empty, too long, too deep, unbalanced, or names an unknown field; nothing else is ever raised.
    """
    if len(query) > LONGEST_QUERY:
        raise _bad(
            LONGEST_QUERY, "The query is too long.", f"Keep it under {LONGEST_QUERY} characters, or make two watches."
        )
    reader = _Reader(_tokens(query), len(query))
    if reader.at_end():
        raise _bad(0, "The query is empty.", "Write the name of your shop, for example.")
    tree = reader.any_of(0)
    if not reader.at_end():
        raise _bad(reader.position(), "A bracket closes that was never opened.", "Remove it, or open one before.")
    return tree


def _bad(position: int, message: str, hint: str) -> BadQuery:
    return BadQuery(Fault(position, message, hint, blocking=True))


def _tokens(query: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(query):
        kind, at = match.lastgroup or "", match.start()
        if kind == "space":
            continue
        if match["phrase"] is not None:
            if not match["end"]:
                raise _bad(at, "A quotation mark is not closed.", 'Close it: "like this".')
            found.append(_Token("phrase", match["phrase"], at))
        elif match["near"]:
            found.append(_Token("near", match["distance"] or "10", at))
        elif match["field"]:
            found.append(_Token("field", match["field"].lower(), at, match["value"].strip('"')))
        elif match["operator"]:
            found.append(_Token(match["operator"], "", at))
        else:
            found.append(_Token(kind, match.group(), at))
    return found


class _Reader:
    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = tokens
        self._length = length
        self._at = 0

    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def position(self) -> int:
        return self._length if self.at_end() else self._tokens[self._at].position

    def _kind(self) -> str:
        return "" if self.at_end() else self._tokens[self._at].kind

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def any_of(self, depth: int) -> Node:
        if depth > DEEPEST_NESTING:
            raise _bad(self.position(), "Brackets are nested too deep.", f"At most {DEEPEST_NESTING} levels.")
        parts = [self._all_of(depth)]
        while self._kind() == "OR":
            self._take()
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else Or(_flat(parts, Or))

    def _all_of(self, depth: int) -> Node:
        parts = [self._one(depth)]
        while self._kind() not in ("", "OR", "close"):
            if self._kind() == "AND":
                self._take()
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else And(_flat(parts, And))

    def _one(self, depth: int) -> Node:
        turned = False
        while self._kind() in ("NOT", "minus"):
            self._take()
            turned = not turned
        part = self._near(depth)
        if not turned:
            return part
        return part.part if isinstance(part, Not) else Not(part)

    def _near(self, depth: int) -> Node:
        left = self._atom(depth)
        chained: Node | None = None
        while self._kind() == "near":
            token = self._take()
            distance = int(token.text)
            if not 0 < distance <= WIDEST_NEAR:
                raise _bad(token.position, "NEAR needs a distance in words.", f"Write NEAR/1 to NEAR/{WIDEST_NEAR}.")
            right = self._atom(depth)
            for side in (left, right):
                if not _has_places(side):
                    raise _bad(
                        token.position,
                        "NEAR joins words and phrases only.",
                        'For example: late NEAR/5 ("my order" OR parcel).',
                    )
            pair = Near(left, right, distance, token.position)
            chained = pair if chained is None else And(_flat([chained, pair], And))
            left = right
        return left if chained is None else chained

    def _atom(self, depth: int) -> Node:
        if self.at_end():
            raise _bad(
                self._length, "The query ends where a word is expected.", "Add a word, or remove the last operator."
            )
        token = self._take()
        if token.kind == "open":
            inner = self.any_of(depth + 1)
            if self._kind() != "close":
                raise _bad(token.position, "A bracket is not closed.", "Add “)”.")
            self._take()
            return inner
        if token.kind == "phrase":
            return _phrase(token)
        if token.kind == "field":
            return _field(token)
        if token.kind == "word":
            return _word(token)
        raise _bad(
            token.position, "A word is expected here.", "Two operators stand side by side, or brackets are empty."
        )


def _flat(parts: list[Node], kind: type[And | Or]) -> tuple[Node, ...]:
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, And | Or) and isinstance(part, kind) else (part,))
    return tuple(flat)


def _has_places(node: Node) -> bool:
    return isinstance(node, Word | Phrase) or (isinstance(node, Or) and all(map(_has_places, node.parts)))


def _phrase(token: _Token) -> Node:
    found = words(token.text)
    if not found:
        raise _bad(token.position, "The quotation marks hold no word.", "Write at least one word between them.")
    if len(found) == 1:
        return Word(found[0], token.text.strip(), token.position)
    return Phrase(tuple(found), " ".join(token.text.split()), token.position)


def _word(token: _Token) -> Node:
    prefix = token.text.endswith("*")
    found = words(token.text)
    if not found:
        raise _bad(token.position, f"“{token.text}” holds no letter or digit.", "Remove it, or write a word.")
    if "*" in token.text.rstrip("*"):
        raise _bad(token.position, "A star may only end a word.", "Write the beginning of the word: deliver*")
    if len(found) > 1:  # l'ordine, e-mail: words in a row
        if prefix:
            raise _bad(token.position, "A star needs a single word before it.", "Split it into two words.")
        return Phrase(tuple(found), token.text, token.position)
    return Word(found[0], token.text.rstrip("*"), token.position, prefix)


def _field(token: _Token) -> Field:
    name, value, at = token.text, token.value.strip(), token.position
    if name not in FIELDS:
        close = difflib.get_close_matches(name, FIELDS, 1)
        known = f"Did you mean {close[0]}:?" if close else "Fields: " + ", ".join(f"{field}:" for field in FIELDS) + "."
        raise _bad(at, f"There is no field “{name}:”.", known)
    if not value:
        raise _bad(at, f"“{name}:” needs a value.", "Write it right after the colon, without a blank.")
    if name == "followers":
        match = _NUMBER_VALUE.match(value)
        if match is None:
            raise _bad(at, "followers: needs a number.", "For example followers:>5000 or followers:>10k.")
        scale = {"": 1, "k": 1_000, "m": 1_000_000}[match[3].lower()]
        return Field(name, str(int(match[2]) * scale), match[1] or ">=", at)
    folded = fold(value)
    if name == "tone" and folded not in TONES:
        raise _bad(at, f"There is no tone “{value}”.", "Write tone:negative, tone:neutral or tone:positive.")
    if name == "lang" and not _LANGUAGE.match(folded):
        raise _bad(at, f"“{value}” is no language code.", "Write lang:it, lang:en and so on.")
    if name == "has" and folded not in ("link", "links"):
        raise _bad(at, f"“has:{value}” is unknown.", "Write has:link.")
    if name == "has":
        folded = "link"
    elif name == "author":
        folded = folded.lstrip("@")
    elif name == "site":
        folded = re.sub(r"^https?://|^www\.|/.*$", "", folded)
    if not folded:
        raise _bad(at, f"“{name}:” needs a value.", "Write it right after the colon.")
    return Field(name, folded, "", at)
