"""Completes what is being typed: names of fields, then their values with counts."""

from __future__ import annotations

from dataclasses import dataclass

from services.kit import log
from services.kit.errors import Unavailable
from services.kit.principal import Person
from services.search.domain import words
from services.search.domain.query import EMPTY
from services.search.domain.query.fields import FIELDS, Field, find
from services.search.ports import IndexDamaged, Plan
from services.search.usecases.find import scope_of
from services.search.usecases.generations import Generations

_MOST = 12
_LOOKED_AT = 200
_FIELD_OF = {"is": "state"}
_log = log.logger("search")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`insert` replaces the word the caret is in; `count` is 0 for fields."""

    insert: str
    label: str
    count: int = 0


def suggest(generations: Generations, text: str, caret: int, *, person: Person, language: str) -> list[Suggestion]:
    """At most twelve completions of the word at `caret`, commonest first."""
    before = text[: max(0, min(caret, len(text)))]
    token = before.split(" ")[-1].lstrip("-(") if before and not before.endswith(" ") else ""
    name, colon, value = token.partition(":")
    field = find(name) if colon else None
    if field is not None:
        return _values(generations, field, name, value, person)
    return _fields(name, italian=language.lower().startswith("it")) if not colon else []


def _fields(begun: str, *, italian: bool) -> list[Suggestion]:
    if not begun:
        return []
    found = []
    for field in FIELDS:
        shown = field.aliases[0] if italian and field.aliases else field.name
        if any(name.startswith(begun.lower()) for name in (field.name, *field.aliases)):
            found.append(Suggestion(f"{shown}:", f"{shown}:"))
    return found[:_MOST]


def _values(generations: Generations, field: Field, name: str, value: str, person: Person) -> list[Suggestion]:
    begun = words.fold(value.rsplit("|", maxsplit=1)[-1].strip('"'))
    counts = _counts(generations, field, person)
    if field.kind in {"choice", "sort"}:
        matching = [
            choice
            for choice, others in field.choices
            if any(words.fold(one).startswith(begun) for one in (choice, *others))
        ]
        pairs = [(choice, counts.get(choice, 0)) for choice in matching]
    else:
        pairs = [(known, count) for known, count in counts.items() if words.fold(known).startswith(begun)]
    pairs.sort(key=lambda pair: -pair[1])
    return [Suggestion(_written(name, known), known, count) for known, count in pairs[:_MOST]]


def _written(name: str, value: str) -> str:
    return f'{name}:"{value}"' if " " in value else f"{name}:{value}"


def _counts(generations: Generations, field: Field, person: Person) -> dict[str, int]:
    of = _FIELD_OF.get(field.name, field.name)
    if field.kind not in {"exact", "choice"} or of in {"has", "in"}:
        return {}
    index = None
    try:
        generations.open()
        index = generations.live
        if index is None:
            return {}
        return dict(index.values(Plan(EMPTY, scope_of(person), spam=True), of, _LOOKED_AT))
    except IndexDamaged as error:
        if index is not None:
            generations.suspect(index, error)
    except Unavailable as error:  # completions are a help; counts come back with the index
        _log.info("suggest.index_away", reason=error.message)
    return {}
