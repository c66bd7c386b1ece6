"""What search shows while there is no index: the newest from the store that hold the words, said to be so."""

from __future__ import annotations

import html
from collections.abc import Sequence

from services.search.domain import words
from services.search.domain.document import Document
from services.search.domain.query import Asked
from services.search.ports import Found, Row

MOST = 200
_LENGTH = 220


def words_of(asked: Asked) -> list[str]:
    """The words a store can be asked for."""
    return list(asked.words)[:10]


def page(documents: Sequence[Document], asked: Asked, *, limit: int, by_ticket: bool) -> Found:
    """One page of them, newest first; the total is a lower bound when the store gave all it may."""
    wanted = {part for text in asked.words for part in words.split(text)}
    rows = [Row(document, snippet_html=_snippet(document.text, wanted)) for document in documents]
    rows.sort(key=lambda row: -row.document.occurred_us)
    total = len(rows)
    if by_ticket:
        rows = _by_ticket(rows)
    return Found(tuple(rows[: max(limit, 1)]), total, lower_bound=total >= MOST)


def _by_ticket(rows: Sequence[Row]) -> list[Row]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.document.ticket_id or row.document.id, []).append(row)
    return [
        Row(group[0].document, 0.0, group[0].snippet_html, max(0, len(group) - 3), tuple(group[:3]))
        for group in groups.values()
    ]


def _snippet(text: str, wanted: set[str]) -> str:
    places = [(start, end) for start, end in words.spans(text[:20_000]) if words.fold(text[start:end]) in wanted]
    first = max(0, places[0][0] - 60) if places else 0
    last = min(len(text), first + _LENGTH)
    parts = ["…"] if first else []
    place = first
    for start, end in places:
        if start >= place and end <= last:
            parts += [html.escape(text[place:start]), "<mark>", html.escape(text[start:end]), "</mark>"]
            place = end
    parts.append(html.escape(text[place:last]))
    if last < len(text):
        parts.append("…")
    return " ".join("".join(parts).split())
