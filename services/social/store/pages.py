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
    if wanted.brand_id:
        found.append(_M.brand_ids.contains(f'"{wanted.brand_id}"', autoescape=True))
    if wanted.brands:
        seen = [_M.brand_ids.contains(f'"{brand}"', autoescape=True) for brand in sorted(wanted.brands)]
        found.append(or_(_M.brand_ids == "[]", *seen))
    return found


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
        value, _, key = after.partition("~")
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
    reader: Reader, *, states: Sequence[str], brand_id: str, brands: frozenset[str], after: str, limit: int
) -> tuple[list[Alert], str, int]:
    """A page of alerts, newest first, the cursor of the next and how many there are."""
    conditions: list[ColumnElement[bool]] = []
    if states:
        conditions.append(_A.state.in_(states))
    if brand_id:
        conditions.append(_A.brand_id == brand_id)
    if brands:
        conditions.append(or_(_A.brand_id == "", _A.brand_id.in_(sorted(brands))))
    total = int(
        (reader.row(*compiled(select(func.count()).select_from(tables.ALERTS).where(*conditions))) or (0,))[0] or 0
    )
    query: Select[Any] = select(*(_A[name] for name in ALERTS.names)).where(*conditions)
    if after:
        query = query.where(_A.number < _whole(after))
    rows = reader.rows(*compiled(query.order_by(_A.number.desc()).limit(limit + 1)))
    found = [ALERTS.make(row) for row in rows[:limit]]
    return found, str(found[-1].number) if len(rows) > limit else "", total


def _whole(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", value):  # fits the 64 bits of a column
        raise _not_ours()
    return int(value)


def _finite(value: str) -> float:
    try:
        found = float(value)
    except ValueError as error:
        raise _not_ours() from error
    if not math.isfinite(found):
        raise _not_ours()
    return found


def _not_ours() -> Invalid:
    return Invalid("The cursor `after` is not one of ours; leave it out to begin anew.", field="after")
