"""The way in by keyboard: recovery codes, a forgotten password by a real mail, and nothing axe has against these pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.flows.entrance import give_password, switch_on
from tests.browser.flows.hand import Hand
from tests.browser.flows.shop import Running
from tests.browser.test_axe import ALL, AXE, look

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
NEW = "quattro parole facili da ricordare"


@pytest.fixture
def hand(chromium: Browser) -> Iterator[Hand]:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="it-IT")
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield Hand(page)
    context.close()


def a_person(shop: Running, name: str) -> tuple[str, str]:
    email = f"{name}@lumaca.example"
    password = shop.product.command("user", "create", "--email", email, "--name", name, "--role", "agent", "--quiet")
    return email, password


def flaws(hand: Hand) -> list[object]:
    """What axe has against the page, and a page wider than the window."""
    hand.page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[object] = look(hand.page, hand.page.url, ALL)
    wide = hand.page.evaluate("document.documentElement.scrollWidth")
    return [*found, *([] if wide <= 360 else [(hand.page.url, wide)])]


def test_a_recovery_code_opens_once_and_the_command_line_removes_the_factor(shop: Running, hand: Hand) -> None:
    email, password = a_person(shop, "rosa.fiori")
    page = hand.page
    give_password(shop, hand, email, password)
    page.wait_for_url(lambda url: "/login" not in url)
    found = []
    page.goto(f"{shop.url}/profile/factor")
    found += flaws(hand)
    switch_on(shop, hand, password)
    codes = page.locator("main li code").all_inner_texts()
    found += flaws(hand)
    page.goto(f"{shop.url}/profile/factor")
    found += flaws(hand)

    page.context.clear_cookies()
    give_password(shop, hand, email, password)
    hand.wait_focus("#code")
    found += flaws(hand)
    hand.type("000000")
    hand.press("Enter")
    page.locator("#error").wait_for()
    found += flaws(hand)
    hand.tab_to("#code")
    hand.type(codes[0])
    hand.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    shop.product.command("user", "factor-reset", email)
    page.context.clear_cookies()
    give_password(shop, hand, email, password)
    page.wait_for_url(lambda url: "/login" not in url)

    assert len(set(codes)) == 10
    assert found == []
    assert hand.wrong == []


def test_a_forgotten_password_is_set_by_the_link_of_a_real_mail(shop: Running, hand: Hand) -> None:
    email, _ = a_person(shop, "livia.neri")
    page, found = hand.page, []
    page.goto(f"{shop.url}/login")
    hand.tab_to("a[href='/login/reset']")
    hand.press("Enter")
    hand.wait_focus("#email")
    found += flaws(hand)
    hand.type(email)
    hand.press("Enter")
    page.locator(".notice.success").wait_for()
    found += flaws(hand)
    (mail,) = shop.world.mail.wait_for(email)
    link = re.search(r"https?://\S+/login/reset\?token=\S+", mail.text)
    assert link
    assert link[0].startswith(shop.url)

    page.goto(link[0])
    hand.wait_focus("#new")
    found += flaws(hand)
    hand.type(NEW)
    hand.press("Enter")
    page.wait_for_url("**/login?was=reset")
    found += flaws(hand)
    give_password(shop, hand, email, NEW)
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(link[0])
    page.locator("#error").wait_for()
    found += flaws(hand)

    assert found == []
    assert hand.wrong == []
