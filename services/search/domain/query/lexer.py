"""Cuts a query into tokens; any text has a reading, and each token knows where it stood."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENING = {'"': '"', "“": "”", "„": "“", "«": "»", "”": "”"}
_FIELD = re.compile(r"([^\W\d_][\w-]{0,23}):(?=\S)")  # a name of letters, a colon, and something after it
_NEAR = re.compile(r"(?:NEAR|VICINO)(?:/(\d{1,3}))?(?=[\s(\"]|$)")
_PLAIN = frozenset({"http", "https", "mailto", "tel", "ftp", "re", "fw", "fwd", "aw", "r", "i", "rif"})
_OPERATORS = {
    "OR": "or", "OPPURE": "or", "ODER": "or", "OU": "or", "|": "or", "||": "or", "AND": "and", "&": "and", "&&": "and",
    "NOT": "not", "NON": "not", "NICHT": "not",
}  # fmt: skip
_PHONE = re.compile(r"\+\(?\d[\d ().\-/]{6,20}\d(?![\w@])")  # with its country code, as people space it
_STOPS = frozenset(" \t\r\n()")
DEFAULT_NEAR = 5


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is word, phrase, field, open, close, or, and, not, near; `text` its content, `value` a field's."""

    kind: str
    text: str
    start: int
    end: int
    value: str = ""
    quoted: bool = False
    unclosed: bool = False


def tokens(text: str) -> list[Token]:
    """All tokens of `text`, left to right. Linear in its length."""
    found: list[Token] = []
    place = 0
    while place < len(text):
        letter = text[place]
        if letter.isspace():
            place += 1
            continue
        token = _token(text, place, letter)
        found.append(token)
        place = token.end
    return found


def _token(text: str, place: int, letter: str) -> Token:
    if letter in "()":
        return Token("open" if letter == "(" else "close", letter, place, place + 1)
    if letter in "-!" and place + 1 < len(text) and text[place + 1] not in " \t\r\n)-" and _at_start(text, place):
        return Token("not", letter, place, place + 1)
    if letter in _OPENING:
        return _phrase(text, place, letter)
    if near := _NEAR.match(text, place):
        distance = near[1] or str(DEFAULT_NEAR)
        return Token("near", distance, place, near.end())
    if (field := _FIELD.match(text, place)) and field[1].lower() not in _PLAIN:
        return _field(text, place, field)
    if letter == "+" and (phone := _PHONE.match(text, place)):
        return Token("word", phone[0], place, phone.end())
    end = _run(text, place)
    run = text[place:end]
    if operator := _OPERATORS.get(run):
        return Token(operator, run, place, end)
    return Token("word", run, place, end)


def _at_start(text: str, place: int) -> bool:
    return place == 0 or text[place - 1] in " \t\r\n("


def _run(text: str, place: int) -> int:
    end = place
    while (
        end < len(text)
        and text[end] not in _STOPS
        and not text[end].isspace()
        and not (text[end] in _OPENING and end > place)
    ):
        end += 1
    return max(end, place + 1)


def _phrase(text: str, place: int, letter: str) -> Token:
    close = text.find(_OPENING[letter], place + 1)
    if close < 0 and letter != '"':
        close = text.find('"', place + 1)
    if close < 0:
        return Token("phrase", text[place + 1 :], place, len(text), unclosed=True)
    return Token("phrase", text[place + 1 : close], place, close + 1)


def _field(text: str, place: int, match: re.Match[str]) -> Token:
    start = match.end()
    if text[start] in _OPENING:
        inner = _phrase(text, start, text[start])
        return Token("field", match[1], place, inner.end, inner.text, quoted=True, unclosed=inner.unclosed)
    if text[start] == "(":
        close = text.find(")", start)
        end = len(text) if close < 0 else close
        parts = [part for part in text[start + 1 : end].split() if part.upper() not in _OPERATORS]
        return Token("field", match[1], place, min(end + 1, len(text)), "|".join(parts))
    end = _run(text, start)
    return Token("field", match[1], place, end, text[start:end])
