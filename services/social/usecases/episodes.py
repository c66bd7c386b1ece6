"""What becomes of an alert while its episode lasts: raised, grown in place, ended; and who is told.

The rules are `domain.alert`'s. A batch collects here what it means for each alert, so that one is saved once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from services.kit.clock import Clock
from services.kit.ids import new_id
from services.kit.uow import Uow
from services.social import wire
from services.social.domain import alert as domain
from services.social.domain.alert import SEVERITIES, Evidence, Severity
from services.social.domain.detector import FAST_BIN_S, Signal
from services.social.domain.reason import matter
from services.social.store import alerts, config, mentions
from services.social.store.alerts import Alert
from services.social.store.config import Notice, Watch
from services.social.store.mentions import Mention
from services.social.store.rows import LOCK, micros

BACKGROUND_US = 14 * 86_400_000_000  # what was said in two weeks before is what is usual
_BIN_US = int(FAST_BIN_S * 1e6)
_READ = 300  # the newest posts of an episode, and as many of the usual, whose words are compared
_FEW, _MORE = 30, 1.25  # words are looked for anew at each of the first posts, then whenever a quarter more have come


@dataclass(slots=True)
class _News:
    """What a batch has found of one alert."""

    posts: list[Mention] = field(default_factory=list)
    signal: Signal | None = None


class Episodes:
    """The alerts of one transaction. `close` saves them."""

    def __init__(self, uow: Uow, clock: Clock) -> None:
        self._uow, self._clock = uow, clock
        self._news: dict[str, _News] = {}

    def follow(self, alert_id: str, watch: Watch, key: tuple[str, str, int], signal: Signal) -> str:
        """What a stream said of its series; returns the id of the series' alert from now on, empty for none."""
        current = alerts.find_alert(self._uow, alert_id) if alert_id else None
        if signal.kind == "ended":
            if current is not None:
                self._end(current.id, signal.at_s)
            return ""
        if signal.kind == "grown" and current is not None:
            if current.state == domain.State.RESOLVED:  # a person said that it is over, and it is not
                since = replace(signal, began_s=max(signal.began_s, current.resolved_us / 1e6))
                return self._raise(watch, key, since) if watch.alerting else alert_id
            self._of(alert_id).signal = signal
            return alert_id
        if current is not None:  # its stream began anew and never said that it ended
            self._end(current.id, signal.at_s)
        return self._raise(watch, key, signal) if watch.alerting else ""

    def add(self, alert_id: str, post: Mention) -> None:
        """A post of the episode."""
        self._of(alert_id).posts.append(post)

    def close(self) -> None:
        """Saves what the batch changed."""
        for alert_id in list(self._news):
            self._grow(alert_id)

    def _of(self, alert_id: str) -> _News:
        return self._news.setdefault(alert_id, _News())

    def _end(self, alert_id: str, at_s: float) -> None:
        self._grow(alert_id)
        row = alerts.find_alert(self._uow, alert_id)
        if row is not None:
            end_alert(self._uow, row, datetime.fromtimestamp(at_s, UTC), self._clock)

    def _raise(self, watch: Watch, key: tuple[str, str, int], signal: Signal) -> str:
        now_us = micros(self._clock.now())
        began_us = int(signal.began_s * 1e6)
        began_us -= began_us % _BIN_US
        found = mentions.list_of_watch(self._uow, watch.id, began_us, int(signal.at_s * 1e6) + 1)
        posts = [one for one in found if one.source == key[1] and one.tone in {0, key[2]}]
        row = Alert(
            id=new_id("alr"),
            number=alerts.next_number(self._uow),
            watch_id=watch.id,
            watch_name=watch.name,
            brand_id=watch.brand_id,
            source=key[1],
            tone=key[2],
            raised_us=now_us,
            updated_us=began_us,
            began_us=began_us,
            usual=signal.usual,
            usual_high=signal.usual_high,
            peak=signal.peak,
            score=signal.score,
            threshold=signal.usual_high,
            bin_minutes=round(signal.bin_s / 60),
            sources=(key[1],),
            first_mention_id=posts[0].id if posts else "",
        )
        alerts.add_alert(self._uow, row)
        noun = domain.update(alerts.noun(row), self._evidence(row, posts), signal)
        row = replace(alerts.with_noun(row, noun), version=1, rev=self._uow.next_revs(1)[0])
        alerts.save_alert(self._uow, row)
        alerts.note(self._uow, row.id, at_us=now_us, act="raised", detail=row.severity)
        self._uow.emit(wire.alert_raised(row))
        row = _fold(self._uow, row, self._clock)
        if domain.speaks(alerts.noun(row), None, self._clock.now()):
            tell(self._uow, row, "raised", self._clock)
        return row.id

    def _grow(self, alert_id: str) -> None:
        """More of an episode: the same alert, with more evidence."""
        news = self._news.pop(alert_id, None)
        row = alerts.find_alert(self._uow, alert_id) if news else None
        if row is None or news is None:
            return
        before = alerts.noun(row)
        if before.is_open:
            after = domain.update(before, self._evidence(row, news.posts), news.signal)
            _fold(self._uow, change(self._uow, row, after, "updated", self._clock), self._clock)

    def _evidence(self, row: Alert, posts: Sequence[Mention]) -> Evidence:
        """What all its posts come to, with these; those it has already do not count again."""
        fresh = alerts.link_mentions(self._uow, row.id, list({one.id: one for one in posts}))
        new = [one for one in posts if one.id in fresh]
        count = row.count + len(fresh)
        terms = row.terms
        if count <= _FEW or _grade(count) > _grade(row.count):
            terms = self._terms(row)
        newest_us = max((one.occurred_us for one in posts), default=row.updated_us)
        reach = row.reach + sum({one.id: one.followers for one in new}.values())
        return Evidence(count, reach, terms, datetime.fromtimestamp(newest_us / 1e6, UTC))

    def _terms(self, row: Alert) -> tuple[str, ...]:
        evidence = mentions.list_evidence(self._uow, row.id, _READ)
        before = mentions.list_of_watch(self._uow, row.watch_id, row.began_us - BACKGROUND_US, row.began_us, _READ)
        found = matter([(one.text, one.matched) for one in evidence], [one.text for one in before])
        return tuple(one.term for one in found)


