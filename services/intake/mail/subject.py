"""The subject line: what it is about once prefixes are off, and the ticket mark in it."""

# ruff: noqa: RUF001 (words of the customers' languages stand in their own letters)

from __future__ import annotations

import re

# Reply and forward prefixes of the clients in use; "R" and "I" are Italian, "Antw" Dutch and German, "SV" Nordic.
REPLIES = ("re", "aw", "antw", "antwort", "sv", "vs", "rif", "r", "odp", "ynt", "res", "ref", "отв", "ответ", "回复", "答复", "回覆", "返信", "回信", "r\u00e9p")  # fmt: skip
FORWARDS = ("fwd", "fw", "wg", "tr", "rv", "pd", "enc", "i", "inoltra", "doorst", "vl", "i\u0307lt", "ilt", "ılt", "пер", "пересл", "转发", "轉寄", "転送", "wtrlt")  # fmt: skip
_PREFIX = re.compile(
    rf"\s*(?:\[(?:ext|external|extern|esterno|externe|externo|spam|\*+spam\*+|suspected spam)\]|({'|'.join(REPLIES)}|{'|'.join(FORWARDS)})\s?(?:\[\d{{1,3}}\]|\(\d{{1,3}}\)|\*\d{{1,3}})?\s?[:：])\s*",
    re.IGNORECASE,
)
_MARK = re.compile(r"\[#(\d{1,12})\]")
_SPACE = re.compile(r"\s+")


def tidy(subject: str) -> str:
    """One line without control characters or direction overrides."""
    if subject.isprintable() and "  " not in subject:
        return subject.strip()
    return _SPACE.sub(" ", "".join(" " if ch.isspace() else ch for ch in subject if ch.isprintable() or ch.isspace())).strip()  # fmt: skip


def base(subject: str) -> str:
    """The subject without reply prefixes, forward prefixes, external tags and ticket marks."""
    rest = _MARK.sub(" ", subject)
    at = 0
    while match := _PREFIX.match(rest, at):
        if match.end() == at:
            break
        at = match.end()
    return _SPACE.sub(" ", rest[at:]).strip()


def number(subject: str) -> int:
    """The number of the first ticket mark, 0 when there is none."""
    match = _MARK.search(subject)
    return int(match.group(1)) if match else 0


def is_forward(subject: str) -> bool:
    """Whether the outermost prefix says that a mail was passed on rather than answered."""
    at = 0
    while match := _PREFIX.match(subject, at):
        word = match.group(1)
        if word is not None:
            return word.lower() in FORWARDS
        if match.end() == at:
            break
        at = match.end()
    return False


def with_mark(subject: str, ticket_number: int) -> str:
    """The subject of an answer: prefix `Re:` and the ticket's mark, each once."""
    plain = base(tidy(subject)) or "…"
    return f"Re: [#{ticket_number}] {plain}" if ticket_number else f"Re: {plain}"
