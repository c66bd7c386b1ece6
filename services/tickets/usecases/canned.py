"""Canned answers: written with a version, found by title, shortcut and text, the best for brand and language first."""

from __future__ import annotations

from services.kit.errors import Conflict, Forbidden, NotFound
from services.kit.principal import Person
from services.kit.uow import Reader, Uow
from services.tickets.domain import canned as rules
from services.tickets.store import audit, canned
from services.tickets.store.canned import Canned
from services.tickets.usecases.common import Act


def put_canned_answer(uow: Uow, act: Act, answer: Canned, *, detail_of: bytes = b"") -> Canned:
    """Makes or replaces one. Raises `Conflict` when it was edited since the version given; version 0 makes a new one."""
    rules.check(answer.title, answer.shortcut, answer.texts)
    _may_edit(act.person, answer.brand_id)
    current = canned.lock(uow, answer.id) if answer.id else None
    if answer.id and current is None:
        raise NotFound(f"There is no canned answer {answer.id}.", answer_id=answer.id)
    if current is not None:
        _may_edit(act.person, current.brand_id)
        if current.version != answer.version:
            raise Conflict(
                f"“{current.title}” was edited meanwhile (version {current.version}): look at it again.",
                detail=detail_of,
                answer_id=answer.id,
            )
    answer.id = answer.id or act.ids[0]
    answer.version = current.version + 1 if current else 1
    answer.changed_us = act.now_us
    canned.put(uow, answer)
    audit.add(uow, [act.entry("canned_answer.changed", answer.id)])
    return answer


def delete_canned_answer(uow: Uow, act: Act, *, answer_id: str, version: int) -> None:
    """Removes one; version 0 is not checked."""
    current = canned.lock(uow, answer_id)
    if current is None or (current.brand_id and not act.person.sees_brand(current.brand_id)):
        raise NotFound(f"There is no canned answer {answer_id}.", answer_id=answer_id)
    _may_edit(act.person, current.brand_id)
    if version and current.version != version:
        raise Conflict(f"“{current.title}” was edited meanwhile: look at it again.", answer_id=answer_id)
    canned.drop(uow, answer_id)
    audit.add(uow, [act.entry("canned_answer.deleted", answer_id, current.title)])


def _may_edit(person: Person, brand_id: str) -> None:
    """An answer of every brand may be changed only by who sees every brand."""
    if person.brand_ids and brand_id not in person.brand_ids:
        raise Forbidden("This canned answer belongs to brands you do not work for.", field="brand_id")


def list_canned_answers(
    reader: Reader, person: Person, *, brand_id: str, query: str, language: str, channel: str
) -> list[Canned]:
    """Answers that fit, best first: shortcut, then title, then text; own brand and language before the rest."""
    if brand_id and not person.sees_brand(brand_id):
        return []
    brands = {brand_id} if brand_id else set(person.brand_ids)
    found = [one for one in canned.find(reader, brands) if not channel or one.channel in {"", channel}]
    words = query.lower().split()
    ranked: list[tuple[int, int, int, str, Canned]] = []
    for one in found:
        rank = _rank(one, query.lower().strip(), words)
        if rank >= 0:
            ranked.append((rank, 0 if one.brand_id else 1, 0 if language in one.texts else 1, one.title.lower(), one))
    ranked.sort(key=lambda entry: entry[:4])
    return [entry[4] for entry in ranked]


def _rank(one: Canned, query: str, words: list[str]) -> int:
    if not words:
        return 0
    if one.shortcut.lower().lstrip("/").startswith(query.lstrip("/")):
        return 0
    if all(word in one.title.lower() for word in words):
        return 1
    everything = " ".join((one.title, one.shortcut, *one.texts.values())).lower()
    if all(word in everything for word in words):
        return 2
    return 3 if _letters_in_order(query, one.title.lower()) else -1


def _letters_in_order(query: str, title: str) -> bool:
    rest = iter(title)
    return all(letter in rest for letter in query if not letter.isspace())
