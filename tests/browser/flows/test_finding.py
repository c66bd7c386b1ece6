"""Checks 15 and 16: what search understood and counts; and work that goes on while the index is away."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import Page, expect

from tests.browser.flows.shop import Running, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]


def total(page: Page) -> int:
    return int(re.sub(r"\D", "", re.findall(r"\d[\d.]*", page.locator("#how-many").inner_text())[0]))


def test_15_chips_suggestions_and_counts_agree(shop: Running, page: Page) -> None:
    for n in range(3):
        shop.mail(subject=f"Paralume scolorito {n}", text="Il paralume si è scolorito al sole.")
    until(lambda: shop.api.call("GET", "/search", params={"q": "paralume scolorito"})["items"], "the index has them")

    page.goto(f"{shop.url}/search?q=paralumme stat:open last:7d")

    crossed = page.locator(".parsed .term.ignored s")
    expect(crossed).to_have_text(re.compile("stat"))
    suggestion = page.locator(".parsed .warning-text a").first
    expect(suggestion).to_contain_text("state")
    remove = page.locator(".parsed .term.ignored a")
    remove.click()
    page.wait_for_load_state()
    assert "stat" not in page.locator("#q").input_value()

    page.goto(f"{shop.url}/search?q=paralume")
    counts = page.locator(".facets label").evaluate_all(
        "(all) => all.map((one) => [one.querySelector('input').value, +one.querySelector('.num').textContent.replace(/\\D/g, '')])"
    )
    assert counts, "no facet"
    for value, count in counts[:6]:
        page.goto(f"{shop.url}/search?q=paralume&f={value}")
        assert total(page) == count, f"{value} says {count}"

    page.goto(f"{shop.url}/search?q=paralume zzzqqqxxy")
    ways = page.locator(".empty a.button").evaluate_all(
        "(all) => all.map((one) => [one.href, +one.querySelector('.num').textContent.replace(/\\D/g, '')])"
    )
    assert ways, "nothing found, and no way on is offered"
    for href, count in ways[:3]:
        page.goto(href)
        assert total(page) == count, f"{href} says {count}"


def test_16_without_the_index_search_says_so_and_work_goes_on(shop: Running, page: Page) -> None:
    ticket = shop.mail(subject="Mentre manca l'indice", text="Una parola rara: zaffiretto.")
    shop.product.stop()
    folder = shop.product.folder / "data" / "search"
    kept = folder.with_name("search-kept")
    folder.rename(kept)
    folder.mkdir()
    blocks = [folder / f"generation-{n}" for n in range(1, 200)]
    for block in blocks:
        block.write_text("a file where the index wants its folder")
    shop.product.start()
    try:
        page.goto(f"{shop.url}/search?q=zaffiretto")
        expect(page.locator(".notice.warning, .notice.danger").first).to_be_visible()
        expect(page.locator("#results")).to_contain_text("Mentre manca l'indice")
        page.goto(f"{shop.url}/inbox/open/{ticket['number']}")
        expect(page.locator("#rows > .row").first).to_be_visible()
        page.locator("[data-composer=reply] [data-text]").fill("Si lavora lo stesso.")
        page.locator("[data-composer=reply] [data-text]").press("Control+Enter")
        until(lambda: shop.answered(ticket["address"], "lo stesso"), "the answer leaves without an index", 30)
        page.goto(f"{shop.url}/tickets/{ticket['number']}")
        expect(page.locator("#thread")).to_contain_text("zaffiretto")
    finally:
        shop.product.stop()
        for block in folder.iterdir():
            block.unlink() if block.is_file() else shutil.rmtree(block)
        shop.product.start()
    until(lambda: shop.api.call("GET", "/search", params={"q": "zaffiretto"})["items"], "rebuilt, it finds again", 30)
