"""Queries of pages, whose filters vary: mentions by watch, tone, state and time; alerts by state. Keyset cursors."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from services.kit.db.query import compiled
from services.kit.errors import Invalid
from services.kit.uow import Reader
from services.social.store import tables
from services.social.store.alerts import ALERTS, Alert
from services.social.store.mentions import MENTIONS, Mention

_M, _A = tables.MENTIONS.c, tables.ALERTS.c


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionFilter:
    """What a page of mentions shows. Empty and 0 mean "any"; `brands` empty means all brands."""

    watch_id: str = ""
    source: str = ""
    tone: int = 0
    state: str = ""
    brand_id: str = ""
    brands: frozenset[str] = frozenset()
    alert_id: str = ""
    since_us: int = 0
    until_us: int = 0
    author: str = ""
    term: str = ""
    ids: tuple[str, ...] = ()


def _conditions(wanted: MentionFilter) -> list[ColumnElement[bool]]:
    simple = {_M.tone: wanted.tone, _M.state: wanted.state, _M.author_handle: wanted.author}
    found: list[ColumnElement[bool]] = [column == value for column, value in simple.items() if value]
    if wanted.source:
        found.append(or_(_M.source == wanted.source, _M.source_id == wanted.source))
    if wanted.watch_id:
        found.append(_M.id.in_(select(tables.MATCHES.c.mention_id).where(tables.MATCHES.c.watch_id == wanted.watch_id)))
    if wanted.alert_id:
        linked = tables.ALERT_MENTIONS.c
        found.append(_M.id.in_(select(linked.mention_id).where(linked.alert_id == wanted.alert_id)))
    if wanted.since_us:
        found.append(_M.occurred_us >= wanted.since_us)
    if wanted.until_us:
        found.append(_M.occurred_us < wanted.until_us)
    if wanted.ids:
        found.append(_M.id.in_(wanted.ids))
    if wanted.term:
        found.append(_M.text.icontains(wanted.term, autoescape=True))
    return found + _mentions_of(wanted.brand_id, wanted.brands)


def _mentions_of(brand_id: str, brands: frozenset[str]) -> list[ColumnElement[bool]]:
    """Mentions of a brand (empty: of any) that exist for who sees these brands (empty: all)."""
    found: list[ColumnElement[bool]] = []
    if brand_id:
        found.append(_M.brand_ids.contains(f'"{brand_id}"', autoescape=True))
    if brands:
        seen = [_M.brand_ids.contains(f'"{brand}"', autoescape=True) for brand in sorted(brands)]
        found.append(or_(_M.brand_ids == "[]", *seen))
    return found


def _alerts_of(brand_id: str, brands: frozenset[str]) -> list[ColumnElement[bool]]:
    """Alerts likewise; one of no brand is for those who see all."""
    found: list[ColumnElement[bool]] = [_A.brand_id == brand_id] if brand_id else []
    return [*found, _A.brand_id.in_(sorted(brands))] if brands else found


def page_of_mentions(
    reader: Reader, wanted: MentionFilter, *, sort: str, after: str, limit: int
) -> tuple[list[Mention], str, int]:
    """A page, the cursor of the next and how many there are in all. Copies stand under their original unless asked by id."""
    conditions = _conditions(wanted)
    if not wanted.ids and not wanted.alert_id:
        conditions.append(_M.repost_of == "")
    total = int(
        (reader.row(*compiled(select(func.count()).select_from(tables.MENTIONS).where(*conditions))) or (0,))[0] or 0
    )
    order = _M.occurred_us if sort == "newest" else _M.risk
    query: Select[Any] = select(*(_M[name] for name in MENTIONS.names)).where(*conditions)
    if after:
        value, mark, key = after.partition("~")
        if not mark or not re.fullmatch(r"\w+", key, re.ASCII):
            raise _not_ours()
        bound = _whole(value) if sort == "newest" else _finite(value)
        query = query.where(or_(order < bound, and_(order == bound, _M.id < key)))
    rows = reader.rows(*compiled(query.order_by(order.desc(), _M.id.desc()).limit(limit + 1)))
    found = [MENTIONS.make(row) for row in rows[:limit]]
    following = ""
    if len(rows) > limit:
        last = found[-1]
        following = f"{last.occurred_us if sort == 'newest' else repr(last.risk)}~{last.id}"
    return found, following, total


def page_of_alerts(
    reader: Reader,
    *,
    states: Sequence[str],
    brand_id: str,
    brands: frozenset[str],
    parent_id: str = "",
    after: str,
    limit: int,
) -> tuple[list[Alert], str, int]:
    """A page of alerts, newest first, the cursor of the next and how many there are; those folded under a crisis by its id."""
    conditions = [_A.parent_id == parent_id, *_alerts_of(brand_id, brands)]
    if states:
        conditions.append(_A.state.in_(states))
    total = int(
        (reader.row(*compiled(select(func.count()).select_from(tables.ALERTS).where(*conditions))) or (0,))[0] or 0
    )
    query: Select[Any] = select(*(_A[name] for name in ALERTS.names)).where(*conditions)
    if after:
        query = query.where(_A.number < _whole(after))
    rows = reader.rows(*compiled(query.order_by(_A.number.desc()).limit(limit + 1)))
    found = [ALERTS.make(row) for row in rows[:limit]]
    return found, str(found[-1].number) if len(rows) > limit else "", total


@dataclass(frozen=True, slots=True)
class Figures:
    """What says whether alerts and their silence can be believed, of the brands one may see."""

    judged: int
    real: int
    last_raised_us: int
    read_since: int


def figures(reader: Reader, *, brand_id: str, brands: frozenset[str]) -> Figures:
    """Of the last 30 alerts with a verdict how many were real; when the last was raised, and mentions read live since."""
    of = _alerts_of(brand_id, brands)
    verdicts = select(_A.state).where(_A.state.in_(("resolved", "false_alarm")), *of).order_by(_A.resolved_us.desc())
    states = [str(row[0]) for row in reader.rows(*compiled(verdicts.limit(30)))]
    last_us = int((reader.row(*compiled(select(func.max(_A.raised_us)).where(*of))) or (0,))[0] or 0)
    live = select(func.count()).select_from(tables.MENTIONS).where(_M.seen_us > last_us, _M.mode == 1)
    read = int((reader.row(*compiled(live.where(*_mentions_of(brand_id, brands)))) or (0,))[0] or 0)
    return Figures(len(states), states.count("resolved"), last_us, read)


def _whole(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", value):  # fits the 64 bits of a column
        raise _not_ours()
    return int(value)


def _finite(value: str) -> float:
    if not re.fullmatch(r"[0-9.e+-]{1,30}", value):  # as `repr` writes a float; float() reads far more
        raise _not_ours()
    try:
        found = float(value)
    except ValueError as error:
        raise _not_ours() from error
    if not math.isfinite(found):
        raise _not_ours()
    return found


def _not_ours() -> Invalid:
    return Invalid("The cursor `after` is not one of ours; leave it out to begin anew.", field="after")
