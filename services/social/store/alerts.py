"""Rows of alerts, their evidence and timeline, and the series they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.kit.db.sql import Sql
from services.kit.ids import new_id
from services.kit.uow import Reader, Uow
from services.social.domain import alert as domain
from services.social.store.mentions import TONES
from services.social.store.rows import Mapper, micros, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert as stored; see `tables.ALERTS`."""

    id: str
    number: int
    watch_id: str
    watch_name: str
    brand_id: str
    source: str
    tone: int
    state: str = "raised"
    severity: str = "notice"
    owner: str = ""
    raised_us: int = 0
    updated_us: int = 0
    began_us: int = 0
    ended_us: int = 0
    claimed_us: int = 0
    answered_us: int = 0
    resolved_us: int = 0
    muted_until_us: int = 0
    mute_reason: str = ""
    unmuted_state: str = "raised"
    cause: str = ""
    count: int = 0
    usual: float = 0.0
    usual_high: float = 0.0
    peak: float = 0.0
    score: float = 0.0
    threshold: float = 0.0
    reach: int = 0
    bin_minutes: int = 0
    terms: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    first_mention_id: str = ""
    ticket_ids: tuple[str, ...] = ()
    version: int = 1
    rev: int = 0
    parent_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of an alert's timeline."""

    id: str
    alert_id: str
    at_us: int
    act: str
    by: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """State of one detector."""

    watch_id: str
    source: str
    tone: int
    state: bytes
    alert_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Counts of one bin of a watch and source, as the chart shows them."""

    watch_id: str
    source: str
    at_us: int
    negative: int
    neutral: int
    positive: int
    reach: int
    expected: float = 0.0
    high: float = 0.0


ALERTS = Mapper("alerts", Alert)
HAPPENINGS = Mapper("happenings", Happening)
SERIES = Mapper("series", Series, key=("watch_id", "source", "tone"))
BINS = Mapper("bins", Bin, key=("watch_id", "source", "at_us"))

_NUMBER = Sql(
    "INSERT INTO counters (name, value) VALUES ('alert', 1) ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value"
)
_BY_STATE = Sql("SELECT state, count(*) FROM alerts GROUP BY state")
_LINK = Sql("INSERT INTO alert_mentions (alert_id, mention_id) VALUES (:alert_id, :mention_id) ON CONFLICT DO NOTHING")
_LINKED = Sql("SELECT mention_id FROM alert_mentions WHERE alert_id = :alert_id AND mention_id IN (:ids...)")
_OF_MENTIONS = Sql("SELECT mention_id, alert_id FROM alert_mentions WHERE mention_id IN (:ids...)")
_TIMELINE = HAPPENINGS.query("WHERE alert_id = :alert_id ORDER BY id")
_ALL_SERIES = SERIES.query("ORDER BY watch_id")
_PUT_SERIES = Sql(
    "INSERT INTO series (watch_id, source, tone, state, alert_id) VALUES (:watch_id, :source, :tone, :state, :alert_id)"
    " ON CONFLICT (watch_id, source, tone) DO UPDATE SET state = excluded.state, alert_id = excluded.alert_id"
)
_DROP_SERIES = Sql("DELETE FROM series WHERE watch_id = :watch_id")
_ADD_BIN = Sql(
    "INSERT INTO bins (watch_id, source, at_us, negative, neutral, positive, reach, expected, high)"
    " VALUES (:watch_id, :source, :at_us, :negative, :neutral, :positive, :reach, :expected, :high)"
    " ON CONFLICT (watch_id, source, at_us) DO UPDATE SET negative = bins.negative + excluded.negative,"
    " neutral = bins.neutral + excluded.neutral, positive = bins.positive + excluded.positive,"
    " reach = bins.reach + excluded.reach, expected = excluded.expected, high = excluded.high"
)
_BINS = BINS.query("WHERE watch_id = :watch_id AND at_us >= :since_us AND at_us < :until_us ORDER BY at_us")
_OPEN = "state IN ('raised', 'claimed', 'assigned', 'muted', 'escalated')"  # as the index has it
_CRISES = ALERTS.query(
    f"WHERE {_OPEN} AND severity = 'crisis' AND ended_us = 0 AND brand_id = :brand_id ORDER BY number"
)
_LOOSE = ALERTS.query(f"WHERE {_OPEN} AND parent_id = '' AND brand_id = :brand_id ORDER BY number")
_CHILDREN = ALERTS.query("WHERE parent_id IN (:ids...) ORDER BY number DESC")
_MUTED_OUT = ALERTS.query("WHERE state = 'muted' AND muted_until_us > 0 AND muted_until_us <= :now_us")


_SAME = ("id", "watch_id", "brand_id", "source", "owner", "count", "usual", "usual_high", "peak", "score", "bin_minutes", "reach", "terms", "sources", "first_mention_id", "cause", "mute_reason", "ticket_ids", "version", "parent_id")  # fmt: skip
_TIMES = ("raised", "began", "updated", "ended", "claimed", "answered", "resolved")


def noun(row: Alert) -> domain.Alert:
    """The domain's alert of a row."""
    values: dict[str, Any] = {name: getattr(row, name) for name in _SAME}
    values |= {f"{name}_at": moment(getattr(row, f"{name}_us")) for name in _TIMES}
    return domain.Alert(
        **values,
        tone=TONES[row.tone].value,
        state=domain.State(row.state),
        severity=domain.Severity(row.severity),
        muted_until=moment(row.muted_until_us),
        unmuted_state=domain.State(row.unmuted_state),
    )


