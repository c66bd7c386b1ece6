"""The pages of alerts: acts pass the version that was seen, a mute needs its end, words instead of codes, children beneath."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.social.v1 import events_pb2 as social_events
from ascolto.social.v1 import service_pb2 as social_pb
from services.desk.i18n import Tongue, zone_for
from services.desk.pages import build_pages, listening
from tests.desk import fakes
from tests.desk.browser import Browser

ONE = "/alerts/alr_one"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[fakes.Rig]:
    with fakes.a_rig(tmp_path, pages=build_pages) as made:
        yield made


@pytest.fixture
def admin(rig: fakes.Rig) -> Iterator[Browser]:
    password = rig.password("anna@example.com", "admin", name="Anna Admin")
    user = rig.desk.people.find_by_email("anna@example.com")
    rig.desk.people.change_password(user, old=password, new="a good long password")
    rig.desk.people.set_preferences(user, {"language": "en", "time_zone": "Europe/Rome"})
    with Browser(rig.web) as browser:
        browser.post("/login", data={"email": "anna@example.com", "password": "a good long password"})
        yield browser


def do(admin: Browser, act: str, **fields: str) -> tuple[int, str]:
    page = admin.get(ONE).text
    csrf = re.findall(r'<meta name="csrf" content="([^"]+)">', page)[0]
    answer = admin.post(ONE, data={"csrf": csrf, "act": act, "version": "1", **fields})
    return answer.status_code, answer.text


def child(rig: fakes.Rig) -> None:
    parent = rig.world.alerts["alr_one"]
    parent.severity, parent.number = "crisis", 11
    rig.world.alerts["alr_child"] = social_events.Alert(
        id="alr_child", number=12, brand_id=parent.brand_id, watch_name="Refunds", state="raised", severity="serious", version=3,
        rev=9, parent_id="alr_one", terms=["refund"], tone=1, count=7,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("claim", {}),
        ("assign", {"assignee": "usr_b"}),
        ("escalate", {}),
        ("unmute", {}),
        ("mute", {"for": "1h", "reason": "known"}),
        ("resolve", {"cause": "courier"}),
        ("false_alarm", {"cause": "expected"}),
    ],
)
def test_an_act_on_what_changed_meanwhile_is_told_with_the_present_state(
    admin: Browser, rig: fakes.Rig, act: str, fields: dict[str, str]
) -> None:
    alert = rig.world.alerts["alr_one"]
    alert.version, alert.state, alert.severity, alert.owner = 2, "claimed", "serious", "usr_b"

    status, text = do(admin, act, **fields)

    assert status == 409
    assert "Not done: it changed after you looked. Now: Claimed, Serious, with usr_b." in text
    assert rig.world.alerts["alr_one"].version == 2
    assert do(admin, act, **fields, version="2")[0] == 303


def test_every_form_of_an_act_passes_the_version_that_was_shown_not_the_revision(
    admin: Browser, rig: fakes.Rig
) -> None:
    rig.world.alerts["alr_one"].version, rig.world.alerts["alr_one"].rev = 4, 950

    page = admin.get(ONE).text

    assert set(re.findall(r'name="version" value="(\d+)"', page)) == {"4"}
    assert 'data-version="950"' in page


def test_an_act_that_says_no_version_is_refused(admin: Browser) -> None:
    assert do(admin, "claim", version="")[0] == 422


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"reason": "known"}, "A mute needs an end in the future."),
        ({"for": "date", "until": "", "reason": "known"}, "A mute needs an end in the future."),
        ({"for": "date", "until": "2020-01-01T10:00", "reason": "known"}, "A mute needs an end in the future."),
        ({"for": "1h", "reason": " "}, "Say why it is muted."),
    ],
)
def test_a_mute_without_an_end_or_a_reason_is_told_on_the_page(
    admin: Browser, rig: fakes.Rig, fields: dict[str, str], missing: str
) -> None:
    status, text = do(admin, "mute", **fields)

    assert (status, missing in text) == (422, True)
    assert rig.world.changes == []


def test_a_mute_ends_in_an_hour_with_the_episode_or_on_ones_own_clock(admin: Browser, rig: fakes.Rig) -> None:
    local = (datetime.now(zone_for("Europe/Rome")) + timedelta(days=2)).replace(second=0, microsecond=0)

    for version, fields in enumerate(
        ({"for": "1h"}, {"for": "end"}, {"for": "date", "until": f"{local:%Y-%m-%dT%H:%M}"}), start=1
    ):
        assert do(admin, "mute", **fields, reason="known", version=str(version))[0] == 303

    hour, episode, day = rig.world.changes
    now = rig.desk.clock.now().timestamp()
    assert abs(hour.until.ToDatetime(UTC).timestamp() - now - 3600) < 60
    assert (episode.until_end, episode.HasField("until")) == (True, False)
    assert (day.until_end, day.until.ToDatetime(UTC)) == (False, local.astimezone(UTC))


def test_the_mute_lists_what_it_silences(admin: Browser, rig: fakes.Rig) -> None:
    child(rig)
    rig.world.told = ["rep@shop.example"]

    page = admin.get(ONE).text

    said = re.sub(r"<[^>]+>", "", page[page.index("This falls silent:") : page.index("Posts are still counted")])
    assert "notices that it got worse, to rep@shop.example" in said
    assert "A-12: 7 negative mentions about “refund”" in said


def test_a_false_alarm_asks_which_kind_and_says_what_follows(admin: Browser) -> None:
    page = admin.get(ONE).text

    form = page[page.index('value="false_alarm"') : page.index("</form>", page.index('value="false_alarm"'))]
    assert re.findall(r'name="cause" value="(\w+)"', form) == ["irrelevant", "expected", "wrong_tone", "duplicate"]
    assert "leave these words out in its query" in form
    assert "raises no alert any more" in form
    assert "7 of the last 10 would be real." in form


def test_children_stand_under_their_crisis_and_not_on_their_own(admin: Browser, rig: fakes.Rig) -> None:
    child(rig)

    listed = admin.get("/alerts").text
    crisis = admin.get(ONE).text
    own = admin.get("/alerts/alr_child").text
    rows = admin.get("/alerts/rows?ids=alr_child").text

    assert 'id="row-alr_child"' not in listed
    assert 'href="/alerts/alr_child"' in listed[listed.index('id="row-alr_one"') :]
    assert "Part of this crisis" in crisis
    assert 'href="/alerts/alr_child"' in crisis
    assert "Part of the crisis A-11" in own
    assert re.search(r'class="post gone" id="row-alr_child"', rows)
    assert 'id="row-alr_one"' in rows  # what stands under it has changed


@pytest.mark.parametrize(("language", "word"), [("it", "Tono sbagliato"), ("en", "Wrong tone")])
def test_verdicts_and_acts_read_as_words_and_names(language: str, word: str) -> None:
    tongue = Tongue(language, zone_for("UTC"), datetime(2026, 3, 12, 14, 0, tzinfo=UTC))
    at = Timestamp(seconds=1773324000)
    happened = [
        social_pb.Happening(at=at, act="false_alarm", by="usr_a", detail="wrong_tone"),
        social_pb.Happening(at=at, act="assign", by="usr_a", detail="usr_b"),
        social_pb.Happening(at=at, act="link_ticket", by="usr_a", detail="tkt_one"),
        social_pb.Happening(at=at, act="answered", by="usr_a", detail="men_one"),
        social_pb.Happening(at=at, act="resolve", by="usr_a", detail="serious"),
    ]
    alert = social_events.Alert(id="alr", state="false_alarm", cause="wrong_tone", severity="notice")
    names = {"usr_a": "Anna", "usr_b": "Bruno"}

    steps = listening.timeline(tongue, social_pb.AlertDetail(alert=alert, timeline=happened), lambda one: names[one])
    more = listening.alert(tongue, alert, lambda one: names[one]).more

    assert word in more
    assert steps[0].text.endswith(f", Anna: {word}")
    assert steps[1].text.endswith(", Anna: Bruno")
    assert [step.text.endswith(", Anna") for step in steps[2:4]] == [True, True]
    assert steps[4].text.endswith(", Anna: serious")  # a cause as it was written, whatever word it is


@pytest.mark.parametrize(
    ("language", "source", "series", "query"),
    [
        ("en", "*", "all sources: negative posts", "“Luce” OR everything from “Imported posts”"),
        ("it", "replay", "Post importati: post negativi", "“Luce” OR tutto da “Post importati”"),
    ],
)
def test_the_series_and_the_query_are_said_in_words(language: str, source: str, series: str, query: str) -> None:
    tongue = Tongue(language, zone_for("UTC"), datetime(2026, 3, 12, 14, 0, tzinfo=UTC))
    alert = social_events.Alert(source=source, tone=social_events.TONE_NEGATIVE, watch_name="Luce")
    detail = social_pb.AlertDetail(alert=alert, query="“Luce” OR source:replay", series="Luce × replay × negative")

    said = [value for _, value in listening.why(tongue, detail)]

    assert said[1:] == [query, series]


@pytest.mark.parametrize(
    ("source", "handle", "shown"), [("x", "anna", "@anna"), ("x", "@anna", "@anna"), ("rss", "Anna B.", "Anna B.")]
)
def test_a_handle_has_its_at_sign_and_the_author_of_a_feed_none(source: str, handle: str, shown: str) -> None:
    tongue = Tongue("en", zone_for("UTC"), datetime(2026, 3, 12, 14, 0, tzinfo=UTC))

    post = listening.mention(tongue, social_events.Mention(source=source, author_handle=handle, author_name="Anna"))

    assert post.handle == shown


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("wrong", "un'altra lunga password", "La password attuale è sbagliata."),
        ("a good long password", "a good long password", "La nuova password è quella di prima."),
        ("a good long password", "corta", "Questa password non va bene"),
    ],
)
def test_a_refused_password_is_explained_in_the_persons_language(
    rig: fakes.Rig, admin: Browser, old: str, new: str, said: str
) -> None:
    rig.desk.people.set_preferences(rig.desk.people.find_by_email("anna@example.com"), {"language": "it"})
    csrf = re.findall(r'<meta name="csrf" content="([^"]+)">', admin.get("/profile").text)[0]

    answer = admin.post("/profile/password", data={"csrf": csrf, "old": old, "new": new})

    assert answer.status_code == 422
    assert said in answer.text


def test_the_list_shows_how_fast_each_alert_goes(admin: Browser) -> None:
    for path in ("/alerts", "/alerts/rows?ids=alr_one"):
        page = admin.get(path).text.partition('id="row-alr_one"')[2].partition("</li>")[0]

        assert page.count('<rect x="') == 24
        assert ("42 in 24 ore, 6 nell'ultima" in html.unescape(page)) or "42 in 24 hours, 6 in the last" in page
