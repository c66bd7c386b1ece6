"""What an alert is and what people and the detector may do to it: one alert per episode, every act checked by version.

When an alert is raised is `domain.detector`'s matter; why, in words, is `domain.reason`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.kit.errors import Conflict, Invalid
from services.social.domain.detector import Signal


class State(StrEnum):
    """Where the handling of an alert stands. The last two are ends."""

    RAISED = "raised"
    CLAIMED = "claimed"
    ASSIGNED = "assigned"
    MUTED = "muted"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    FALSE_ALARM = "false_alarm"


class Severity(StrEnum):
    """How bad it is, in rising order."""

    NOTICE = "notice"
    SERIOUS = "serious"
    CRISIS = "crisis"


ENDS: Final = frozenset({State.RESOLVED, State.FALSE_ALARM})
FALSE_ALARM_KINDS: Final = frozenset({"irrelevant", "expected", "wrong_tone", "duplicate"})
SEVERITIES: Final = tuple(Severity)  # by rank


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of one series. `usual`, `usual_high` and `peak` are posts a bin of `bin_minutes`."""

    id: str
    watch_id: str
    brand_id: str
    source: str
    tone: str
    raised_at: datetime
    began_at: datetime
    updated_at: datetime
    state: State = State.RAISED
    severity: Severity = Severity.NOTICE
    owner: str = ""
    count: int = 0
    usual: float = 0.0
    usual_high: float = 0.0
    peak: float = 0.0
    score: float = 0.0
    bin_minutes: int = 5
    reach: int = 0
    terms: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    first_mention_id: str = ""
    cause: str = ""
    muted_until: datetime | None = None
    mute_reason: str = ""
    unmuted_state: State = State.RAISED
    ticket_ids: tuple[str, ...] = ()
    ended_at: datetime | None = None
    claimed_at: datetime | None = None
    answered_at: datetime | None = None
    resolved_at: datetime | None = None
    version: int = 1

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to judge it."""
        return self.state not in ENDS


def severity_of(*, count: float, peak: float, usual_high: float, reach: int) -> Severity:
    """How bad an episode is: by how many speak, how far above the usual, and how many hear it.

    Crisis: 50 posts at eight times the usual height, or ten posts heard by a million. Serious: 15 posts at three times,
    or five heard by a hundred thousand.
    """
    times = peak / max(usual_high, 1.0)
    if (count >= 50 and times >= 8.0) or (count >= 10 and reach >= 1_000_000):
        return Severity.CRISIS
    if (count >= 15 and times >= 3.0) or (count >= 5 and reach >= 100_000):
        return Severity.SERIOUS
    return Severity.NOTICE


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an episode's posts add up to so far; `reach` counts followers, `terms` are those with most lift."""

    count: int
    reach: int
    terms: tuple[str, ...]
    newest_at: datetime


def update(alert: Alert, evidence: Evidence, signal: Signal | None = None) -> Alert:
    """The same alert as its episode goes on: figures grow, severity never falls; after a verdict it stays as it is.

    `signal` is what the stream last said of it, if anything.
    """
    if not alert.is_open:
        return alert
    count, reach = max(alert.count, evidence.count), max(alert.reach, evidence.reach)
    peak = max(alert.peak, signal.peak) if signal else alert.peak
    severity = severity_of(count=count, peak=peak, usual_high=alert.usual_high, reach=reach)
    changes: dict[str, object] = {
        "updated_at": max(alert.updated_at, evidence.newest_at),
        "count": count,
        "reach": reach,
        "terms": evidence.terms,
        "peak": peak,
        "score": max(alert.score, signal.score) if signal else alert.score,
        "severity": max(alert.severity, severity, key=SEVERITIES.index),
    }
    return (
        alert if all(getattr(alert, name) == value for name, value in changes.items()) else _changed(alert, **changes)
    )


def end(alert: Alert, *, at: datetime) -> Alert:
    """Its episode is over; what is left is the verdict. A mute ends with what it silenced."""
    if alert.ended_at is not None:
        return alert
    ended = _changed(alert, ended_at=at)
    if alert.state is not State.MUTED:
        return ended
    return replace(ended, state=alert.unmuted_state, muted_until=None, mute_reason="")


def worsened(alert: Alert, before: Alert) -> bool:
    """Whether it is more severe than it was."""
    return SEVERITIES.index(alert.severity) > SEVERITIES.index(before.severity)


def speaks(alert: Alert, before: Alert | None, now: datetime) -> bool:
    """Whether people are told of this change: a new alert or one that got worse; a muted one only if it became a crisis."""
    if before is None:
        return True
    if is_muted(alert, now):
        return worsened(alert, before) and alert.severity is Severity.CRISIS
    return worsened(alert, before) and alert.is_open


def claim(alert: Alert, user_id: str, *, version: int, at: datetime) -> Alert:
    """`user_id` looks after it from now; claiming one's own again changes nothing.

    Raises:
        Conflict: it changed since the person saw it, a colleague has it, or it is closed.
    """
    if alert.owner == user_id and alert.state is State.CLAIMED:
        return alert
    _check(alert, version)
    if alert.state is State.CLAIMED and alert.owner:
        raise Conflict(f"Alert {alert.id} is already claimed by {alert.owner}.", alert_id=alert.id)
    return _changed(alert, state=State.CLAIMED, owner=user_id, claimed_at=alert.claimed_at or at, updated_at=at)