def with_noun(row: Alert, noun: domain.Alert) -> Alert:
    """The row after the domain changed its alert."""
    values: dict[str, Any] = {name: getattr(noun, name) for name in _SAME}
    values |= {f"{name}_us": micros(at) if (at := getattr(noun, f"{name}_at")) else 0 for name in _TIMES}
    return replace(
        row,
        **values,
        state=noun.state.value,
        severity=noun.severity.value,
        muted_until_us=micros(noun.muted_until) if noun.muted_until else 0,
        unmuted_state=noun.unmuted_state.value,
    )


def next_number(uow: Uow) -> int:
    """The next short number."""
    return int(uow.rows(_NUMBER)[0][0] or 0)


def find_alert(reader: Reader, alert_id: str) -> Alert | None:
    """An alert, or None."""
    row = reader.row(ALERTS.by_key, {"id": alert_id})
    return ALERTS.make(row) if row else None


def add_alert(uow: Uow, alert: Alert) -> None:
    """Stores a new alert."""
    uow.execute(ALERTS.insert, ALERTS.params(alert))


def save_alert(uow: Uow, alert: Alert) -> None:
    """Stores a changed alert."""
    uow.execute(ALERTS.update, ALERTS.params(alert))


def link_mentions(uow: Uow, alert_id: str, mention_ids: Sequence[str]) -> frozenset[str]:
    """Makes mentions evidence of an alert; returns those that were not yet."""
    there = {str(row[0]) for row in uow.rows(_LINKED, {"alert_id": alert_id, "ids": list(mention_ids)})}
    fresh = [own for own in mention_ids if own not in there]
    uow.execute_many(_LINK, [{"alert_id": alert_id, "mention_id": own} for own in fresh])
    return frozenset(fresh)


def alerts_of(reader: Reader, mention_ids: Sequence[str]) -> dict[str, list[str]]:
    """Alerts each mention is evidence of."""
    found: dict[str, list[str]] = {}
    for mention, alert in reader.rows(_OF_MENTIONS, {"ids": list(mention_ids)}):
        found.setdefault(str(mention), []).append(str(alert))
    return found


def note(uow: Uow, alert_id: str, *, at_us: int, act: str, by: str = "", detail: str = "") -> None:
    """Adds a line to an alert's timeline."""
    line = Happening(id=new_id("hap"), alert_id=alert_id, at_us=at_us, act=act, by=by, detail=detail)
    uow.execute(HAPPENINGS.insert, HAPPENINGS.params(line))


def timeline(reader: Reader, alert_id: str) -> list[Happening]:
    """An alert's timeline, oldest first."""
    return [HAPPENINGS.make(row) for row in reader.rows(_TIMELINE, {"alert_id": alert_id})]


def list_series(reader: Reader) -> list[Series]:
    """Every detector's state."""
    return [SERIES.make(row) for row in reader.rows(_ALL_SERIES)]


def find_series(reader: Reader, watch_id: str, source: str, tone: int) -> Series | None:
    """One detector's state, or None."""
    row = reader.row(SERIES.by_key, {"watch_id": watch_id, "source": source, "tone": tone})
    return SERIES.make(row) if row else None


def put_series(uow: Uow, series: Sequence[Series]) -> None:
    """Stores detectors' states."""
    uow.execute_many(_PUT_SERIES, [SERIES.params(one) for one in series])


def drop_series(uow: Uow, watch_id: str) -> None:
    """Forgets a watch's detectors: its query changed, or it is gone."""
    uow.execute(_DROP_SERIES, {"watch_id": watch_id})


def add_bins(uow: Uow, bins: Sequence[Bin]) -> None:
    """Adds counts to bins."""
    uow.execute_many(_ADD_BIN, [BINS.params(one) for one in bins])


def list_bins(reader: Reader, watch_id: str, since_us: int, until_us: int) -> list[Bin]:
    """A watch's bins of all sources, oldest first."""
    return [
        BINS.make(row) for row in reader.rows(_BINS, {"watch_id": watch_id, "since_us": since_us, "until_us": until_us})
    ]


def list_crises(reader: Reader, brand_id: str) -> list[Alert]:
    """Crises of a brand that are under way, oldest first."""
    return [ALERTS.make(row) for row in reader.rows(_CRISES, {"brand_id": brand_id})]


def list_loose(reader: Reader, brand_id: str) -> list[Alert]:
    """Open alerts of a brand that stand on their own, oldest first."""
    return [ALERTS.make(row) for row in reader.rows(_LOOSE, {"brand_id": brand_id})]


def list_children(reader: Reader, alert_ids: Sequence[str]) -> list[Alert]:
    """Alerts folded under these, newest first."""
    return [ALERTS.make(row) for row in reader.rows(_CHILDREN, {"ids": list(alert_ids)})] if alert_ids else []


def list_muted_out(reader: Reader, now_us: int) -> list[Alert]:
    """Muted alerts whose time is over."""
    return [ALERTS.make(row) for row in reader.rows(_MUTED_OUT, {"now_us": now_us})]


def count_by_state(reader: Reader) -> dict[str, int]:
    """How many alerts are in each state."""
    return {str(state): int(count or 0) for state, count in reader.rows(_BY_STATE)}
