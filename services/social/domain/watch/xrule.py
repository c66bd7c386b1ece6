"""Writes a query as rules of X that let through at least what the local matcher accepts.

X has no beginnings, no nearness and no followers, so such parts become weaker ones or fall away; the matcher decides on
what comes in. Alternatives that do not fit one rule become several. Limits: X tells accents apart, so a word is asked for
as written and folded; a post that spells it a third way is not seen.
Source: https://docs.x.com/x-api/posts/filtered-stream/integrate/operators
"""

from __future__ import annotations

from dataclasses import dataclass

from services.social.domain.text import words
from services.social.domain.watch.tree import And, Field, Near, Node, Not, Or, Phrase, Word

RULE_LIMIT = 1024
SEARCH_LIMIT = 512
_KEYWORDS = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class _All:
    """Everything: what cannot be asked of X."""


@dataclass(frozen=True, slots=True)
class _None:
    """Nothing: what no post of X can be."""


@dataclass(frozen=True, slots=True)
class _Term:
    text: str
    alone: bool  # whether X accepts a rule of this operator only


@dataclass(frozen=True, slots=True)
class _Both:
    parts: tuple[_Rule, ...]


@dataclass(frozen=True, slots=True)
class _Either:
    parts: tuple[_Rule, ...]


_Rule = _All | _None | _Term | _Both | _Either


def x_rules(tree: Node, *, limit: int = RULE_LIMIT) -> tuple[str, ...]:
    """The rules whose union holds every post of X the query matches; empty where X cannot be asked.

    Empty means either that no post of X can match (`source:` of another kind) or that the query has no word X could
    look for (only fields, only what must be absent, or a beginning as an alternative).
    """
    rule = _over(tree)
    if not _stands(rule):
        return ()
    return _fitting(rule, limit)


def _fitting(rule: _Rule, limit: int) -> tuple[str, ...]:
    text = _text(rule)
    if len(text) <= limit:
        return (text,)
    if isinstance(rule, _Either):
        packed: list[str] = []
        for piece in (piece for part in rule.parts for piece in _fitting(part, limit)):
            joined = f"{packed[-1]} OR {piece}" if packed else piece
            if packed and len(joined) <= limit:
                packed[-1] = joined
            else:
                packed.append(piece)
        return tuple(packed)
    if isinstance(rule, _Both):  # ask for less of it: the part that stands alone in the fewest characters
        standing = sorted((part for part in rule.parts if _stands(part)), key=lambda part: len(_text(part)))
        return _fitting(standing[0], limit)
    return ()


def _stands(rule: _Rule) -> bool:
    match rule:
        case _Term(_, alone):
            return alone
        case _Both(parts):
            return any(map(_stands, parts))
        case _Either(parts):
            return all(map(_stands, parts))
        case _:
            return False


def _text(rule: _Rule, *, inside: bool = False) -> str:
    match rule:
        case _Term(text):
            return text
        case _Both(parts):
            return " ".join(_text(part, inside=True) for part in parts)
        case _Either(parts):
            body = " OR ".join(_text(part) if not isinstance(part, _Both) else f"({_text(part)})" for part in parts)
            return f"({body})" if inside else body
        case _:
            return ""


def _over(node: Node) -> _Rule:
    match node:
        case Word(prefix=True):
            return _All()
        case Word(text, written):
            return _spellings(text, written)
        case Phrase(phrase, written):
            return _spellings(" ".join(phrase), written)
        case Near(left, right):
            return _both([_over(left), _over(right)])
        case Field():
            return _field(node)
        case And(parts):
            return _both([_over(part) for part in parts])
        case Or(parts):
            return _either([_over(part) for part in parts])
        case Not(part):
            return _absent(part)


def _absent(node: Node) -> _Rule:
    """What X can be told to leave out without leaving out more than the query does: whole words and languages."""
    match node:
        case Word(text, prefix=False) if text.isalnum() and text.isascii():
            return _Term("-" + _quoted(text), alone=False)
        case Field("lang", value):
            return _Term(f"-lang:{value}", alone=False)
        case Or(parts):
            return _both([_absent(part) for part in parts])
        case Not(part):
            return _over(part)
        case _:
            return _All()


def _both(parts: list[_Rule]) -> _Rule:
    if any(isinstance(part, _None) for part in parts):
        return _None()
    flat: list[_Rule] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, _Both) else () if isinstance(part, _All) else (part,))
    unique = tuple(dict.fromkeys(flat))
    return _All() if not unique else unique[0] if len(unique) == 1 else _Both(unique)


def _either(parts: list[_Rule]) -> _Rule:
    flat: list[_Rule] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, _Either) else () if isinstance(part, _None) else (part,))
    if any(isinstance(part, _All) or not _stands(part) for part in flat):
        return _All()  # X refuses an alternative that only leaves out, and one that asks for all makes all
    unique = tuple(dict.fromkeys(flat))
    return _None() if not unique else unique[0] if len(unique) == 1 else _Either(unique)


def _spellings(folded: str, written: str) -> _Rule:
    as_written = written.lower() if words(written) == folded.split() else folded
    forms = dict.fromkeys(_quoted(" ".join(form.replace('"', " ").split())) for form in (as_written, folded))
    return _either([_Term(form, alone=True) for form in forms])


def _quoted(word: str) -> str:
    bare = word.removeprefix("#").removeprefix("@")
    return word if bare.replace("_", "").isalnum() and word not in _KEYWORDS else f'"{word}"'


def _field(field: Field) -> _Rule:
    match field.name:
        case "author":
            return _Term(f"from:{field.value}", alone=True) if field.value.replace("_", "").isalnum() else _None()
        case "lang":
            return _Term(f"lang:{field.value}", alone=False)
        case "site":
            return _Term(f'url:"{field.value}"', alone=True)
        case "has":
            return _Term("has:links", alone=False)
        case "source":
            return _All() if field.value == "x" else _None()
        case _:
            return _All()
