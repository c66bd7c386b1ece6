"""What a field with a value means: a node of the tree, or the reason why it means nothing."""

from __future__ import annotations

from dataclasses import dataclass

from services.search.domain import words
from services.search.domain.query import dates, fields
from services.search.domain.query.fields import Field
from services.search.domain.query.tree import (
    EMPTY,
    Filter,
    Node,
    Phrase,
    Prefix,
    Range,
    Reader,
    Scoped,
    Word,
    all_of,
    any_of,
)
from services.search.domain.sentences import say

UNSOLVED = ("new", "open", "waiting")
_MOST_VALUES = 50
_ME = frozenset({"me", "io", "mine", "@me"})
_NOBODY = frozenset({"none", "nessuno", "nobody", "-"})
_LANGUAGES = {
    "italian": "it", "italiano": "it", "english": "en", "inglese": "en", "german": "de", "tedesco": "de", "deutsch": "de",
    "french": "fr", "francese": "fr", "spanish": "es", "spagnolo": "es", "portuguese": "pt", "portoghese": "pt",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """A node, a sort, parts of documents; `reason` when something was not understood."""

    node: Node = EMPTY
    sort: str = ""
    parts: tuple[str, ...] = ()
    reason: str = ""
    suggestion: str = ""


def field_node(field: Field, value: str, reader: Reader, *, quoted: bool) -> Meaning:
    """What `field:value` asks for."""
    values = [value] if quoted else [part for part in value.split("|") if part][:_MOST_VALUES]
    if not values or not value.strip():
        return Meaning(reason=say(reader.language, "no_value", field=field.name))
    readers = {"words": _words, "exact": _exact, "choice": _choice, "moment": _moment, "span": _span, "sort": _sort}
    return readers[field.kind](field, values, reader)


def _words(field: Field, values: list[str], reader: Reader) -> Meaning:
    nodes: list[Node] = []
    for value in values:
        found = words.split(value)
        if not found:
            continue
        if value.endswith("*") and len(found) == 1 and len(found[0]) > 1:
            nodes.append(Prefix(found[0]))
        elif len(found) > 1:
            nodes.append(Phrase(value))
        else:
            nodes.append(Word(value))
    if not nodes:
        return Meaning(reason=say(reader.language, "no_value", field=field.name))
    return Meaning(Scoped(field.name, any_of(nodes)))


def _exact(field: Field, values: list[str], reader: Reader) -> Meaning:
    if field.name == "agent":
        return _agent(values, reader)
    if field.name == "lang":
        values = [_LANGUAGES.get(value.lower(), value.lower()) for value in values]
    return Meaning(Filter(field.name, tuple(values)))


def _agent(values: list[str], reader: Reader) -> Meaning:
    nodes: list[Node] = []
    for value in values:
        if value.lower() in _ME:
            if not reader.user_id:
                return Meaning(reason=say(reader.language, "no_me"))
            nodes.append(Filter("agent", (reader.user_id,)))
        elif value.lower() in _NOBODY:
            nodes.append(Filter("flag", ("unassigned",)))
        else:
            nodes.append(Filter("agent", (value,)))
    return Meaning(any_of(nodes))


def _choice(field: Field, values: list[str], reader: Reader) -> Meaning:
    chosen: list[str] = []
    reason = suggestion = ""
    for value in values:
        choice = field.choice(value)
        if choice:
            chosen.append(choice)
        elif (field.name, value.lower()) in fields.UNKEPT:
            reason = say(reader.language, fields.UNKEPT[field.name, value.lower()])
        else:
            near = fields.nearest_choice(field, value)
            suggestion = f"{field.name}:{near}" if near else ""
            options = ", ".join(name for name, _ in field.choices)
            known = "no_choice_but" if near else "no_choice"
            reason = say(reader.language, known, value=value[:40], field=field.name, other=near, options=options)
    if not chosen:
        return Meaning(reason=reason, suggestion=suggestion)
    if field.name == "in":
        return Meaning(parts=tuple(chosen), reason=reason)
    if field.name == "is":
        node = any_of([_is(choice, reader) for choice in chosen])
    elif field.name == "has":
        node = any_of([Filter("flag", (choice,)) for choice in chosen])
    else:
        node = Filter(field.name, tuple(chosen))
    return Meaning(node, reason=reason, suggestion=suggestion)


def _is(choice: str, reader: Reader) -> Node:
    if choice in {"open", "unsolved"}:
        return Filter("state", UNSOLVED)
    if choice == "any":  # spam too: nothing is left out
        return EMPTY
    if choice == "late":
        return all_of([Range("due", 1, dates.microseconds(reader.now)), Filter("state", UNSOLVED)])
    if choice == "mine":
        return Filter("agent", (reader.user_id or "nobody",))
    if choice in {"unassigned", "automatic"}:
        return Filter("flag", (choice,))
    return Filter("state", (choice,))


def _moment(field: Field, values: list[str], reader: Reader) -> Meaning:
    of = {"created": "created", "solved": "solved"}.get(field.name, "at")
    nodes: list[Node] = []
    for value in values:
        found = _between(field.name, value, reader)
        if found is None:
            today = reader.now.astimezone(reader.zone).date().isoformat()
            return Meaning(reason=say(reader.language, "no_date", value=value[:40], today=today))
        nodes.append(Range(of, *found))
    return Meaning(any_of(nodes))


def _between(name: str, value: str, reader: Reader) -> tuple[int | None, int | None] | None:
    if ".." in value:
        first, _, last = value.partition("..")
        low = dates.day_range(first, reader) if first else (None, None)
        high = dates.day_range(last, reader) if last else (None, None)
        return None if low is None or high is None else (low[0], high[1])
    stripped = value.lstrip("<>=")
    sign = value[: len(value) - len(stripped)]
    found = dates.day_range(stripped, reader)
    if found is None:
        start = dates.span_start(stripped, reader) if stripped and not stripped.isdigit() else None
        return None if start is None else ((None, start) if name == "before" or "<" in sign else (start, None))
    if name == "before" or sign == "<":
        return (None, found[0])
    if sign == "<=":
        return (None, found[1])
    if sign == ">":
        return (found[1], None)
    if name == "after" or sign == ">=":
        return (found[0], None)
    return found


def _span(_field: Field, values: list[str], reader: Reader) -> Meaning:
    start = dates.span_start(values[0], reader)
    if start is None:
        return Meaning(reason=say(reader.language, "no_span", value=values[0][:40]))
    return Meaning(Range("at", start, None))


def _sort(field: Field, values: list[str], reader: Reader) -> Meaning:
    choice = field.choice(values[-1])
    if not choice:
        return Meaning(reason=say(reader.language, "no_order", value=values[-1][:40]))
    return Meaning(sort=choice)
