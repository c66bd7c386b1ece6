"""Every page over fake services: it answers, carries the CSRF token, and a service that is away spoils only its part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ascolto.common.v1.envelope_pb2 import Identity
from ascolto.tickets.v1 import events_pb2 as ticket_events
from services.desk.pages import build_pages, profile, thread, ticket_view
from tests.desk import fakes
from tests.desk.browser import Browser
from tests.desk.pages import draw, samples

PAGES = (
    "/inbox/mine", "/inbox/open?sort=newest", "/inbox/mine/101", "/tickets/101", "/tickets/101?all=1", "/tickets/101/live",
    "/inbox/mine/rows?ids=tkt_one", "/search", "/search?q=parcel", "/customers", "/customers/cus_brd_shop", "/mentions", "/mentions/rows?ids=men_one",
    "/mentions/men_one", "/alerts", "/alerts/rows?ids=alr_one", "/alerts/alr_one", "/alerts/alr_one/report", "/operations",
    "/operations/accounts", "/operations/dead-letters", "/operations/search", "/settings", "/settings/brands", "/settings/brands/new",
    "/settings/brands/brd_shop", "/settings/accounts", "/settings/users", "/settings/users/new", "/settings/tokens", "/profile", "/profile/factor", "/login/reset",
    "/live/rail", "/search?q=parcel&open=101",
)  # fmt: skip


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fakes.Rig]:
    with fakes.a_rig(Path(tmp_path_factory.mktemp("desk")), pages=build_pages) as made:
        able = made.world.tickets["tkt_one"].capabilities
        able.replies = able.letters = able.recipients = True
        yield made


@pytest.fixture(scope="module")
def admin(rig: fakes.Rig) -> Iterator[Browser]:
    password = rig.password("anna@example.com", "admin", name="Anna Admin")
    user = rig.desk.people.find_by_email("anna@example.com")
    rig.desk.people.change_password(user, old=password, new="a good long password")
    with Browser(rig.web) as browser:
        signed = browser.post("/login", data={"email": "anna@example.com", "password": "a good long password"})
        assert signed.status_code == 303, signed.text
        yield browser


def csrf_of(page: str) -> str:
    found = re.search(r'<meta name="csrf" content="([^"]+)">', page)
    assert found
    return found[1]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_in_both_languages(admin: Browser, rig: fakes.Rig, path: str) -> None:
    for language in ("it", "en"):
        rig.desk.people.set_preferences(rig.desk.people.find_by_email("anna@example.com"), {"language": language})

        answer = admin.get(path)

        assert answer.status_code == 200, answer.text[-2000:]
        assert "text/html" in answer.headers["content-type"]


def test_nobody_signed_in_is_sent_to_the_login_with_the_way_back(rig: fakes.Rig) -> None:
    with Browser(rig.web) as stranger:
        answer = stranger.get("/tickets/101")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Ftickets%2F101"


def test_a_wrong_password_and_an_unknown_name_read_the_same(rig: fakes.Rig) -> None:
    with Browser(rig.web) as stranger:
        answers = [
            stranger.post("/login", data={"email": email, "password": "wrong wrong wrong"})
            for email in ("anna@example.com", "nobody@example.com")
        ]

    texts = [re.findall(r'id="error"[^>]*><span>([^<]+)', answer.text) for answer in answers]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert texts[0] == texts[1] != []


def test_a_detector_that_is_behind_is_said_above_the_alerts(admin: Browser, rig: fakes.Rig) -> None:
    rig.desk.people.set_preferences(rig.desk.people.find_by_email("anna@example.com"), {"language": "en"})
    calm = admin.get("/alerts").text
    rig.world.detector_lag_s = 240.0
    try:
        behind = admin.get("/alerts").text
    finally:
        rig.world.detector_lag_s = 0.0

    assert "We may be blind" not in calm
    assert re.search(r"We may be blind:</b> <bdi>The detector</bdi> is 4 min behind\.", behind)


def test_a_service_away_spoils_only_its_part(admin: Browser, rig: fakes.Rig) -> None:
    rig.world.away.add("social")
    try:
        inbox = admin.get("/inbox/mine/101")
        mentions = admin.get("/mentions")
    finally:
        rig.world.away.clear()

    assert inbox.status_code == 200
    assert "Where is my parcel?" in inbox.text
    assert mentions.status_code == 200
    assert 'class="notice danger"' in mentions.text


def test_customers_html_never_enters_the_page_and_file_names_are_inert(admin: Browser) -> None:
    page = admin.get("/tickets/101").text

    assert "onclick" not in page
    assert "track.example" not in page
    assert '<iframe class="sent" src="/tickets/tkt_one/html/int_tkt_one" sandbox="' in page


def test_an_answer_that_missed_a_message_is_held_with_its_text(admin: Browser, rig: fakes.Rig) -> None:
    page = admin.get("/tickets/101").text
    typed = {
        "csrf": csrf_of(page),
        "text": "Dear Mara, <b>soon</b>",
        "last_seen": "int_older",
        "key": "k-held",
        "back": "/tickets/101",
    }

    answer = admin.post("/tickets/101/reply", data=typed)

    assert answer.status_code == 409
    assert "Dear Mara, &lt;b&gt;soon&lt;/b&gt;</textarea>" in answer.text
    assert 'name="anyway"' in answer.text
    assert "k-held" not in rig.world.replies


def test_a_notice_waits_for_a_page_that_its_person_asked_for(admin: Browser, rig: fakes.Rig) -> None:
    rig.desk.people.set_preferences(rig.desk.people.find_by_email("anna@example.com"), {"language": "en"})
    csrf = csrf_of(admin.get("/tickets/101").text)
    admin.post("/tickets/101/change", data={"csrf": csrf, "assignee": "", "back": "/tickets/101"})

    ahead = admin.get("/tickets/101", headers={"x-background": "next"}).text
    shown, again = admin.get("/tickets/101").text, admin.get("/tickets/101").text

    assert ["Saved." in page for page in (ahead, shown, again)] == [False, True, False]


def test_a_gap_of_a_canned_answer_stops_the_answer(admin: Browser, rig: fakes.Rig) -> None:
    page = admin.get("/tickets/101").text
    typed = {"csrf": csrf_of(page), "text": "Dear {{customer.name}},", "key": "k-gap", "back": "/tickets/101"}

    answer = admin.post("/tickets/101/reply", data=typed)

    assert answer.status_code == 409
    assert "k-gap" not in rig.world.replies


def test_words_of_an_attachment_without_one_are_asked_about_once(admin: Browser, rig: fakes.Rig) -> None:
    typed = {
        "csrf": csrf_of(admin.get("/tickets/101").text),
        "text": "Dear Mara, the label is attached.",
        "key": "k-file",
        "back": "/tickets/101",
    }
    rig.world.tickets["tkt_one"].capabilities.max_attachments = 5

    asked = admin.post("/tickets/101/reply", data=typed)
    sent = admin.post("/tickets/101/reply", data=typed | {"attachment_asked": "1"})

    assert asked.status_code == 409
    assert 'name="attachment_asked" value="1"' in asked.text
    assert "the label is attached.</textarea>" in asked.text
    assert sent.status_code == 303
    assert rig.world.replies["k-file"].text == typed["text"]


def test_send_and_next_keeps_the_order_of_the_list(admin: Browser, rig: fakes.Rig) -> None:
    typed = {
        "csrf": csrf_of(admin.get("/tickets/101").text),
        "text": "Done.",
        "key": "k-next",
        "then": "next",
        "back": "/inbox/open/101?sort=newest",
    }

    answer = admin.post("/tickets/101/reply", data=typed)

    assert answer.status_code == 303
    assert re.fullmatch(r"/inbox/open(/\d+)?\?sort=newest", answer.headers["location"])
    assert "/101" not in answer.headers["location"]


def test_a_chosen_filter_can_be_taken_off_where_nothing_is_found(admin: Browser) -> None:
    page = admin.get("/search?q=parcel&f=state:solved&f=tag:odd").text

    assert 'href="/search?q=parcel&amp;f=tag%3Aodd&amp;sort="' in page
    assert 'href="/search?q=parcel&amp;f=state%3Asolved&amp;sort="' in page


def test_a_mention_is_ignored_for_a_reason(admin: Browser, rig: fakes.Rig) -> None:
    page = admin.get("/mentions/men_one").text
    reasons = re.findall(r'name="act" value="(ignore[^"]*)"', page)

    answer = admin.post("/mentions/men_one", data={"csrf": csrf_of(page), "act": reasons[-1], "back": "/mentions"})

    assert len(reasons) == 4
    assert answer.status_code == 303
    assert rig.world.mentions["men_one"].state == "ignored"


def test_the_one_answer_stands_out_only_on_the_posts_own_page(admin: Browser, rig: fakes.Rig) -> None:
    rig.world.mentions["men_one"].can_reply = True

    listed, alone = admin.get("/mentions").text, admin.get("/mentions/men_one").text
    rig.world.mentions["men_one"].can_reply = False

    assert re.search(r'<button class="button " name="act" value="ticket"', listed)
    assert re.search(r'<button class="button primary" name="act" value="ticket"', alone)


def test_a_list_of_settings_without_entries_says_so() -> None:
    given = {
        "title": "Notices",
        "tabs": (),
        "tab": "",
        "about": "",
        "add": (),
        "lines": (),
        "errors": {},
        "problem": None,
    }

    page = draw.PAGES.page(
        "settings_list.html", samples.tongue(), samples.shell("settings", "Notices"), nothing="Nobody is told.", **given
    )

    assert "<h2>Nobody is told.</h2>" in page


def test_a_visitors_id_is_shown_to_nobody() -> None:
    customer = ticket_events.Customer(
        identities=[Identity(kind="visitor", value="vis_1"), Identity(kind="email", value="mara@posta.example")]
    )

    shown = ticket_view.identities(samples.tongue(), customer)

    assert [one.value for one in shown] == ["mara@posta.example"]


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox, Windows"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "Safari, macOS"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_session_is_named_as_its_owner_would(agent: str, said: str) -> None:
    assert profile.device(agent) == said


def test_a_mention_shows_its_ticket_and_our_answer(admin: Browser, rig: fakes.Rig) -> None:
    rig.world.mentions["men_one"].ticket_id = "tkt_one"

    page = admin.get("/mentions/men_one").text

    assert 'href="/tickets/101"' in page


def test_who_is_at_a_ticket_shows_in_the_list(admin: Browser, rig: fakes.Rig) -> None:
    brand = rig.world.tickets["tkt_one"].brand_id
    rig.desk.presence.beat("tkt_one", brand, user_id="usr_b", name="Bruno Salici", doing="writing")

    listed = admin.get("/inbox/open").text
    rig.desk.presence.leave("tkt_one", "usr_b")

    assert re.search(r'title="Bruno Salici (sta rispondendo|is replying)"', listed)
    assert "Bruno Salici" not in admin.get("/inbox/open").text


def test_the_last_searches_are_shown_and_can_be_cleared(admin: Browser) -> None:
    admin.get("/search?q=a+rare+word")
    kept = admin.get("/search").text

    admin.post("/search/recent", data={"csrf": csrf_of(kept)})

    assert "<bdi>a rare word</bdi>" in kept
    assert "<bdi>a rare word</bdi>" not in admin.get("/search").text


def test_an_answer_leaves_and_the_draft_goes(admin: Browser, rig: fakes.Rig) -> None:
    page = admin.get("/tickets/101").text
    token = csrf_of(page)
    admin.post(
        "/tickets/101/draft", data={"csrf": token, "kind": "reply", "text": "half", "key": "k-1", "ticket": "tkt_one"}
    )
    kept = admin.get("/tickets/101").text

    answer = admin.post(
        "/tickets/101/reply", data={"csrf": token, "text": "whole", "key": "k-1", "back": "/inbox/mine/101"}
    )

    assert ">half</textarea>" in kept
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox/mine/101")
    assert rig.world.replies["k-1"].text == "whole"
    assert ">half</textarea>" not in admin.get("/tickets/101").text


def test_a_form_without_its_token_does_nothing(admin: Browser, rig: fakes.Rig) -> None:
    answer = admin.post("/tickets/101/note", data={"text": "x"})

    assert answer.status_code == 403


def test_solving_offers_its_undo(admin: Browser, rig: fakes.Rig) -> None:
    page = admin.get("/tickets/101").text
    version = str(rig.world.tickets["tkt_one"].version)

    changed = admin.post(
        "/tickets/101/change",
        data={"csrf": csrf_of(page), "version": version, "state": "solved", "was": "open", "back": "/tickets/101"},
    )
    after = admin.get("/tickets/101").text

    assert changed.status_code == 303
    assert 'data-cmd="undo"' in after
    assert 'name="state" value="open"' in after


def test_static_files_are_cached_for_ever_under_their_hash(admin: Browser) -> None:
    page = admin.get("/inbox/mine").text
    found = re.search(r'href="(/static/[0-9a-f]{12}/desk\.css)"', page)
    assert found

    answer = admin.get(found[1])

    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert admin.get("/static/old/desk.css").headers["cache-control"] == "no-cache"
    assert admin.get("/static/x/..%2f..%2frender.py").status_code == 404


def test_a_conversation_shown_whole_stays_so_when_it_is_brought_up_to_date(admin: Browser, rig: fakes.Rig) -> None:
    messages = rig.world.messages["tkt_one"]
    kept = list(messages)
    for number in range(thread.MANY + 5):
        one = ticket_events.Interaction()
        one.CopyFrom(kept[0])
        one.id, one.seq = f"int_long_{number}", 100 + number
        messages.append(one)
    try:
        for path, earlier in (("/tickets/101", True), ("/tickets/101?all=1", False)):
            page = admin.get(path).text
            again = re.search(r'data-again="([^"]+)"', page)
            assert again
            brought = admin.get(again[1]).text

            assert ('id="earlier"' in page) is earlier
            assert ('id="earlier"' in brought) is earlier
            assert f'data-again="{again[1]}"' in brought
    finally:
        messages[:] = kept


def test_forms_of_a_live_fragment_lead_back_to_the_page_that_asked(admin: Browser) -> None:
    answer = admin.get("/tickets/101/live", headers={"referer": "http://desk.test/inbox/mine/101?sort=newest"})

    assert 'name="back" value="/inbox/mine/101?sort=newest"' in answer.text
    assert 'value="/tickets/101/live"' not in answer.text
