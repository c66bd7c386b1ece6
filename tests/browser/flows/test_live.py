"""Checks 5 to 8: what changes elsewhere shows, and moves nothing; one stream for many tabs; a cut one comes back."""

from __future__ import annotations

import re
import time

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from services.kit.config import HostPort
from tests.browser.chromium import SIZES, sign_in
from tests.browser.flows.hand import SHIFTS
from tests.browser.flows.line import Line
from tests.browser.flows.shop import ELISA, Running, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def live(page: Page) -> None:
    expect(page.locator("#live")).to_be_visible()
    expect(page.locator("#live")).not_to_have_class(re.compile("lost"))


def streams(shop: Running) -> int:
    text = httpx.get(f"{shop.url}/metrics", timeout=10).text
    return int(float(re.findall(r"^ascolto_desk_streams(?:\{.*\})? (\S+)", text, re.MULTILINE)[0]))


def test_05_a_storm_of_changes_moves_nothing(shop: Running, page: Page) -> None:
    made = [shop.mail(subject=f"Tempesta {n}") for n in range(8)]
    page.goto(f"{shop.url}/inbox/open?sort=newest")
    live(page)
    row = page.locator("#rows > .row").nth(4)
    number = row.get_attribute("data-number")
    row.locator("a").focus()
    page.evaluate("window.held = document.activeElement")
    page.evaluate(f"({SHIFTS})()")
    top = page.evaluate("document.activeElement.getBoundingClientRect().top")

    for round_ in range(3):
        for ticket in made:
            shop.api.call(
                "PATCH",
                f"/tickets/{ticket['id']}",
                json={"tags": [f"giro-{round_}"], "version": shop.full(ticket)["version"]},
            )
    for n in range(6):
        shop.mail(subject=f"Nuova nella tempesta {n}")

    expect(page.locator("#fresh")).to_be_visible()
    expect(page.locator(f"#row-{made[0]['id']}")).to_contain_text("giro-2")
    assert page.evaluate("document.activeElement === window.held"), "the focused row is the same node"
    assert page.evaluate("document.activeElement.closest('.row').dataset.number") == number
    assert abs(page.evaluate("document.activeElement.getBoundingClientRect().top") - top) <= 1
    assert page.evaluate("window.shifted") == 0


def test_06_a_message_moves_nobody_who_reads_further_up(shop: Running, page: Page) -> None:
    ticket = shop.mail(subject="Una lunga storia", text="Riga.\n" * 60)
    for n in range(12):
        shop.api.call(
            "POST", f"/tickets/{ticket['id']}/notes", expect=201, json={"text": f"Passo {n}. " + "Parole. " * 60}
        )
    page.goto(f"{shop.url}/inbox/open/{ticket['number']}")
    live(page)
    box = page.locator("#scroll")
    box.evaluate("(node) => { node.scrollTop = node.scrollHeight / 2 }")
    before = box.evaluate("(node) => [node.scrollTop, node.querySelectorAll('.message').length]")

    shop.follow_up(ticket, "Avete novità?")

    expect(page.locator("#below")).to_be_visible()
    expect(page.locator("#below")).to_contain_text("1")
    assert abs(box.evaluate("(node) => node.scrollTop") - before[0]) <= 1
    page.locator("#below").click()
    expect(page.locator("#thread")).to_contain_text("Avete novità?")
    page.wait_for_function(
        "() => { const n = document.getElementById('scroll'); return n.scrollHeight - n.scrollTop - n.clientHeight < 80 }"
    )

    shop.follow_up(ticket, "Aspetto una risposta.")
    expect(page.locator("#thread")).to_contain_text("Aspetto una risposta.")
    assert box.evaluate("(node) => node.scrollHeight - node.scrollTop - node.clientHeight") < 80, (
        "at the end it follows"
    )


def test_07_seven_tabs_and_one_stream(shop: Running, chromium: Browser) -> None:
    ticket = shop.mail(subject="Sette schede")
    context = shop.context(chromium)
    before = streams(shop)
    pages = []
    for _ in range(7):
        began = time.monotonic()
        page = context.new_page()
        page.goto(f"{shop.url}/inbox/open?sort=newest")
        took = time.monotonic() - began
        pages.append(page)
    assert took < 2, f"the seventh took {took:.1f} s"
    for page in pages:
        live(page)
    assert streams(shop) - before == 1

    shop.api.call(
        "PATCH", f"/tickets/{ticket['id']}", json={"tags": ["sette"], "version": shop.full(ticket)["version"]}
    )
    for page in pages:
        expect(page.locator(f"#row-{ticket['id']}")).to_contain_text("sette", timeout=10_000)
    context.close()
    until(lambda: streams(shop) == before, "the stream ends with the last tab")


def test_08_a_cut_stream_is_said_and_resumed(shop: Running, chromium: Browser) -> None:
    target = HostPort.parse(shop.product.http)
    line = Line((target.host, target.port))
    width, height = SIZES["laptop"]
    context = chromium.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    ticket = shop.mail(subject="Prima del taglio")
    sign_in(page, line.url, ELISA, shop.passwords[ELISA])
    page.goto(f"{line.url}/inbox/open?sort=newest")
    live(page)

    line.cut()
    expect(page.locator("#live")).to_have_class(re.compile("lost"), timeout=35_000)
    expect(page.locator("#live")).to_contain_text(re.compile(r"\d\d:\d\d"))
    shop.api.call(
        "PATCH", f"/tickets/{ticket['id']}", json={"tags": ["durante"], "version": shop.full(ticket)["version"]}
    )
    fresh = shop.mail(subject="Arrivata durante il taglio")
    line.mend()

    expect(page.locator("#live")).not_to_have_class(re.compile("lost"), timeout=20_000)
    expect(page.locator(f"#row-{ticket['id']}")).to_contain_text("durante")
    expect(page.locator(f"#row-{fresh['id']}")).to_be_attached()
    ids = "[...document.querySelectorAll('#rows > .row')].map((one) => one.id)"
    shown = page.evaluate(ids)
    page.reload()
    assert shown == page.evaluate(ids), "the list equals a reload"
    assert len(shown) == len(set(shown))
    context.close()
    line.close()
