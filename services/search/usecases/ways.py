"""Ways out of an empty result, each with the exact count of what it leads to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.search.domain import words
from services.search.domain.query import Asked, Reader, parse
from services.search.domain.query.tree import all_of
from services.search.ports import Index, Plan
from services.search.usecases.resolve import resolve

_DATES = frozenset({"before", "after", "on", "last", "created", "solved"})
_MOST_WORDS = 12


@dataclass(frozen=True, slots=True)
class Way:
    """`label` is did_you_mean, without_rarest, any_word, all_dates or include_spam."""

    label: str
    query: str
    count: int


def ways_out(index: Index, query: str, asked: Asked, plan: Plan, reader: Reader) -> tuple[Way, ...]:
    """Those that lead somewhere, for the same caller and the same chosen facets."""
    candidates = (
        ("did_you_mean", _corrected(index, query, asked)),
        ("without_rarest", _without_rarest(index, asked)),
        ("any_word", _any_word(asked)),
        ("all_dates", _all_dates(query, asked, reader)),
        ("include_spam", f"{query.strip()} is:any" if query.strip() and not plan.spam else ""),
    )
    found = []
    for label, other in candidates:
        if other and other != query:
            count = _count(index, other, plan, reader)
            if count:
                found.append(Way(label, other, count))
    return tuple(found)


def _count(index: Index, query: str, plan: Plan, reader: Reader) -> int:
    asked = parse(query, reader)
    node, _ = resolve(index, asked.node, plan.scope, reader.language)
    spam = plan.spam or bool(asked.fields & {"state", "is"})
    return index.count(replace(plan, node=all_of([node]), spam=spam, after=None))


def _corrected(index: Index, query: str, asked: Asked) -> str:
    corrected = query
    for text in asked.words[:_MOST_WORDS]:
        parts = words.split(text)
        if len(parts) == 1 and not index.frequency(parts[0]):
            better = index.corrections(parts[0])
            if better:
                corrected = corrected.replace(text, better[0][0], 1)
    return corrected


def _without_rarest(index: Index, asked: Asked) -> str:
    texts = asked.words[:_MOST_WORDS]
    if len(texts) < 2:
        return ""
    rarest = min(texts, key=index.frequency)
    return next((chip.without for chip in asked.chips if chip.value == rarest and not chip.field), "")


def _any_word(asked: Asked) -> str:
    texts = asked.words[:_MOST_WORDS]
    if len(texts) < 2:
        return ""
    fields = [chip.text for chip in asked.chips if chip.field and not chip.ignored]
    options = " OR ".join(f'"{text}"' if " " in text else text for text in texts)
    return " ".join([f"({options})", *fields])


def _all_dates(query: str, asked: Asked, reader: Reader) -> str:
    """The query less its dates: chips are taken away one after the other, as each changes the places of the rest."""
    rest = query
    for _ in asked.chips:
        dated = next((chip for chip in parse(rest, reader).chips if chip.field in _DATES and not chip.ignored), None)
        if dated is None:
            break
        rest = dated.without
    return rest if rest != query else ""
