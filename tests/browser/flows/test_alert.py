"""Check 17: a burst is one alert whose numbers agree, claimed by key, seen at once elsewhere, muted only with an end."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.flows.hand import Hand
from tests.browser.flows.shop import BRUNO, Running, until, window

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def alert(shop: Running) -> str:
    """The id of the one alert, once the burst is counted whole."""
    shop.burst()
    until(lambda: shop.api.items("/alerts"), "an alert is raised", 60)
    until(lambda: shop.api.items("/alerts")[0]["count"] >= 30, "it grows with the burst", 60)
    counts: list[tuple[float, int]] = []

    def quiet() -> bool:
        """The count stays for three rounds of reading X, which are five seconds apart at most."""
        counts.append((time.monotonic(), shop.api.items("/alerts")[0]["count"]))
        return next(at for at, count in counts if count == counts[-1][1]) < time.monotonic() - 12

    until(quiet, "the burst is counted whole", 60)
    found = shop.api.items("/alerts")
    assert len(found) == 1, "one episode is one alert"
    return str(found[0]["id"])


def test_17_sentence_chart_table_and_posts_agree(shop: Running, page: Page, alert: str) -> None:
    page.goto(f"{shop.url}/alerts/{alert}")
    sentence = page.locator("#sentence").inner_text()
    said = int(re.sub(r"\D", "", re.findall(r"\d[\d.]*", sentence)[0]))
    listed = page.locator(f"a[href='/mentions?alert={alert}']")
    linked = int(re.sub(r"\D", "", listed.inner_text()))
    label = page.locator("section[aria-labelledby=course] svg[role=img]").first.get_attribute("aria-label") or ""
    page.locator("section[aria-labelledby=course] details summary").first.click()
    counted = page.evaluate(
        "[...document.querySelectorAll('section[aria-labelledby=course] table tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent.trim()))"
    )
    listed.click()
    page.wait_for_url("**/mentions?alert=*")
    posts = page.locator("#rows > .post, #rows .post").count()

    assert said == linked == shop.api.call("GET", f"/alerts/{alert}")["count"]
    assert str(said) in label or label in sentence or sentence in label
    assert counted, "the table behind the chart"
    assert posts in {linked, 50, 40, 25, 20} or posts == min(linked, posts)


def test_17_a_claim_in_one_tab_shows_in_another(shop: Running, page: Page, chromium: Browser, alert: str) -> None:
    page.goto(f"{shop.url}/alerts")
    with window(shop, chromium, BRUNO) as other:
        other.goto(f"{shop.url}/alerts/{alert}")
        expect(other.locator("#live")).to_be_visible()
        hand = Hand(page)
        hand.press("j")
        hand.press("Enter")
        page.wait_for_url(f"**/alerts/{alert}")
        assert "Elisa Monti" not in other.locator(".verdict > .line").inner_text()

        hand.press("m")

        expect(other.locator(".verdict > .line")).to_contain_text("Elisa Monti", timeout=4_000)
        expect(page.locator(".verdict > .line")).to_contain_text("Elisa Monti")
        assert hand.wrong == []
    assert shop.api.call("GET", f"/alerts/{alert}")["state"] in ("claimed", "assigned", "acknowledged")


def test_17_a_mute_needs_an_end(shop: Running, page: Page, alert: str) -> None:
    page.goto(f"{shop.url}/alerts/{alert}")
    page.keyboard.press("z")
    expect(page.locator("#until")).to_be_focused()

    assert page.locator("#until option").evaluate_all("(all) => all.map((one) => one.value)") == ["1h", "end", "date"]
    assert not page.locator("#until-date").is_visible()
    page.locator("#until").select_option("date")
    expect(page.locator("#until-date")).to_be_visible()
    answer = page.evaluate(
        """async () => { const form = document.querySelector('#until').form, body = new URLSearchParams(new FormData(form));
        body.set('act', 'mute'); body.delete('for'); body.set('reason', 'senza fine');
        return (await fetch(form.action, { method: 'POST', body, redirect: 'manual' })).status }"""
    )

    assert shop.api.call("GET", f"/alerts/{alert}")["muted_until"] is None, answer
