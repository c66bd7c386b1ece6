"""Lists, views and counts of tickets. Text is put together from fixed fragments only, once for each combination."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from services.kit.db.sql import Sql
from services.kit.errors import Invalid
from services.kit.principal import Person
from services.kit.uow import Reader, Row, Value
from services.tickets.store.tickets import COLUMNS

SORTS = {
    "due": (("due_us", ">"), ("waiting_us", ">"), ("id", ">")),
    "longest": (("waiting_us", ">"), ("id", ">")),
    "newest": (("last_us", "<"), ("id", "<")),
    "priority": (("priority", "<"), ("due_us", ">"), ("id", ">")),
}
_VIEWS = {
    "mine": ("assignee = :me", "state IN (1, 2, 3)"),
    "named": ("id IN (SELECT ticket_id FROM ticket_mentions WHERE user_id = :me)", "state IN (1, 2, 3)"),
    "unassigned": ("assignee = ''", "state IN (1, 2)"),
    "team": ("team IN (:teams...)", "team <> ''", "state IN (1, 2, 3)"),
    "chats": ("live = 1", "state IN (1, 2, 3)"),
    "all": ("state <> 6",),
    "open": ("state IN (1, 2, 3)",),
    "spam": ("state = 6",),
    "waiting": ("state = 3",),
    "solved": ("state = 4",),
}
VIEWS = tuple(_VIEWS)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shows. Empty fields filter nothing."""

    view: str = ""
    states: tuple[int, ...] = ()
    assignee: str = ""
    customer_id: str = ""
    channel: str = ""
    tag: str = ""
    brand_id: str = ""
    team: str = ""
    conversation: str = ""
    account_id: str = ""
    since_us: int = 0
    until_us: int = 0
    sort: str = "due"
    teams: tuple[str, ...] = ()


def encode(values: Sequence[Value]) -> str:
    """A cursor that says nothing to whoever carries it."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def decode(cursor: str, length: int) -> list[str | int]:
    """What `encode` was given. Raises `Invalid` for anything else."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise Invalid("The cursor `after` is not one of ours; begin from the first page.", field="after") from error
    if not isinstance(values, list) or len(values) != length or not all(_is_key(value) for value in values):
        raise Invalid("The cursor `after` belongs to another list; begin from the first page.", field="after")
    return values


def _is_key(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and value.bit_length() < 64)


def _conditions(
    wanted: Filter, person: Person
) -> tuple[tuple[str, ...], dict[str, Value | Sequence[str] | Sequence[int]]]:
    _check_view(wanted.view)
    where: list[str] = list(_VIEWS.get(wanted.view, ()))
    params: dict[str, Value | Sequence[str] | Sequence[int]] = {}
    if wanted.view in {"mine", "named"}:
        params["me"] = person.user_id
    if wanted.view == "team":
        params["teams"] = list(wanted.teams or person.teams)
    if person.brand_ids:
        where.append("brand_id IN (:brands...)")
        params["brands"] = sorted(person.brand_ids)
    if wanted.states:
        where.append("state IN (:states...)")
        params["states"] = list(wanted.states)
    if wanted.assignee == "none":
        where.append("assignee = ''")
    elif wanted.assignee:
        where.append("assignee = :assignee")
        params["assignee"] = wanted.assignee
    for name in ("customer_id", "channel", "brand_id", "team", "conversation", "account_id"):
        if value := getattr(wanted, name):
            where.append(f"{name} = :{name}")
            params[name] = value
    if wanted.tag:
        where.append("id IN (SELECT ticket_id FROM ticket_tags WHERE tag = :tag)")
        params["tag"] = wanted.tag.lower()
    for name, condition in (("since_us", "changed_us >= :since_us"), ("until_us", "changed_us < :until_us")):
        if moment := getattr(wanted, name):
            where.append(condition)
            params[name] = moment
    return tuple(where), params


def _check_view(view: str) -> None:
    if view and view not in _VIEWS:
        raise Invalid(f"There is no view {view!r}; there are: {', '.join(VIEWS)}.", field="view")


