"""An episode's life: who is told of it, how it ends, what is missing from it, what it costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.social.v1 import service_pb2 as pb
from services.kit.errors import Conflict, Forbidden
from services.kit.principal import Person
from services.social.store import alerts, config
from tests.social.world import ANGRY

DAY_US = 86_400_000_000


def in_an_hour(social, hours=24):
    until = Timestamp()
    until.FromDatetime(social.clock.now() + timedelta(hours=hours))
    return until


def notices(social):
    with social.parts.database.read() as reader:
        return sorted(one.cause for one in config.list_due(reader, 1 << 62, 100))


def told_by_mail(social):
    social.call("PutNotifier", pb.Notifier(kind="email", target="rep@shop.example", on=True))


def raised(social, posts=30):
    social.quiet_fortnight()
    social.burst(posts)
    return social.alerts()[0]


def stream_of(social):
    with social.parts.database.read() as reader:
        return alerts.list_series(reader)[0]


def test_a_muted_alert_speaks_once_it_is_a_crisis(social):
    told_by_mail(social)
    alert = raised(social, 20)
    assert alert.severity != "crisis"
    social.act(alert, "mute", until=in_an_hour(social), reason="known")

    social.burst(80, first=20)
    muted = social.alerts()[0]

    assert (muted.state, muted.severity) == ("muted", "crisis")
    assert "severity:crisis" in notices(social)


def test_a_muted_alert_that_is_merely_worse_is_silent(social):
    told_by_mail(social)
    social.quiet_fortnight()
    social.burst(12)
    alert = social.alerts()[0]
    assert alert.severity == "notice"
    social.act(alert, "mute", until=in_an_hour(social), reason="known")

    social.burst(10, first=12)

    assert social.alerts()[0].severity == "serious"
    assert notices(social) == ["raised"]


def test_an_episode_ends_by_its_calm_as_far_as_its_source_was_heard(social):
    alert = raised(social)
    social.heard()

    social.clock.advance(hours=6)
    social.tidy()
    assert not social.alerts()[0].HasField("ended_at")  # nobody has read the source: it may still go on
    social.heard()
    social.tidy()

    ended = social.alerts()[0]
    assert ended.HasField("ended_at")
    assert [one.act for one in social.call("GetAlert", pb.GetAlertRequest(id=alert.id)).timeline][-1] == "ended"
    assert stream_of(social).alert_id == ""


def test_a_burst_after_the_end_is_another_alert(social):
    first = raised(social)
    social.clock.advance(hours=6)
    social.heard()
    social.tidy()

    social.burst(60, first=100)

    assert {one.id for one in social.alerts()} > {first.id}
    assert social.call("ListAlerts", pb.ListAlertsRequest()).total == 2


def test_a_mute_ends_with_the_episode_it_silenced_or_at_its_time(social):
    alert = raised(social)
    social.act(alert, "mute", until=in_an_hour(social, 1), reason="known")
    social.clock.advance(hours=2)
    social.tidy()
    assert social.alerts()[0].state == "raised"

    social.act(alert, "mute", until=in_an_hour(social, 48), reason="known")
    social.clock.advance(hours=4)
    social.heard()
    social.tidy()

    over = social.alerts()[0]
    assert (over.state, over.mute_reason) == ("raised", "")
    assert over.HasField("ended_at")


def test_what_doubles_after_somebody_called_it_over_is_raised_anew(social):
    alert = raised(social)
    social.act(alert, "resolve", cause="courier")

    for number in range(300):
        social.clock.advance(seconds=1)
        social.post(f"again{number}", f"{ANGRY[number % 5]} {'y' * number}", social.clock.now())

    found = social.alerts()
    assert [one.state for one in found] == ["raised", "resolved"]
    assert found[0].began_at.ToMicroseconds() >= found[1].resolved_at.ToMicroseconds() - 300_000_000


def test_a_false_alarm_stays_silent_for_its_episode(social):
    alert = raised(social)
    social.act(alert, "false_alarm", cause="expected")

    social.burst(100, first=30)

    assert [one.state for one in social.alerts()] == ["false_alarm"]


def test_silence_of_a_source_that_fails_is_missing_from_the_chart_and_no_zero(social):
    alert = raised(social)
    social.clock.advance(minutes=6)
    social.heard()
    source = social.call("ListSources", Empty()).sources[0]
    failed_us = int(social.clock.now().timestamp() * 1e6)
    social.parts.database.write(
        lambda uow: config.trouble(uow, source.id, state="failing", error="away", retry_us=failed_us)
    )
    social.clock.advance(hours=2)

    bins = social.call("GetAlert", pb.GetAlertRequest(id=alert.id)).bins

    after = [one for one in bins if one.at.ToMicroseconds() >= failed_us]
    before = [one for one in bins if one.at.ToMicroseconds() < failed_us - 300_000_000]
    assert after
    assert all(one.missing for one in after)
    assert not any(one.missing for one in before)


def test_the_time_before_listening_began_is_missing_from_the_chart(social):
    social.burst(30)
    alert = social.alerts()[0]

    bins = social.call("GetAlert", pb.GetAlertRequest(id=alert.id)).bins

    began = alert.began_at.ToMicroseconds()
    assert all(one.missing for one in bins if one.at.ToMicroseconds() < began)
    assert not any(one.missing for one in bins if one.at.ToMicroseconds() >= began)


def test_a_detector_that_lags_and_a_source_nobody_reads_are_told_with_the_alerts(social):
    social.quiet_fortnight()
    assert social.call("ListAlerts", pb.ListAlertsRequest()).detector_lag_s == 0
    social.clock.advance(
        seconds=(datetime.now(UTC) - social.clock.now()).total_seconds()
    )  # ids are made by the real clock
    social.heard()
    social.post("late", ANGRY[0], social.clock.now())
    social.clock.advance(hours=3)

    page = social.call("ListAlerts", pb.ListAlertsRequest())

    assert page.detector_lag_s > 60
    assert [(one.kind, one.state) for one in page.sick_sources] == [("replay", "failing")]


def test_a_changed_query_ends_what_was_under_way_and_a_stale_change_touches_nothing(social):
    raised(social)
    watch = social.call("ListWatches", Empty()).watches[0]
    with pytest.raises(Conflict):
        social.call("DeleteWatch", pb.DeleteWatchRequest(id=watch.id, version=watch.version + 1))
    assert stream_of(social).alert_id

    watch.query = '"Lumaca Casa" pacco'
    social.call("PutWatch", watch)

    assert social.alerts()[0].HasField("ended_at")
    with social.parts.database.read() as reader:
        assert alerts.list_series(reader) == []
    with pytest.raises(Conflict):
        social.call("PutWatch", watch)


def test_each_term_of_an_alert_leads_to_as_many_posts_as_it_says(social):
    alert = raised(social)

    terms = social.call("GetAlert", pb.GetAlertRequest(id=alert.id)).terms

    assert terms
    for term in terms:
        page = social.call("ListMentions", pb.ListMentionsRequest(alert_id=alert.id, term=term.term))
        assert page.total == term.count, term.term
    assert not any("lumaca" in term.term for term in terms)  # the words of the query say nothing


def test_another_brands_watches_sources_and_notifiers_are_out_of_reach(social):
    stranger = Person("usr_s", permissions=frozenset({"admin"}), brand_ids=frozenset({"brd_2"}))
    watch = social.call("ListWatches", Empty()).watches[0]

    with pytest.raises(Forbidden):
        social.call("PutWatch", watch, stranger)
    with pytest.raises(Forbidden):
        social.call("DeleteWatch", pb.DeleteWatchRequest(id=watch.id), stranger)
    with pytest.raises(Forbidden):
        social.call("PutSource", pb.PutSourceRequest(kind="replay", name="all", on=True), stranger)
    told_by_mail(social)
    assert social.call("ListNotifiers", Empty(), stranger).notifiers == []


def test_a_long_episode_costs_each_batch_what_the_batch_holds(social):
    social.quiet_fortnight()
    social.burst(30)
    social.alerts()
    for number in range(400):
        social.clock.advance(seconds=1)
        social.post(f"more{number}", f"{ANGRY[number % 5]} {'z' * number}", social.clock.now())

    alert = social.alerts()[0]

    detail = social.call("GetAlert", pb.GetAlertRequest(id=alert.id))
    assert alert.count == 430
    assert sum(one.negative for one in detail.bins if one.at.ToMicroseconds() >= alert.began_at.ToMicroseconds()) == 430
    assert alert.reach == 430 * 50
