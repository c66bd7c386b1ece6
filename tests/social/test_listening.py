"""From posts to alerts, through the service's calls: what is stored, what is folded, what raises, what stays quiet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ascolto.common.v1.envelope_pb2 import Empty, Page
from ascolto.social.v1 import service_pb2 as pb
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.principal import Person
from services.social.store import alerts
from tests.kitlib import drain, make_consumers
from tests.social.world import ANGRY


def test_a_burst_raises_one_alert_that_grows_in_place(social):
    social.quiet_fortnight()
    assert social.alerts() == []

    social.burst(30)
    raised = social.alerts()

    assert len(raised) == 1
    assert raised[0].state == "raised"
    social.burst(20, first=30)
    grown = social.alerts()
    assert [one.id for one in grown] == [raised[0].id]
    assert grown[0].count > raised[0].count


def test_sentence_posts_and_chart_of_an_alert_agree_on_the_count(social):
    social.quiet_fortnight()
    social.burst(30)
    alert = social.alerts()[0]

    detail = social.call("GetAlert", pb.GetAlertRequest(id=alert.id))

    began = detail.alert.began_at.ToMicroseconds()
    assert len(detail.posts) == detail.alert.count
    assert sum(one.negative for one in detail.bins if one.at.ToMicroseconds() >= began) == detail.alert.count
    assert detail.first.occurred_at.ToMicroseconds() >= began
    assert detail.timeline[0].act == "raised"


def test_imported_history_alerts_nobody_however_angry(social):
    start = social.clock.now() - timedelta(days=3)
    for number in range(60):
        social.post(number, ANGRY[number % 5], start + timedelta(seconds=number * 5), mode=2)

    assert social.alerts() == []


def test_a_quiet_fortnight_alerts_nobody(social):
    social.quiet_fortnight(mode=1)

    assert social.alerts() == []


def test_the_same_post_twice_is_one_mention(social):
    now = social.clock.now()

    first = social.post(1, "Lumaca Casa bella", now)
    again = social.post(1, "Lumaca Casa bella", now)

    assert not first.duplicate
    assert again.duplicate
    assert again.id == first.id


def test_the_same_post_twice_in_one_batch_is_one_mention_and_a_repeat(social):
    item = pb.NewMention(external_id="p1", author_handle="a", text="Lumaca Casa bella")
    item.occurred_at.FromDatetime(social.clock.now())

    taken = social.call("IngestMentions", pb.IngestMentionsRequest(source="replay", items=[item, item], mode=1)).items

    assert [one.duplicate for one in taken] == [False, True]
    assert taken[0].id == taken[1].id


def test_copies_are_folded_once_for_content_all_for_reach(social):
    now = social.clock.now()
    text = "Pacco danneggiato e mai rimborsato, con Lumaca Casa ho chiuso per sempre"

    original = social.post(1, text, now, followers=100)
    social.post(2, f"RT @a1: {text}", now, followers=900)
    social.post(3, text.upper(), now, followers=50)

    page = social.call("ListMentions", pb.ListMentionsRequest())
    assert [one.id for one in page.mentions] == [original.id]
    assert page.mentions[0].reposts == 2
    assert page.mentions[0].reach == 1050


def test_the_list_of_alerts_tells_each_ones_posts_by_the_hour(social):
    social.quiet_fortnight()
    social.burst(30)
    social.alerts()
    social.clock.advance(hours=2)

    page = social.call("ListAlerts", pb.ListAlertsRequest())

    [hours] = page.hours
    assert hours.alert_id == page.alerts[0].id
    assert len(hours.per_hour) == 24
    assert sum(hours.per_hour) == page.alerts[0].count
    assert sum(hours.per_hour[20:23]) > 0
    assert hours.per_hour[23] == 0
    social.clock.advance(days=2)
    assert not social.call("ListAlerts", pb.ListAlertsRequest()).hours


def test_acts_on_an_alert_check_what_their_author_saw(social):
    social.quiet_fortnight()
    social.burst(30)
    alert = social.alerts()[0]

    claimed = social.call(
        "ChangeAlert", pb.ChangeAlertRequest(id=alert.id, act="claim", version=alert.version, user_id="usr_a")
    )

    assert claimed.owner == "usr_a"
    with pytest.raises(Conflict):
        social.call(
            "ChangeAlert", pb.ChangeAlertRequest(id=alert.id, act="claim", version=alert.version, user_id="usr_b")
        )
    with pytest.raises(Invalid):
        social.call("ChangeAlert", pb.ChangeAlertRequest(id=alert.id, act="mute", reason="campaign"))


def test_another_brands_alert_does_not_exist(social):
    social.quiet_fortnight()
    social.burst(30)
    alert = social.alerts()[0]
    stranger = Person("usr_s", permissions=frozenset({"admin"}), brand_ids=frozenset({"brd_2"}))

    with pytest.raises(NotFound):
        social.call("GetAlert", pb.GetAlertRequest(id=alert.id), stranger)
    assert social.call("ListAlerts", pb.ListAlertsRequest(), stranger).alerts == []
    assert social.call("ListMentions", pb.ListMentionsRequest(), stranger).total == 0


def test_a_removed_mention_keeps_its_place_and_loses_its_words(social):
    made = social.post(1, "Lumaca Casa non risponde", social.clock.now(), handle="anna")

    gone = social.call("ChangeMention", pb.ChangeMentionRequest(id=made.id, act="removed"))

    assert gone.removed
    assert gone.text == ""
    assert gone.author_handle == ""


def test_detection_replayed_from_the_start_changes_nothing(social):
    social.quiet_fortnight()
    social.burst(30)
    before = social.alerts()
    with social.parts.database.read() as reader:
        streams = alerts.list_series(reader)

    drain(make_consumers([social.service], social.log, social.clock))

    assert social.alerts() == before
    with social.parts.database.read() as reader:
        assert alerts.list_series(reader) == streams


def test_watches_and_sources_are_listed_with_their_kinds(social):
    watches = social.call("ListWatches", Empty()).watches
    kinds = social.call("ListSources", Empty()).kinds

    assert [one.name for one in watches] == ["Lumaca Casa"]
    assert {one.id for one in kinds} == {"replay", "rss", "x"}


def test_a_burst_on_the_first_day_is_heard_without_history(social):
    social.burst(30)

    assert len(social.alerts()) == 1


def test_a_handful_of_complaints_on_the_first_day_is_no_alert(social):
    for number in range(4):
        social.clock.advance(minutes=20)
        social.post(f"c{number}", ANGRY[number], social.clock.now())

    assert social.alerts() == []


def test_the_first_batch_of_a_kind_makes_its_source_and_reads_nothing_by_itself(social):
    item = pb.NewMention(external_id="1", author_handle="a", text="Lumaca Casa bella")
    item.occurred_at.FromDatetime(social.clock.now())

    social.call("IngestMentions", pb.IngestMentionsRequest(source="x", items=[item]))

    sources = social.call("ListSources", Empty()).sources
    assert [(one.kind, one.state) for one in sources] == [("x", "off")]
    assert social.call("ListMentions", pb.ListMentionsRequest()).mentions[0].source == "x"
    with pytest.raises(NotFound, match="replay, rss, x"):
        social.call("IngestMentions", pb.IngestMentionsRequest(source="myspace", items=[item]))


BAD = ["x", "²", "inf", "nan~men_1", "9" * 400]
NEWEST = [("ListAlerts", pb.ListAlertsRequest, {}), ("ListMentions", pb.ListMentionsRequest, {"sort": "newest"})]


@pytest.mark.parametrize(
    ("method", "make", "given", "after"),
    [(*call, after) for call in NEWEST for after in [*BAD, "1e10~men_1", "-1"]]
    + [("ListMentions", pb.ListMentionsRequest, {"sort": "risk"}, after) for after in BAD],
)
def test_a_cursor_that_is_not_ours_is_refused_by_name(social, method, make, given, after):
    with pytest.raises(Invalid) as caught:
        social.call(method, make(page=Page(after=after), **given))

    assert caught.value.field == "after"
