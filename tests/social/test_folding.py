"""A crisis folds its children under it; figures are those of one's own brands; a made-up cursor is refused."""

from __future__ import annotations

import sqlite3

import pytest

from ascolto.common.v1.envelope_pb2 import Page
from ascolto.social.v1 import service_pb2 as pb
from services.kit.db.migrate import folder_of, migrate_sqlite
from services.kit.errors import Conflict, Invalid
from services.kit.principal import Person
from services.social.store import config
from tests.kitlib import drain
from tests.social.world import ANGRY


def listed(social, person=None, **wanted):
    drain(social.consumers)
    request = pb.ListAlertsRequest(**wanted)
    return social.call("ListAlerts", request, person) if person else social.call("ListAlerts", request)


def causes(social, alert_id):
    with social.parts.database.read() as reader:
        return [one.cause for one in config.list_due(reader, 1 << 62, 100) if one.alert_id == alert_id]


def acts(social, alert_id):
    detail = social.call("GetAlert", pb.GetAlertRequest(id=alert_id))
    return [(one.act, one.detail) for one in detail.timeline]


def shame(social):
    """A second watch that hears a part of what the first hears, and somebody who is told."""
    social.call("PutNotifier", pb.Notifier(kind="email", target="rep@shop.example", on=True))
    query = "vergogna OR lampada OR conosce"
    social.call("PutWatch", pb.Watch(name="Vergogna", brand_id="brd_1", query=query, alerting=True))
    social.quiet_fortnight()


@pytest.fixture
def two(social):
    """A crisis, and a lesser alert of the same matter that was raised before it was one."""
    shame(social)
    social.burst(60)
    return social


def test_a_crisis_folds_what_is_of_its_matter_and_the_list_shows_it_beneath(two):
    page = listed(two)

    crisis, child = page.alerts[0], page.children[0]
    assert [one.severity for one in page.alerts] == ["crisis"]
    assert page.total == 1
    assert (child.watch_name, child.parent_id) == ("Vergogna", crisis.id)
    assert ("folded", f"A-{crisis.number}") in acts(two, child.id)
    assert [one.id for one in listed(two, parent_id=crisis.id).alerts] == [child.id]
    detail = two.call("GetAlert", pb.GetAlertRequest(id=crisis.id))
    assert [one.id for one in detail.children] == [child.id]
    assert two.call("GetAlert", pb.GetAlertRequest(id=child.id)).parent.id == crisis.id


def test_what_is_folded_tells_nobody_though_it_gets_worse(two):
    child = listed(two).children[0]
    before = causes(two, child.id)

    two.burst(60, first=60)

    worse = listed(two).children[0]
    assert worse.count > child.count
    assert causes(two, child.id) == before


def test_what_begins_during_a_crisis_is_folded_at_once_and_tells_nobody(social):
    shame(social)
    for number in range(60):
        social.clock.advance(seconds=10)
        social.post(f"c{number}", f"{ANGRY[number % 2 * 2]} {'x' * number}", social.clock.now())
    crisis = listed(social).alerts[0]
    assert crisis.severity == "crisis"

    for number in range(10):
        social.clock.advance(seconds=10)
        social.post(f"s{number}", f"{ANGRY[1]} {'x' * number}", social.clock.now())

    page = listed(social)
    assert [one.id for one in page.alerts] == [crisis.id]
    assert [one.watch_name for one in page.children] == ["Vergogna"]
    assert causes(social, page.children[0].id) == []


def test_the_verdict_on_a_crisis_gives_its_open_children_back(two):
    page = listed(two)
    crisis, child = page.alerts[0], page.children[0]

    two.act(crisis, "resolve", cause="courier")

    page = listed(two)
    assert {one.id for one in page.alerts} == {crisis.id, child.id}
    assert not page.children
    assert ("unfolded", f"A-{crisis.number}") in acts(two, child.id)


def test_an_act_on_what_was_folded_meanwhile_is_refused_with_the_present_state(two):
    child = listed(two).children[0]

    with pytest.raises(Conflict) as refused:
        two.act(child, "claim", version=child.version - 1)

    assert two.call("GetAlert", pb.GetAlertRequest(id=child.id)).alert.SerializeToString() == refused.value.detail


def test_a_mute_lasts_to_the_end_of_the_episode(social):
    social.quiet_fortnight()
    social.burst(20)
    alert = listed(social).alerts[0]

    social.act(alert, "mute", until_end=True, reason="known")
    social.clock.advance(hours=6)
    social.tidy()
    muted = listed(social).alerts[0]
    social.heard()
    social.tidy()

    assert (muted.state, muted.HasField("muted_until")) == ("muted", False)
    over = listed(social).alerts[0]
    assert over.HasField("ended_at")
    assert over.state == "raised"


def test_the_alert_says_whom_a_mute_would_keep_from_hearing(social):
    for target, brand in (("rep@shop.example", ""), ("orto@shop.example", "brd_2")):
        social.call("PutNotifier", pb.Notifier(kind="email", target=target, on=True, brand_id=brand))
    hook = pb.Notifier(kind="webhook", target="https://hook.example/s3cret", secret="k", on=True)
    crises = pb.Notifier(kind="email", target="boss@shop.example", on=True, min_severity="crisis")
    for one in (hook, crises):
        social.call("PutNotifier", one)
    social.quiet_fortnight()
    social.burst(12)
    one = listed(social).alerts[0].id
    notice = social.call("GetAlert", pb.GetAlertRequest(id=one))

    social.burst(10, first=12)

    assert list(notice.told) == ["hook.example", "rep@shop.example"]
    serious = social.call("GetAlert", pb.GetAlertRequest(id=listed(social).alerts[0].id))
    assert (serious.alert.severity, list(serious.told)) == (
        "serious",
        [],
    )  # what is left is a crisis, told all the same


def test_figures_are_those_of_the_brands_one_may_see(social):
    social.quiet_fortnight()
    social.burst(12)
    alert = listed(social).alerts[0]
    social.act(alert, "resolve", cause="courier")
    social.post("later", ANGRY[0], social.clock.now())
    one, two = (
        Person("usr", permissions=frozenset({"admin"}), brand_ids=frozenset({own})) for own in ("brd_1", "brd_2")
    )

    own, strange = listed(social, one), listed(social, two)

    assert (own.judged, own.judged_real, own.last_alert_at) == (1, 1, alert.raised_at)
    assert (strange.judged, strange.judged_real, strange.mentions_since) == (0, 0, 0)
    assert not strange.HasField("last_alert_at")
    assert listed(social, brand_id="brd_2").judged == 0
    assert social.call("GetAlert", pb.GetAlertRequest(id=alert.id), one).judged == 1


@pytest.mark.parametrize("sort", ["newest", "risk"])
@pytest.mark.parametrize("after", ["1e5~", "1e5", "~men_1", "nan~men_1", "1~", "x~y~z"])
def test_a_made_up_cursor_is_refused_by_name(social, sort, after):
    with pytest.raises(Invalid) as refused:
        social.call("ListMentions", pb.ListMentionsRequest(page=Page(after=after), sort=sort))

    assert refused.value.field == "after"


def test_the_column_of_a_crisis_is_added_once_though_the_mark_was_lost(tmp_path):
    path = tmp_path / "social.db"
    migrate_sqlite(path, folder_of("social"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")

    migrate_sqlite(path, folder_of("social"))

    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(alerts)")]
    assert columns.count("parent_id") == 1