def assign(alert: Alert, user_id: str, *, version: int, at: datetime) -> Alert:
    """`user_id` is asked to look after it.

    Raises:
        Invalid: nobody is named. Conflict: stale or closed.
    """
    if not user_id:
        raise Invalid("Name who shall look after it.", field="assignee", alert_id=alert.id)
    _check(alert, version)
    return _changed(alert, state=State.ASSIGNED, owner=user_id, updated_at=at)


def mute(alert: Alert, *, until: datetime | None, reason: str, version: int, at: datetime) -> Alert:
    """It is silent until a moment that must be named, for a reason.

    Raises:
        Invalid: no end, an end in the past, or no reason. Conflict: stale or closed.
    """
    if until is None or until <= at:
        raise Invalid("A mute needs an end in the future.", field="until", alert_id=alert.id)
    if not reason.strip():
        raise Invalid("Say why it is muted.", field="reason", alert_id=alert.id)
    _check(alert, version)
    before = alert.unmuted_state if alert.state is State.MUTED else alert.state
    return _changed(
        alert,
        state=State.MUTED,
        unmuted_state=before,
        muted_until=until,
        mute_reason=reason.strip(),
        updated_at=at,
    )


def unmute(alert: Alert, *, version: int, at: datetime) -> Alert:
    """It speaks again, in the state it had before.

    Raises:
        Conflict: stale, closed or not muted.
    """
    _check(alert, version)
    if alert.state is not State.MUTED:
        raise Conflict(f"Alert {alert.id} is not muted.", alert_id=alert.id)
    return _changed(alert, state=alert.unmuted_state, muted_until=None, mute_reason="", updated_at=at)


def is_muted(alert: Alert, now: datetime) -> bool:
    """Whether a mute holds at this moment; one whose end has passed holds no more, whatever the state says."""
    return alert.state is State.MUTED and alert.muted_until is not None and now < alert.muted_until


def escalate(alert: Alert, *, to: str, version: int, at: datetime) -> Alert:
    """Somebody with more say is called; severity becomes at least serious.

    Raises:
        Conflict: stale or closed.
    """
    _check(alert, version)
    severity = max(alert.severity, Severity.SERIOUS, key=SEVERITIES.index)
    return _changed(alert, state=State.ESCALATED, owner=to or alert.owner, severity=severity, updated_at=at)


def resolve(alert: Alert, *, cause: str, version: int, at: datetime) -> Alert:
    """It is over, and what caused it is said.

    Raises:
        Invalid: no cause. Conflict: stale or closed.
    """
    if not cause.strip():
        raise Invalid("Say what caused it.", field="cause", alert_id=alert.id)
    return _end(alert, State.RESOLVED, cause.strip(), version, at)


def call_false(alert: Alert, *, kind: str, version: int, at: datetime) -> Alert:
    """It was no risk; `kind` (one of `FALSE_ALARM_KINDS`) says what misled us.

    Raises:
        Invalid: an unknown kind. Conflict: stale or closed.
    """
    if kind not in FALSE_ALARM_KINDS:
        raise Invalid(f"Choose one of: {', '.join(sorted(FALSE_ALARM_KINDS))}.", field="cause", alert_id=alert.id)
    return _end(alert, State.FALSE_ALARM, kind, version, at)


def link_ticket(alert: Alert, ticket_id: str, *, at: datetime) -> Alert:
    """A ticket belongs to it; linking twice changes nothing, and a version is not asked for since nothing is overwritten.

    Raises:
        Invalid: no ticket is named.
    """
    if not ticket_id:
        raise Invalid("Name the ticket.", field="ticket_id", alert_id=alert.id)
    if ticket_id in alert.ticket_ids:
        return alert
    return _changed(alert, ticket_ids=(*alert.ticket_ids, ticket_id), updated_at=at)


def answer(alert: Alert, *, at: datetime) -> Alert:
    """A first answer to one of its posts went out; later ones change nothing."""
    return alert if alert.answered_at is not None else _changed(alert, answered_at=at)


def _end(alert: Alert, state: State, cause: str, version: int, at: datetime) -> Alert:
    _check(alert, version)
    return _changed(alert, state=state, cause=cause, resolved_at=at, ended_at=alert.ended_at or at, updated_at=at)


def _check(alert: Alert, version: int) -> None:
    if version != alert.version:
        raise Conflict(
            f"Alert {alert.id} changed meanwhile (it is at version {alert.version}, you saw {version}): look again.",
            alert_id=alert.id,
        )
    if not alert.is_open:
        raise Conflict(f"Alert {alert.id} is closed ({alert.state}).", alert_id=alert.id)


def _changed(alert: Alert, **changes: object) -> Alert:
    return replace(alert, version=alert.version + 1, **changes)  # type: ignore[arg-type] # fields are checked by tests
