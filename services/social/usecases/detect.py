"""Hears bursts: each new mention goes to the stream of its watch, source and tone; what the stream says becomes an alert.

A consumer of our own `MentionSeen`, so that detection happens once per mention, in order, in the transaction of the
position. Streams run on the time of the posts; imports and what is long past teach them and alert nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import Invalid
from services.kit.ids import new_id
from services.kit.uow import Mode, Uow
from services.social import wire
from services.social.domain.alert import severity_of
from services.social.domain.detector import FAST_BIN_S, Signal, Stream
from services.social.domain.reason import lifts, terms_of
from services.social.store import alerts, config, mentions
from services.social.store.alerts import Alert, Bin, Series
from services.social.store.config import Notice, Watch
from services.social.store.mentions import Mention
from services.social.store.rows import micros
from services.social.usecases.configure import SEVERITIES

NEGATIVE = 1
_BIN_US = int(FAST_BIN_S * 1e6)
_BACKGROUND = timedelta(days=14)
_MOST_BACKGROUND = 300
_OVER = frozenset({"resolved", "false_alarm"})
_ENDS_AFTER = timedelta(hours=2)
_log = log.logger("social")


@dataclass(frozen=True, slots=True)
class Heard:
    """A mention with what its envelope said."""

    mention: Mention
    mode: Mode


class _Streams:
    """The streams a batch touches: read once, written once."""

    def __init__(self, uow: Uow) -> None:
        self._stored = {(one.watch_id, one.source, one.tone): one for one in alerts.list_series(uow)}
        self._open: dict[tuple[str, str, int], Stream] = {}

    def of(self, key: tuple[str, str, int]) -> Stream:
        if key not in self._open:
            self._open[key] = self._unpack(key)
        return self._open[key]

    def _unpack(self, key: tuple[str, str, int]) -> Stream:
        stored = self._stored.get(key)
        if stored is None:
            return Stream()
        try:
            return Stream.unpack(stored.state)
        except Invalid:
            _log.warning("detect.anew", watch_id=key[0], source=key[1])
            return Stream()

    def alert_id(self, key: tuple[str, str, int]) -> str:
        stored = self._stored.get(key)
        return stored.alert_id if stored else ""

    def set_alert(self, key: tuple[str, str, int], alert_id: str) -> None:
        self._stored[key] = Series(watch_id=key[0], source=key[1], tone=key[2], state=b"", alert_id=alert_id)

    def store(self, uow: Uow) -> None:
        rows = [
            Series(watch_id=key[0], source=key[1], tone=key[2], state=stream.pack(), alert_id=self.alert_id(key))
            for key, stream in self._open.items()
        ]
        alerts.put_series(uow, rows)


def detect(uow: Uow, heard: Sequence[Heard], clock: Clock) -> None:
    """Lets the streams hear mentions, oldest first, and raises or grows the alerts that follow."""
    watches = {watch.id: watch for watch in config.list_watches(uow)}
    streams = _Streams(uow)
    touched: dict[str, list[str]] = {}
    bins: dict[tuple[str, str, int], Bin] = {}
    for one in sorted(heard, key=lambda item: item.mention.occurred_us):
        mention = one.mention
        for watch_id in mention.watch_ids:
            if watch_id not in watches:
                continue
            stream = streams.of((watch_id, mention.source, NEGATIVE))
            teach = one.mode is not Mode.LIVE
            mass = mention.negative if mention.tone else 1.0
            signal = stream.observe(mention.occurred_us / 1e6, mass, teach=teach)
            _count(bins, watch_id, mention, stream)
            key = (watch_id, mention.source, NEGATIVE)
            if signal is not None and not teach:
                _follow(uow, streams, key, watches[watch_id], signal, clock)
            if not teach and (alert_id := streams.alert_id(key)) and mention.tone in {0, NEGATIVE}:
                touched.setdefault(alert_id, []).append(mention.id)
    alerts.add_bins(uow, list(bins.values()))
    for alert_id, found in touched.items():
        _grow(uow, alert_id, found, clock)
    streams.store(uow)


def _count(bins: dict[tuple[str, str, int], Bin], watch_id: str, mention: Mention, stream: Stream) -> None:
    at_us = mention.occurred_us - mention.occurred_us % _BIN_US
    key = (watch_id, mention.source, at_us)
    usual, high, bin_s = stream.usual()
    share = FAST_BIN_S / bin_s
    before = bins.get(key) or Bin(
        watch_id=watch_id, source=mention.source, at_us=at_us, negative=0, neutral=0, positive=0, reach=0
    )
    bins[key] = replace(
        before,
        negative=before.negative + (mention.tone == NEGATIVE),
        neutral=before.neutral + (mention.tone in {0, 2}),
        positive=before.positive + (mention.tone == 3),
        reach=before.reach + mention.followers,
        expected=usual * share,
        high=high * share,
    )


def _follow(uow: Uow, streams: _Streams, key: tuple[str, str, int], watch: Watch, signal: Signal, clock: Clock) -> None:
    current = alerts.find_alert(uow, streams.alert_id(key)) if streams.alert_id(key) else None
    if signal.kind == "ended":
        if current is not None and not current.ended_us:
            _save(uow, replace(current, ended_us=int(signal.at_s * 1e6)), "ended", clock)
        streams.set_alert(key, "")
        return
    if current is not None and current.state not in _OVER and signal.kind == "grown":
        grown = replace(current, peak=max(current.peak, signal.peak), score=max(current.score, signal.score))
        _save(uow, grown, "updated", clock)
        return
    if watch.alerting and (current is None or signal.kind == "raised"):
        streams.set_alert(key, _raise(uow, key, watch, signal, clock))


def _raise(uow: Uow, key: tuple[str, str, int], watch: Watch, signal: Signal, clock: Clock) -> str:
    now_us = micros(clock.now())
    began_us = int(signal.began_s * 1e6)
    began_us -= began_us % _BIN_US
    row = Alert(
        id=new_id("alr"),
        number=alerts.next_number(uow),
        watch_id=watch.id,
        watch_name=watch.name,
        brand_id=watch.brand_id,
        source=key[1],
        tone=key[2],
        raised_us=now_us,
        updated_us=now_us,
        began_us=began_us,
        usual=signal.usual,
        usual_high=signal.usual_high,
        peak=signal.peak,
        score=signal.score,
        threshold=signal.usual_high,
        bin_minutes=round(signal.bin_s / 60),
    )
    alerts.add_alert(uow, row)
    episode = [
        one.id
        for one in mentions.list_of_watch(uow, watch.id, began_us, int(signal.at_s * 1e6) + 1)
        if one.source == key[1] and one.tone in {0, key[2]}
    ]
    alerts.link_mentions(uow, row.id, episode)
    described = _describe(uow, row)
    rev = uow.next_revs(1)[0]
    described = replace(described, rev=rev)
    alerts.save_alert(uow, described)
    alerts.note(uow, row.id, at_us=now_us, act="raised", detail=described.severity)
    tell(uow, described, "raised", clock)
    uow.emit(wire.alert_raised(described))
    return row.id


def _grow(uow: Uow, alert_id: str, mention_ids: Sequence[str], clock: Clock) -> None:
    """More of an episode: the same alert, with more evidence."""
    before = alerts.find_alert(uow, alert_id)
    if before is None or before.state in _OVER:
        return
    alerts.link_mentions(uow, alert_id, mention_ids)
    after = _describe(uow, before)
    if after != before:
        _save(uow, after, "updated", clock)


def _describe(uow: Uow, alert: Alert) -> Alert:
    """The alert with what its evidence says: count, reach, terms, sources, first post, severity."""
    linked = mentions.find_mentions(uow, alerts.linked_mentions(uow, alert.id))
    evidence = sorted(linked.values(), key=lambda one: one.occurred_us)
    if not evidence:
        return alert
    background_us = alert.began_us - int(_BACKGROUND.total_seconds() * 1e6)
    background = mentions.list_of_watch(uow, alert.watch_id, background_us, alert.began_us, _MOST_BACKGROUND)
    usual = Counter(term for one in background for term in terms_of(one.text))
    words = frozenset(word.lstrip("#@") for one in evidence for word in one.matched)
    terms = lifts([one.text for one in evidence], usual, len(background), leave_out=words)
    reach = sum(one.followers for one in evidence)
    severity = severity_of(count=len(evidence), peak=alert.peak, usual_high=alert.usual_high, reach=reach).value
    if SEVERITIES.index(severity) < SEVERITIES.index(alert.severity):
        severity = alert.severity
    return replace(
        alert,
        count=len(evidence),
        reach=reach,
        terms=tuple(term.term for term in terms),
        sources=tuple(sorted({one.source for one in evidence})),
        first_mention_id=evidence[0].id,
        severity=severity,
        updated_us=max(alert.updated_us, evidence[-1].occurred_us),
    )


def _save(uow: Uow, alert: Alert, act: str, clock: Clock) -> None:
    before = alerts.find_alert(uow, alert.id)
    rev = uow.next_revs(1)[0]
    alert = replace(alert, rev=rev, version=alert.version + 1)
    alerts.save_alert(uow, alert)
    if before is not None and before.severity != alert.severity:
        alerts.note(uow, alert.id, at_us=micros(clock.now()), act="severity", detail=alert.severity)
        tell(uow, alert, f"severity:{alert.severity}", clock)
    if act == "ended":
        alerts.note(uow, alert.id, at_us=micros(clock.now()), act="ended")
    uow.emit(wire.alert_changed(alert, act))


def tell(uow: Uow, alert: Alert, cause: str, clock: Clock) -> None:
    """Queues notices, once a cause, to those who want to know of this severity; a muted alert tells nobody."""
    if alert.state == "muted":
        return
    config_rows = [
        Notice(id=new_id("ntc"), notifier_id=one.id, alert_id=alert.id, cause=cause, due_us=micros(clock.now()))
        for one in config.list_notifiers(uow)
        if one.enabled
        and one.brand_id in {"", alert.brand_id}
        and SEVERITIES.index(one.min_severity) <= SEVERITIES.index(alert.severity)
    ]
    config.add_notices(uow, config_rows)


def close_silent(uow: Uow, clock: Clock) -> int:
    """Marks alerts as ended whose episode has been silent for two hours; unmutes those whose mute is over."""
    now = clock.now()
    ended = alerts.list_silent(uow, micros(now - _ENDS_AFTER))
    for alert in ended:
        _save(uow, replace(alert, ended_us=micros(now)), "ended", clock)
    muted = alerts.list_muted_out(uow, micros(now))
    for alert in muted:
        _save(uow, replace(alert, state=alert.unmuted_state, muted_until_us=0, mute_reason=""), "unmuted", clock)
    return len(ended) + len(muted)
