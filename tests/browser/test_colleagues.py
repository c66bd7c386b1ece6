"""Colleagues in a real Chromium: named in a note, their presence, one's own session, the next ticket at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from services.desk.domain.people import IDLE, WARNED
from services.desk.live.feed import Change
from services.kit.db.sql import Sql
from tests.browser.chromium import SIZES, sign_in, watch
from tests.browser.test_desk_pages import until
from tests.desk.pages import world

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    with world.served(Path(tmp_path_factory.mktemp("desk"))) as found:
        yield found


@pytest.fixture
def page(chromium: Browser, desk: tuple[str, Any]) -> Iterator[Page]:
    width, height = SIZES["laptop"]
    context = chromium.new_context(viewport={"width": width, "height": height})
    opened = context.new_page()
    errors = watch(opened)
    sign_in(opened, desk[0], world.EMAIL, world.PASSWORD)
    yield opened
    context.close()
    assert errors == []


def test_a_colleague_is_offered_by_at_in_a_note(page: Page, desk: tuple[str, Any]) -> None:
    desk[1].password("bruno@shop.example", "agent", name="Bruno Verdi")
    desk[1].desk.directory.forget()
    page.goto(f"{desk[0]}/inbox/mine/48190")
    page.locator("#title").focus()
    page.keyboard.press("n")
    area = page.locator("[data-composer=note] [data-text]")
    page.keyboard.type("Guarda @bru")
    page.locator("#offers-note [role=option]", has_text="Bruno Verdi").wait_for()

    page.keyboard.press("Enter")

    assert area.input_value() == "Guarda @bruno "
    assert page.locator("#offers-note").is_hidden()
    area.fill("")


@pytest.mark.parametrize("kind", ["note", "reply"])
def test_writing_on_a_phone_has_the_screen_to_itself(page: Page, desk: tuple[str, Any], kind: str) -> None:
    width, height = SIZES["phone"]
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{desk[0]}/inbox/mine/48195")
    page.locator(f"[data-cmd={kind}]").click()
    box, area = page.locator(".composer.full"), page.locator(f"[data-composer={kind}] [data-text]")
    area.wait_for()

    over = "(node) => [5, innerHeight - 5].every((y) => node.contains(document.elementFromPoint(innerWidth / 2, y)))"
    assert box.evaluate(over), "neither the bar above nor the one below lies over it"
    place = area.bounding_box()
    assert place
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= width
    assert place["height"] > height / 2
    area.fill("Ciao ")
    area.press_sequentially("@b" if kind == "note" else "/")
    offers = page.locator(f"#offers-{kind}")
    offers.wait_for()
    offered = offers.bounding_box()
    assert offered
    assert offered["y"] > place["y"] + place["height"] / 2, "what is typed stays in sight"
    area.fill("")


def test_the_end_of_a_session_is_said_ahead_and_stay_puts_it_off(page: Page, desk: tuple[str, Any]) -> None:
    age = Sql("UPDATE sessions SET seen_us = seen_us - :ago")
    page.goto(f"{desk[0]}/inbox/mine")
    page.locator("#live:not(.lost):not([hidden])").wait_for()
    strip = page.locator("[data-ends=idle]")
    assert strip.is_hidden()

    desk[1].parts.database.write(lambda uow: uow.execute(age, {"ago": int((IDLE - WARNED).total_seconds() * 1e6)}))
    strip.wait_for()
    expect(page.locator("#polite")).to_contain_text("tra due minuti la sessione finisce")
    assert page.locator("[data-ends=absolute]").is_hidden()
    strip.locator("[data-stay]").press("Enter")

    expect(strip).to_be_hidden()
    user = desk[1].desk.people.find_by_email(world.EMAIL).id
    seen = desk[1].desk.sessions.of_user(user)[0].seen_at
    assert desk[1].desk.clock.now() - seen < WARNED


def panes(page: Page) -> list[str]:
    """The tickets whose pane is asked for, as they are; those ahead of time end in `next`."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.headers.get("hx-target") == "div#ticket":
            asked.append(f"{request.url.rsplit('/', 1)[1]} {request.headers.get('x-background', '')}".strip())

    page.on("request", note)
    return asked


def test_the_next_ticket_is_fetched_ahead_and_drawn_without_asking_again(page: Page, desk: tuple[str, Any]) -> None:
    asked = panes(page)
    page.goto(f"{desk[0]}/inbox/mine/48190")
    until(lambda: page.title() and asked == ["48191 next"], "the next one was not fetched")
    page.locator("#rows [aria-current]").focus()

    page.keyboard.press("j")

    expect(page.locator("#talk[data-number='48191']")).to_be_visible()
    until(lambda: page.title() and len(asked) == 2, "the one after it was not fetched")
    assert asked == ["48191 next", "48192 next"]


def test_what_changed_since_it_was_fetched_is_asked_for_again(page: Page, desk: tuple[str, Any]) -> None:
    asked = panes(page)
    page.goto(f"{desk[0]}/inbox/mine/48190")
    page.locator("#live:not(.lost):not([hidden])").wait_for()
    until(lambda: page.title() and asked == ["48191 next"], "the next one was not fetched")
    changed = next(one for one in desk[1].world.tickets.values() if one.number == 48191)
    with page.expect_request("**/inbox/mine/rows?*"):
        desk[1].desk.live.put([Change("ticket", changed.id, 99, changed.brand_id, "tickets:read")])
    page.locator("#rows [aria-current]").focus()

    page.keyboard.press("j")

    expect(page.locator("#talk[data-number='48191']")).to_be_visible()
    assert asked[:2] == ["48191 next", "48191"]


def test_a_person_who_saves_data_fetches_nothing_ahead(page: Page, desk: tuple[str, Any]) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'connection', { value: { saveData: true } })")
    asked = panes(page)
    page.goto(f"{desk[0]}/inbox/mine/48190")
    page.locator("#rows [aria-current]").focus()

    page.keyboard.press("j")

    expect(page.locator("#talk[data-number='48191']")).to_be_visible()
    assert asked == ["48191"]
