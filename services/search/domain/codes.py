"""Codes: what people paste rather than write. Order numbers, e-mails, phones and ids, found as typed.

A code is kept in two forms, folded as typed and without punctuation; a phone also by its last nine digits, so that
every way of writing it is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from services.search.domain import words

_MOST = 64
_LONGEST = 96
_REMEMBERED = 256  # runs: a ticket and its first message have the same
_LEAST_DIGITS = 7  # of a phone number
_TELLTALE = re.compile(r"[\d@_]")
_BLANK = re.compile(r"\s")
_EDGES = ".,;:!?()[]{}<>\"'«»“”\u2018\u2019`*…|"
_PUNCTUATION = re.compile(r"[\W_]+")
PHONE = re.compile(r"(?<![\w@])\+?\(?\d[\d ().\-/]{6,20}\d(?![\w@])")  # seven digits and more, as people space them
_EMAIL = re.compile(r"[^\s@<>\"',;:]+@[^\s@<>\"',;:]+\.[^\s@<>\"',;:.]{2,}")
_ORDER = re.compile(r"#?[A-Za-z]{0,8}[-_/#.]?\d[\w./#-]{2,}")
_NUMBER = re.compile(r"#(\d{1,15})|(?:tkt|ticket|n[.°]?)\s*#?(\d{1,15})", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"\d{1,9}")


def tells(run: str) -> bool:
    """Whether a run without blanks holds what makes it a code: a digit, an at-sign or an underscore."""
    return _TELLTALE.search(run) is not None


def extract(text: str, runs: Sequence[str], telling: Sequence[str]) -> list[str]:
    """The codes of a text, at most 64, in the forms they are kept in.

    `runs` is the text split at its blanks, `telling` are those of them that tell, each once.
    """
    found: dict[str, None] = {}
    for run in telling:
        found.update(dict.fromkeys(forms(run)))
        if len(found) >= _MOST:
            break
    if len(telling) >= _LEAST_DIGITS or sum(_digits(run) * runs.count(run) for run in telling) >= _LEAST_DIGITS:
        for match in PHONE.findall(text):
            if phone := phone_form(match):
                found[phone] = None
    return list(found)[: _MOST + 16]


def _digits(run: str) -> int:
    return sum(map(str.isdigit, run))


def places(text: str) -> Iterator[tuple[int, int]]:
    """Where runs without blanks begin and end that hold a digit, an at-sign or an underscore.

    Looks for the telltale and then around it: a pattern for the whole run tries again at each letter of each word.
    """
    end = 0
    while telltale := _TELLTALE.search(text, end):
        begin = telltale.start()
        while begin > end and not text[begin - 1].isspace():
            begin -= 1
        blank = _BLANK.search(text, telltale.end())
        end = blank.start() if blank else len(text)
        yield begin, end


def forms(run: str) -> tuple[str, ...]:
    """How one run is kept: folded as typed, and bare of punctuation."""
    return _remembered_forms(run) if len(run) <= _LONGEST else _forms(run)


@lru_cache(maxsize=_REMEMBERED)
def _remembered_forms(run: str) -> tuple[str, ...]:
    return _forms(run)


def _forms(run: str) -> tuple[str, ...]:
    typed = words.fold(run.strip(_EDGES).strip("#"))
    if not typed or len(typed) > _LONGEST:
        return ()
    bare = _PUNCTUATION.sub("", typed)
    return (typed, bare) if bare != typed and len(bare) > 1 else (typed,)


def phone_form(text: str) -> str:
    """`p:` and the last nine digits of what may be a phone number, else nothing."""
    digits = "".join(letter for letter in text if letter.isdigit())
    return f"p:{digits[-9:]}" if _LEAST_DIGITS <= len(digits) <= 17 else ""


def looks_like_code(word: str) -> bool:
    """Whether a typed word is better sought as it stands than as words."""
    return bool(_TELLTALE.search(word)) and len(word) > 1


def recognise(text: str) -> tuple[str, str]:
    """What a pasted query is as a whole: ("email" | "phone" | "ticket" | "order" | "", the value)."""
    pasted = text.strip()
    if not pasted or len(pasted) > 120 or "\n" in pasted:
        return "", ""
    if _EMAIL.fullmatch(pasted):
        return "email", pasted.lower()
    if number := _NUMBER.fullmatch(pasted):
        return "ticket", number[1] or number[2]
    if PHONE.fullmatch(pasted) and not _PLAIN_NUMBER.fullmatch(pasted):
        return "phone", pasted
    if _PLAIN_NUMBER.fullmatch(pasted):
        return "ticket", pasted
    if " " not in pasted and _ORDER.fullmatch(pasted):
        return "order", pasted
    return "", ""