@cache
def _page_sql(where: tuple[str, ...], sort: str, *, after: bool) -> Sql:
    keys = SORTS[sort]
    conditions = list(where)
    if after:
        # (a, b) after (x, y) spelt out, because directions differ: a > x OR (a = x AND b < y).
        steps = [
            " AND ".join(
                [*(f"{name} = :k{n}" for n, (name, _) in enumerate(keys[:i])), f"{keys[i][0]} {keys[i][1]} :k{i}"]
            )
            for i in range(len(keys))
        ]
        conditions.append(f"(({') OR ('.join(steps)}))")
    filtered = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = ", ".join(f"{name} {'ASC' if way == '>' else 'DESC'}" for name, way in keys)
    return Sql(f"SELECT {COLUMNS} FROM tickets {filtered} ORDER BY {order} LIMIT :limit")  # noqa: S608 - fixed fragments


@cache
def _count_sql(where: tuple[str, ...]) -> Sql:
    filtered = f"WHERE {' AND '.join(where)}" if where else ""
    return Sql(f"SELECT COUNT(*), SUM(CASE WHEN due_us < :now THEN 1 ELSE 0 END) FROM tickets {filtered}")  # noqa: S608 - fixed fragments


_PLACES = {name: place for place, name in enumerate(COLUMNS.split(", "))}


def page(reader: Reader, wanted: Filter, person: Person, *, after: str, limit: int) -> tuple[list[Row], str]:
    """One page of rows in `COLUMNS`, and the cursor of the next or empty."""
    if wanted.sort not in SORTS:
        raise Invalid(f"Lists are sorted by {', '.join(SORTS)}; not by {wanted.sort!r}.", field="sort")
    where, params = _conditions(wanted, person)
    keys = SORTS[wanted.sort]
    if after:
        params |= {f"k{place}": value for place, value in enumerate(decode(after, len(keys)))}
    rows = reader.rows(_page_sql(where, wanted.sort, after=bool(after)), params | {"limit": limit + 1})
    if len(rows) <= limit:
        return rows, ""
    last = rows[limit - 1]
    return rows[:limit], encode([last[_PLACES[name]] for name, _ in keys])


def count(reader: Reader, wanted: Filter, person: Person, *, now_us: int) -> tuple[int, int]:
    """How many there are, and how many of them are late."""
    where, params = _conditions(wanted, person)
    row = reader.row(_count_sql(where), params | {"now": now_us})
    assert row is not None
    return _int(row[0]), _int(row[1])


def _int(value: Value) -> int:
    return int(value) if isinstance(value, int) else 0


@cache
def _next_sql(where: tuple[str, ...]) -> Sql:
    return Sql(
        f"SELECT id FROM tickets WHERE {' AND '.join(where)}"  # noqa: S608 - fixed fragments
        " ORDER BY due_us, priority DESC, waiting_us, id LIMIT :limit"
    )


def next_unassigned(reader: Reader, person: Person, *, brand_id: str, teams: Collection[str], limit: int) -> list[str]:
    """Ids of what waits and nobody has, most urgent promise first; of no team or one of `teams`."""
    where, params = _conditions(Filter(view="unassigned", brand_id=brand_id), person)
    if teams:
        where = (*where, "(team = '' OR team IN (:teams...))")
        params["teams"] = sorted(teams)
    return [str(row[0]) for row in reader.rows(_next_sql(where), params | {"limit": limit})]


_SCAN = Sql(f"SELECT {COLUMNS} FROM tickets WHERE rev > :after ORDER BY rev LIMIT :limit")  # noqa: S608 - fixed names
_COUNT_ALL = Sql("SELECT COUNT(*) FROM tickets")


def scan(reader: Reader, after_rev: int, limit: int) -> list[Row]:
    """A page of every ticket, by rev."""
    return reader.rows(_SCAN, {"after": after_rev, "limit": limit})


def count_all(reader: Reader) -> int:
    """How many tickets there are."""
    row = reader.row(_COUNT_ALL)
    return _int(row[0]) if row else 0