def change(
    uow: Uow, row: Alert, noun: domain.Alert, act: str, clock: Clock, *, by: str = "", detail: str = ""
) -> Alert:
    """Stores what the domain made of an alert, tells who is to be told, and says it; nothing changed: nothing happens."""
    before = alerts.noun(row)
    if noun == before:
        return row
    now = clock.now()
    row = replace(alerts.with_noun(row, noun), rev=uow.next_revs(1)[0])
    alerts.save_alert(uow, row)
    if act != "updated":
        alerts.note(uow, row.id, at_us=micros(now), act=act, by=by, detail=detail[:500])
    if domain.worsened(noun, before):
        alerts.note(uow, row.id, at_us=micros(now), act="severity", detail=row.severity)
    if act == "escalate":
        tell(uow, row, f"escalated:{row.version}", clock)
    elif domain.speaks(noun, before, now):
        tell(uow, row, f"severity:{row.severity}", clock)
    uow.emit(wire.alert_changed(row, act, by))
    if before.is_open and not noun.is_open:  # what was folded under it still wants a verdict of its own
        for child in alerts.list_children(uow, [row.id]):
            if (part := alerts.noun(child)).is_open:
                change(uow, child, domain.fold(part, ""), "unfolded", clock, by=by, detail=f"A-{row.number}")
    return row


def _fold(uow: Uow, row: Alert, clock: Clock) -> Alert:
    """Puts an alert under the crisis it is part of, or under this crisis what is part of it."""
    noun = alerts.noun(row)
    if noun.severity is Severity.CRISIS:
        for other in alerts.list_loose(uow, row.brand_id):
            if domain.belongs(part := alerts.noun(other), noun):
                change(uow, other, domain.fold(part, row.id), "folded", clock, detail=f"A-{row.number}")
        return row
    if noun.parent_id:
        return row
    for crisis in alerts.list_crises(uow, row.brand_id):
        if domain.belongs(noun, alerts.noun(crisis)):
            return change(uow, row, domain.fold(noun, crisis.id), "folded", clock, detail=f"A-{crisis.number}")
    return row


def end_alert(uow: Uow, row: Alert, at: datetime, clock: Clock) -> None:
    """The alert's episode is over."""
    change(uow, row, domain.end(alerts.noun(row), at=at), "ended", clock)


def end_of_watch(uow: Uow, watch_id: str, clock: Clock) -> None:
    """Forgets a watch's detectors: its query changed, or it is gone. What was under way is not listened to any more."""
    for series in alerts.list_series(uow):
        row = alerts.find_alert(uow, series.alert_id) if series.watch_id == watch_id and series.alert_id else None
        if row is not None:
            end_alert(uow, row, clock.now(), clock)
    alerts.drop_series(uow, watch_id)


def unmute_due(uow: Uow, clock: Clock) -> None:
    """Ends the mutes whose time is over."""
    uow.lock(LOCK)
    now = clock.now()
    for row in alerts.list_muted_out(uow, micros(now)):
        noun = alerts.noun(row)
        change(uow, row, domain.unmute(noun, version=noun.version, at=now), "unmuted", clock)


def tell(uow: Uow, alert: Alert, cause: str, clock: Clock) -> None:
    """Queues notices, once a cause, to those who want to know of this severity."""
    rank = SEVERITIES.index(Severity(alert.severity))
    notices = [
        Notice(id=new_id("ntc"), notifier_id=one.id, alert_id=alert.id, cause=cause, due_us=micros(clock.now()))
        for one in config.list_notifiers(uow)
        if one.enabled and one.brand_id in {"", alert.brand_id} and SEVERITIES.index(Severity(one.min_severity)) <= rank
    ]
    config.add_notices(uow, notices)


def _grade(count: int) -> int:
    return int(math.log(count, _MORE)) if count else -1
