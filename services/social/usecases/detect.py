"""Hears bursts: each new mention goes to the stream of its watch, source and tone; what the stream says becomes an alert.

A consumer of our own `MentionSeen`, so that detection happens once per mention, in order, in the transaction of the
position. Streams run on the time of the posts; imports and what is long past teach them and alert nobody. How far a
source was heard bounds what its streams may take for silence: what could not be read is a gap, never a zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import Invalid
from services.kit.uow import Mode, Reader, Uow
from services.social.domain.detector import FAST_BIN_S, Stream
from services.social.store import alerts, config
from services.social.store.alerts import Bin, Series
from services.social.store.config import Watch
from services.social.store.mentions import Mention
from services.social.store.rows import LOCK
from services.social.usecases.episodes import Episodes

NEGATIVE = 1
_BIN_US = int(FAST_BIN_S * 1e6)
_SETTLES = timedelta(minutes=15)  # so long after its time a post may still turn up where a source was read to
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
    uow.lock(LOCK)
    watches = {watch.id: watch for watch in config.list_watches(uow)}
    streams, episodes = _Streams(uow), Episodes(uow, clock)
    bins: dict[tuple[str, str, int], Bin] = {}
    for one in sorted(heard, key=lambda item: item.mention.occurred_us):
        mention = one.mention
        for watch_id in mention.watch_ids:
            if watch_id not in watches:
                continue
            key = (watch_id, mention.source, NEGATIVE)
            stream = streams.of(key)
            teach = one.mode is not Mode.LIVE
            mass = mention.negative if mention.tone else 1.0
            signal = stream.observe(mention.occurred_us / 1e6, mass, teach=teach)
            _count(bins, watch_id, mention, stream)
            if signal is not None:
                streams.set_alert(key, episodes.follow(streams.alert_id(key), watches[watch_id], key, signal))
            if not teach and (alert_id := streams.alert_id(key)) and mention.tone in {0, NEGATIVE}:
                episodes.add(alert_id, mention)
    alerts.add_bins(uow, list(bins.values()))
    episodes.close()
    streams.store(uow)


def under_way(reader: Reader) -> list[tuple[Series, Watch, float]]:
    """The series whose episode may have calmed down, each with the time, in seconds, up to which it was heard."""
    watches = {watch.id: watch for watch in config.list_watches(reader)}
    sources = config.list_sources(reader)
    found = []
    for series in alerts.list_series(reader):
        if series.alert_id and series.watch_id in watches:
            watch = watches[series.watch_id]
            heard_us = config.heard_until(config.reads(sources, series.source, watch.source_ids))
            found.append((series, watch, heard_us / 1e6 - _SETTLES.total_seconds()))
    return found


def settle(uow: Uow, clock: Clock) -> None:
    """Lets the streams of episodes know how far their source was heard: an episode ends by its calm, known and not supposed."""
    uow.lock(LOCK)
    streams, episodes = _Streams(uow), Episodes(uow, clock)
    for series, watch, heard_s in under_way(uow):
        key = (series.watch_id, series.source, series.tone)
        signal = streams.of(key).advance(heard_s) if heard_s > 0 else None
        if signal is not None:
            streams.set_alert(key, episodes.follow(series.alert_id, watch, key, signal))
    episodes.close()
    streams.store(uow)


def miss(uow: Uow, source: str, until_us: int) -> None:
    """Tells every stream of a kind of source that what was said until then can no longer be read."""
    uow.lock(LOCK)
    streams = _Streams(uow)
    for series in alerts.list_series(uow):
        if series.source == source:
            streams.of((series.watch_id, series.source, series.tone)).miss(until_us / 1e6)
    streams.store(uow)


def listening_since(series: Series | None) -> int:
    """When a series was first listened to, in microseconds; 0 where that is not known."""
    if series is None:
        return 0
    try:
        since_s = Stream.unpack(series.state).since_s
    except Invalid:  # of another version: it begins anew with the next post
        return 0
    return 0 if math.isnan(since_s) else int(since_s * 1e6)


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
