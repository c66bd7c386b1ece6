"""The desk's pages in a real Chromium: keys, drafts, palette, reflow. Axe is in `test_axe`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import SIZES, sign_in, watch
from tests.desk.pages import world

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PATHS = (
    "/inbox/mine", "/inbox/mine/48192", "/tickets/48193", "/search", "/search?q=vetro", "/search?q=niente", "/customers/cus_brd_shop",
    "/mentions", "/mentions/men_0", "/alerts", "/alerts/alr_one", "/alerts/alr_one/report", "/operations", "/operations/accounts",
    "/operations/dead-letters", "/operations/search", "/settings", "/settings/brands/brd_shop", "/settings/accounts/acc_mail",
    "/settings/users/new", "/settings/canned", "/settings/watches/wat_1", "/settings/sources", "/settings/notifiers", "/settings/tokens",
    "/profile", "/profile/factor", "/login/reset",
)  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    with world.served(Path(tmp_path_factory.mktemp("desk"))) as found:
        yield found


@pytest.fixture
def page(chromium: Browser, desk: tuple[str, Any]) -> Iterator[Page]:
    prefer(desk, theme="system", language="it", density="comfortable", shortcuts=True)
    width, height = SIZES["laptop"]
    context = chromium.new_context(viewport={"width": width, "height": height})
    opened = context.new_page()
    errors = watch(opened)
    sign_in(opened, desk[0], world.EMAIL, world.PASSWORD)
    yield opened
    context.close()
    assert errors == []


def prefer(desk: tuple[str, Any], **changes: Any) -> None:
    people = desk[1].desk.people
    people.set_preferences(people.find_by_email(world.EMAIL), changes)


def until(claim: Callable[[], Any], what: str, seconds: float = 8.0) -> None:
    """Waits for a condition with a deadline."""
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, what
        time.sleep(0.02)  # sleep: the pause of a wait on a condition


def test_keys_walk_the_list_and_open_the_ticket(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48190")

    page.keyboard.press("j")
    page.wait_for_url(re.compile("/inbox/mine/48190|/inbox/mine/48191"))
    page.keyboard.press("j")

    until(lambda: page.url.endswith("/48191") or page.url.endswith("/48192"), "the next ticket did not open")
    until(
        lambda: page.locator("#talk").get_attribute("data-number") == page.url.rsplit("/", 1)[1],
        "the pane did not follow",
    )
    assert page.evaluate("document.activeElement.matches('#rows a[data-row]')")


def test_no_shortcut_fires_while_one_types_or_holds_a_modifier(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48192")
    before = page.url

    for selector in ("#quick", "[data-composer=reply] [data-text]"):
        page.locator(selector).click()
        page.keyboard.type("teem zebra? ")
        assert page.locator(selector).input_value() == "teem zebra? "
    page.locator("#title").focus()
    page.keyboard.press("Alt+e")
    page.keyboard.press("Control+Shift+e")
    page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'e', isComposing: true, bubbles: true}))")
    page.evaluate(
        "document.dispatchEvent(new KeyboardEvent('keydown', {key: '€', modifierAltGraph: true, bubbles: true}))"
    )

    assert page.url == before
    assert page.locator("dialog[open]").count() == 0
    assert desk[1].world.tickets["tkt_2"].state == 2


def test_shortcuts_can_be_switched_off_and_moved(page: Page, desk: tuple[str, Any]) -> None:
    prefer(desk, shortcuts=False)
    page.goto(f"{desk[0]}/inbox/mine/48192")
    page.keyboard.press("?")
    off = page.locator("#keys[open]").count()
    prefer(desk, shortcuts=True, keys={"sheet": "y"})
    page.reload()

    page.keyboard.press("?")
    unmoved = page.locator("#keys[open]").count()
    page.keyboard.press("y")

    assert (off, unmoved) == (0, 0)
    assert page.locator("#keys[open]").count() == 1
    prefer(desk, keys={})


def test_what_is_typed_survives_a_reload_and_another_browser(
    chromium: Browser, page: Page, desk: tuple[str, Any]
) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48191")
    area = page.locator("[data-composer=reply] [data-text]")
    area.fill("Gentile Wilma, il rimborso parte oggi")
    page.reload()
    at_once = area.input_value()
    until(
        lambda: any(d.text.startswith("Gentile") for d in desk[1].desk.writing.of_ticket("tkt_1")),
        "the draft was not saved",
    )

    context = chromium.new_context()
    other = context.new_page()
    sign_in(other, desk[0], world.EMAIL, world.PASSWORD)
    other.goto(f"{desk[0]}/tickets/48191")

    assert at_once == "Gentile Wilma, il rimborso parte oggi"
    assert other.locator("[data-composer=reply] [data-text]").input_value() == at_once
    context.close()


def test_a_canned_answer_comes_by_slash_and_its_gap_stops_send(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48195")
    area = page.locator("[data-composer=reply] [data-text]")
    area.click()
    page.keyboard.type("/scu")
    page.locator("[data-offers] [role=option]").first.wait_for()
    page.keyboard.press("Enter")
    filled = area.input_value()

    page.keyboard.press("Control+Enter")

    assert filled == "Gentile Annibale Pratovecchio-Serristori, ci scusiamo per l’ordine {{order.number}}."
    assert (
        page.evaluate(
            "getSelection().toString() || document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)"
        )
        == "{{order.number}}"
    )
    assert not any("Annibale" in reply.text for reply in desk[1].world.replies.values())
    area.fill("")


def test_a_letter_without_a_greeting_gets_a_hint_that_can_be_silenced(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48191")
    area = page.locator("[data-composer=reply] [data-text]")
    hint = page.locator("[data-composer=reply] [data-courtesy]")
    area.fill("Il rimborso è partito!!!")
    hint.wait_for()
    said = hint.locator("span").inner_text()

    hint.get_by_role("button").click()
    page.reload()
    area.fill("Il rimborso parte!!!")
    until(
        lambda: any(one.text == "Il rimborso parte!!!" for one in desk[1].desk.writing.of_ticket("tkt_1")),
        "the draft was not saved",
    )

    assert said == "Manca il saluto iniziale. Sembra scritto gridando."
    assert hint.count() == 0
    area.fill("")


def test_reply_by_keyboard_alone(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48190")
    posted: list[str] = []
    page.on("request", lambda one: posted.append(one.post_data or "") if one.url.endswith("/reply") else None)

    page.keyboard.press("r")
    page.keyboard.type("Buongiorno Otello, controllo subito.")
    page.keyboard.press("Control+Enter")

    until(
        lambda: any(r.text.startswith("Buongiorno Otello") for r in desk[1].world.replies.values()),
        "the answer did not leave",
    )
    assert [text for text in posted if 'name="then"' in text] == [], "the key means Send, not one of its other ways"


def test_a_note_is_added_with_the_same_key(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48190")
    posted: list[str] = []
    page.on("request", lambda one: posted.append(one.url) if one.method == "POST" else None)

    page.keyboard.press("n")
    page.keyboard.type("Il corriere conferma.")
    page.keyboard.press("Control+Enter")

    until(lambda: any(url.endswith("/48190/note") for url in posted), "the note was not posted")


def test_the_palette_finds_acts_places_and_tickets(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine")
    page.keyboard.press("Control+k")
    page.keyboard.type("48194")
    page.locator("#palette-list [role=option]", has_text="48194").first.wait_for()

    page.keyboard.press("Enter")

    page.wait_for_url("**/tickets/48194")


def test_a_change_elsewhere_shows_without_moving_the_focus(page: Page, desk: tuple[str, Any]) -> None:
    from services.desk.live.feed import Change

    page.goto(f"{desk[0]}/inbox/open")
    until(lambda: page.locator("#live:not(.lost):not([hidden])").count(), "the stream did not open")
    row = page.locator("#rows a[data-row]").nth(3)
    row.focus()
    top = row.bounding_box()
    ticket = desk[1].world.tickets["tkt_0"]
    ticket.subject, ticket.rev = "Oggetto cambiato altrove", ticket.rev + 100
    desk[1].desk.live.put([Change("ticket", "tkt_0", ticket.rev, ticket.brand_id, "tickets:read")])

    page.get_by_text("Oggetto cambiato altrove").first.wait_for()

    assert page.evaluate("document.activeElement.closest('.row').id") == "row-tkt_3"
    assert row.bounding_box() == top


def test_a_message_in_my_ticket_rings_and_shows_a_notice_in_one_tab_only(page: Page, desk: tuple[str, Any]) -> None:
    from services.desk.live.feed import Call, Change

    context = page.context
    context.grant_permissions(["notifications"], origin=desk[0])
    context.add_init_script(
        """self.rung = []; self.shown = [];
        HTMLMediaElement.prototype.play = function () { rung.push(this.id); return Promise.resolve(); };
        const Real = Notification; document.hasFocus = () => false;
        self.Notification = class { static permission = "granted"; constructor(title, rest) { shown.push([title, rest.body]); } };"""
    )
    other = context.new_page()
    for one in (page, other):
        one.goto(f"{desk[0]}/inbox/mine")
        until(lambda one=one: one.locator("#live:not(.lost):not([hidden])").count(), "the stream did not open")
    user = desk[1].desk.people.find_by_email(world.EMAIL).id
    ticket = desk[1].world.tickets["tkt_1"]

    for call in (Call("usr_other"), Call(""), Call(user)):
        desk[1].desk.live.put([Change("ticket", "tkt_1", ticket.rev, ticket.brand_id, "tickets:read", call)])

    def all_of(name: str) -> list[Any]:
        return [*page.evaluate(name), *other.evaluate(name)]

    until(lambda: all_of("shown"), "no notice was shown")
    assert all_of("rung") == ["sound-bell"]
    assert all_of("shown") == [[f"{ticket.customer_name}, E-mail", ticket.subject]]


def test_a_pane_is_as_wide_as_the_person_left_it(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48192")
    for name, key, times in (("list", "Home", 1), ("list", "ArrowRight", 2), ("context", "ArrowLeft", 3)):
        page.locator(f"[role=separator][data-pane={name}]").focus()
        for _ in range(times):
            page.keyboard.press(key)
    likes = desk[1].desk.people
    until(
        lambda: likes.find_by_email(world.EMAIL).preferences.panes == {"list": 352, "context": 352}, "it was not kept"
    )
    page.goto(f"{desk[0]}/inbox/mine/48191")

    widths = [page.locator(f"#{name}").bounding_box()["width"] for name in ("list", "context")]
    line = page.locator("[role=separator][data-pane=list]")
    box = line.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, 400)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, 400, steps=3)
    page.mouse.up()

    assert widths == [352, 352]
    assert line.get_attribute("aria-valuenow") == "382"
    assert page.locator("#list").bounding_box()["width"] == 382
    until(lambda: likes.find_by_email(world.EMAIL).preferences.panes["list"] == 382, "the drag was not kept")
    prefer(desk, panes={})


def test_the_search_box_completes_fields_then_values(page: Page, desk: tuple[str, Any]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/search/suggest" in request.url else None)
    page.goto(f"{desk[0]}/search")
    box = page.locator("#q")
    box.focus()

    page.keyboard.type("vetro ta", delay=10)
    page.locator("#q-list [role=option]", has_text="tag:").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#q-list [role=option]", has_text="reso").wait_for()
    values = page.locator("#q-list [role=option]").all_inner_texts()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    filled = box.input_value()
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=vetro+tag*")

    assert [text.split() for text in values] == [["tag:reso", "12"], ["tag:rotto", "4"]]
    assert filled == "vetro tag:reso "
    assert len(asked) <= 4, "more than one request each 150 ms"


def test_a_hit_opens_beside_the_results_and_keys_walk_them(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/search?q=vetro")
    page.locator(".snips a").first.click()
    page.wait_for_url("**open=48190**")
    until(lambda: page.locator("#talk").get_attribute("data-number") == "48190", "the hit did not open beside")
    place = page.evaluate("document.querySelector('.message.here')?.id")

    page.keyboard.press("j")
    until(lambda: page.locator("#talk").get_attribute("data-number") != "48190", "the next hit did not open")
    page.reload()

    assert place == "int_tkt_0_1"
    assert page.locator("#rows .hit").count() > 1
    assert page.locator("#talk").get_attribute("data-number") == "48191"
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator(".phone-back a").click()
    page.wait_for_url(lambda url: "open=" not in url)
    assert page.locator("#rows .hit").first.is_visible()


def test_the_order_of_the_list_stays_while_one_reads(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/open?sort=newest")
    page.locator("#rows a[data-row]").nth(1).click()
    page.wait_for_url(re.compile(r"/inbox/open/\d+\?sort=newest"))
    page.reload()

    assert page.locator(".sort summary").get_attribute("title") == "Recenti"
    assert page.locator(".phone-back a").get_attribute("href") == "/inbox/open?sort=newest"


def test_the_customers_pane_shuts_by_key_and_stays_shut(page: Page, desk: tuple[str, Any]) -> None:
    page.goto(f"{desk[0]}/inbox/mine/48192")
    people = desk[1].desk.people

    page.keyboard.press("i")
    page.locator("#context").wait_for(state="hidden")
    until(lambda: people.find_by_email(world.EMAIL).preferences.panes.get("context") == 0, "it was not kept")
    page.goto(f"{desk[0]}/inbox/mine/48191")
    shut = page.locator("#context").is_hidden()
    page.keyboard.press("i")

    page.locator("#context").wait_for(state="visible")
    assert shut
    until(lambda: people.find_by_email(world.EMAIL).preferences.panes.get("context") == 304, "it stayed shut")
    prefer(desk, panes={})


def test_an_ended_session_is_said_and_leads_back_here(chromium: Browser, desk: tuple[str, Any]) -> None:
    context = chromium.new_context()
    page = context.new_page()
    sign_in(page, desk[0], world.EMAIL, world.PASSWORD)
    page.goto(f"{desk[0]}/inbox/mine/48192")
    until(lambda: page.locator("#live:not(.lost):not([hidden])").count(), "the stream did not open")
    sessions = desk[1].desk.sessions
    user = desk[1].desk.people.find_by_email(world.EMAIL).id

    for one in sessions.of_user(user):
        sessions.end(one.id, user_id=user)

    link = page.locator("#live[href]")
    link.wait_for()
    assert link.get_attribute("href") == "/login?next=%2Finbox%2Fmine%2F48192"
    assert page.locator("#assertive").inner_text() == link.inner_text()
    context.close()


@pytest.mark.parametrize("size", ["small", "phone"])
def test_no_page_scrolls_sideways_on_a_phone(chromium: Browser, desk: tuple[str, Any], size: str) -> None:
    prefer(desk, language="xx", theme="system", density="comfortable")
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    sign_in(page, desk[0], world.EMAIL, world.PASSWORD)

    wide = []
    for path in PATHS:
        page.goto(f"{desk[0]}{path}")
        if (found := page.evaluate("document.documentElement.scrollWidth")) > width:
            wide.append((path, found))
    context.close()

    assert wide == []
