"""Alerts: listed with the proof that detection is awake, shown with their evidence, changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ascolto.social.v1 import events_pb2 as events
from ascolto.social.v1 import service_pb2 as pb
from services.kit.errors import NotFound
from services.kit.rpc import person_of
from services.social import wire
from services.social.domain.alert import SEVERITIES, Severity, silenced
from services.social.domain.detector import FAST_BIN_S
from services.social.domain.reason import authors_by_reach, matter
from services.social.rpc.deps import Calls, limit_of
from services.social.store import alerts, config, mentions, pages
from services.social.store.alerts import Alert, Bin
from services.social.store.config import Notifier, SourceRow
from services.social.store.mentions import Mention
from services.social.store.rows import micros, moment
from services.social.telling import whom
from services.social.usecases.act import AlertAct, change_alert
from services.social.usecases.detect import listening_since
from services.social.usecases.episodes import BACKGROUND_US

_HISTORY = 3  # times the episode is shown before it
_SHORTEST = timedelta(hours=2)
_MOST_BINS = 300
_POSTS = 50
_UNREAD_US = 2 * 3_600_000_000  # no source waits longer than an hour between reads
_DAY_US = 24 * 3_600_000_000
_BIN_US = int(FAST_BIN_S * 1e6)


class AlertCalls(Calls):
    """See the module."""

    def ListAlerts(self, request: pb.ListAlertsRequest, context: Any) -> pb.ListAlertsResponse:
        """A page of alerts, newest first, and what says whether silence can be believed."""
        person = person_of(context)
        with self._deps.database.read() as reader:
            found, following, total = pages.page_of_alerts(
                reader,
                states=request.states,
                brand_id=request.brand_id,
                brands=person.brand_ids,
                parent_id=request.parent_id,
                after=request.page.after,
                limit=limit_of(request.page),
            )
            children = alerts.list_children(reader, [row.id for row in found])
            hours = mentions.alerts_per_hour(
                reader, [row.id for row in found], micros(self._deps.clock.now()) - _DAY_US
            )
            figures = pages.figures(reader, brand_id=request.brand_id, brands=person.brand_ids)
            sick = self._sick(config.list_sources(reader))
        lags = self._deps.lags()
        return pb.ListAlertsResponse(
            alerts=[wire.alert(row) for row in found],
            next=following,
            total=total,
            mentions_since=figures.read_since,
            last_alert_at=wire.stamp(figures.last_raised_us),
            judged=figures.judged,
            judged_real=figures.real,
            children=[wire.alert(row) for row in children],
            hours=[pb.AlertHours(alert_id=own, per_hour=counts) for own, counts in hours.items()],
            sick_sources=[wire.source(row) for row in sick if not row.brand_id or person.sees_brand(row.brand_id)],
            detector_lag_s=max((lag.age_s for lag in lags), default=0.0),
            detector_fault=next((lag.paused for lag in lags if lag.paused), ""),
        )

    def _sick(self, sources: Sequence[SourceRow]) -> list[SourceRow]:
        """Sources that are on and not heard: those that say so, and those nobody has read for longer than any waits."""
        now_us, compiled = micros(self._deps.clock.now()), self._deps.watching.compiled()
        found: list[SourceRow] = []
        for row in sources:
            if row.enabled and row.state != "on":
                found.append(row)
            elif row.enabled and 0 < row.last_success_us < now_us - _UNREAD_US and compiled.reads(row.id):
                found.append(replace(row, state="failing", last_error="It is on, and nobody has read it since."))
        return found

    def GetAlert(self, request: pb.GetAlertRequest, context: Any) -> pb.AlertDetail:
        """An alert with chart, terms, authors, posts and timeline."""
        now_us, person = micros(self._deps.clock.now()), person_of(context)
        with self._deps.database.read() as reader:
            row = alerts.find_alert(reader, request.id)
            if row is None or not person.sees_brand(row.brand_id):
                raise NotFound(f"There is no alert {request.id}.")
            watch = config.find_watch(reader, row.watch_id)
            evidence = sorted(mentions.list_evidence(reader, row.id), key=lambda one: one.occurred_us)
            background = mentions.list_of_watch(reader, row.watch_id, row.began_us - BACKGROUND_US, row.began_us)
            since_us, until_us = _span(row, now_us)
            bins = [
                one for one in alerts.list_bins(reader, row.watch_id, since_us, until_us) if one.source == row.source
            ]
            sources = config.reads(config.list_sources(reader), row.source, watch.source_ids if watch else ())
            gaps = config.list_gaps(reader, sources, since_us)
            first_us = listening_since(alerts.find_series(reader, row.watch_id, row.source, row.tone))
            timeline = alerts.timeline(reader, row.id)
            parent = alerts.find_alert(reader, row.parent_id) if row.parent_id else None
            children = alerts.list_children(reader, [row.id])
            notifiers = [one for one in config.list_notifiers(reader) if one.brand_id in {"", row.brand_id}]
            figures = pages.figures(reader, brand_id="", brands=person.brand_ids)
        first_us -= first_us % _BIN_US
        before_us = first_us if first_us <= row.began_us else 0  # a watch that changed listens anew, and did before
        unheard = [(0, before_us), *((gap.from_us, gap.until_us) for gap in gaps)]
        terms = matter([(one.text, one.matched) for one in evidence], [one.text for one in background])
        authors = authors_by_reach((one.author_handle, one.followers) for one in evidence)
        widest = max(evidence, key=lambda one: one.reach, default=None)
        return pb.AlertDetail(
            alert=wire.alert(row),
            bins=_bins(bins, unheard, since_us, until_us, now_us),
            terms=[pb.Lift(term=one.term, count=one.count, lift=one.lift) for one in terms],
            sources=[
                pb.Lift(term=name, count=count) for name, count in Counter(one.source for one in evidence).most_common()
            ],
            authors=[pb.AuthorReach(handle=one.handle, followers=one.followers, count=one.count) for one in authors],
            posts=[wire.mention(one) for one in _representative(evidence)],
            timeline=[wire.happening(one) for one in timeline],
            query=watch.query if watch else "",
            series=f"{row.watch_name} × {row.source} × negative",
            threshold=row.threshold,
            threshold_reason="learned",
            first=wire.mention(evidence[0]) if evidence else None,
            widest=wire.mention(widest) if widest else None,
            children=[wire.alert(one) for one in children],
            parent=wire.alert(parent) if parent else None,
            told=[whom(one) for one in notifiers if one.enabled and _kept_back(one, row)],
            judged=figures.judged,
            judged_real=figures.real,
        )

    def ChangeAlert(self, request: pb.ChangeAlertRequest, context: Any) -> events.Alert:
        """claim, assign, mute, unmute, escalate, resolve, false_alarm, link_ticket."""
        person = person_of(context)
        act = AlertAct(
            act=request.act,
            user_id=request.user_id or person.user_id,
            version=request.version,
            until=moment(wire.micros(request.until)),
            until_end=request.until_end,
            reason=request.reason,
            cause=request.cause,
            ticket_id=request.ticket_id,
            assignee=request.assignee,
        )
        return wire.alert(change_alert(self._deps.database, request.id, act, person, self._deps.clock))


def _kept_back(notifier: Notifier, row: Alert) -> bool:
    """Whether a mute would keep a notice from somebody."""
    least = SEVERITIES.index(Severity(notifier.min_severity))
    return any(SEVERITIES.index(one) >= least for one in silenced(alerts.noun(row)))


def _span(row: Alert, now_us: int) -> tuple[int, int]:
    until_us = min(now_us, (row.ended_us or row.updated_us) + 6 * _BIN_US) + 1
    length_us = max(until_us - row.began_us, int(_SHORTEST.total_seconds() * 1e6))
    since_us = max(row.began_us - _HISTORY * length_us, until_us - _MOST_BINS * _BIN_US)
    return since_us - since_us % _BIN_US, until_us


def _bins(
    stored: Sequence[Bin], unheard: Sequence[tuple[int, int]], since_us: int, until_us: int, now_us: int
) -> list[pb.Bin]:
    """Every bin of the span: silence that was heard is zero, silence that was not is missing, the one under way is open."""
    known = {one.at_us: one for one in stored}
    made: list[pb.Bin] = []
    expected = high = 0.0
    for at_us in range(since_us, until_us, _BIN_US):
        one = known.get(at_us)
        if one is not None:
            expected, high = one.expected, one.high
        made.append(
            pb.Bin(
                at=wire.stamp(at_us),
                negative=one.negative if one else 0,
                neutral=one.neutral if one else 0,
                positive=one.positive if one else 0,
                reach=one.reach if one else 0,
                expected=expected,
                high=high,
                missing=one is None and any(begin < at_us + _BIN_US and at_us < end for begin, end in unheard),
                open=at_us + _BIN_US > now_us,
            )
        )
    return made


def _representative(evidence: Sequence[Mention]) -> list[Mention]:
    """Originals before copies, surest and widest first; at most 50."""
    return sorted(evidence, key=lambda one: (bool(one.repost_of), -one.risk))[:_POSTS]
