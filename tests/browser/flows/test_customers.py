"""Customers' pages: axe, reflow at 320, the form without a script, the chat with one."""

from __future__ import annotations

import re
import time
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.flows.shop import Running, until
from tests.browser.test_axe import ALL, AXE, look

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
LOOKS: tuple[tuple[Literal["light", "dark"], str, int], ...] = (
    ("light", "it-IT", 320),
    ("dark", "en-GB", 320),
    ("light", "de-DE", 1440),
    ("dark", "pt-PT", 3840),
)


def said(shop: Running, ticket: dict[str, Any], text: str) -> bool:
    return any(text in one["text"] for one in shop.full(ticket)["interactions"])


def test_19_customers_pages_pass_axe_and_reflow(shop: Running, chromium: Browser) -> None:
    source = AXE.read_text(encoding="utf-8")
    found: list[Any] = []
    for theme, locale, width in LOOKS:
        context = chromium.new_context(locale=locale, color_scheme=theme, viewport={"width": width, "height": 700})
        page = context.new_page()
        for path in ("contact", "chat"):
            page.goto(f"{shop.url}/c/{shop.shop.slug}/{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} scrolls sideways at {width}"
            page.evaluate(source)
            found += [(theme, locale, width, *one) for one in look(page, path, ALL)]
        context.close()

    assert found == []


def test_the_form_works_without_a_script(shop: Running, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="it-IT")
    page = context.new_page()
    page.goto(f"{shop.url}/c/{shop.shop.slug}/contact")
    page.locator("#email").fill("senza.script@posta.example")
    page.locator("form.stack [type=submit]").click()
    expect(page.locator("#errors")).to_be_visible()
    expect(page.locator("#email")).to_have_value("senza.script@posta.example")

    page.locator("#message").fill("Il cassetto non scorre bene.")

    shown = time.monotonic()
    until(lambda: time.monotonic() > shown + 2.5, "a form sent faster than anybody writes is refused")
    page.locator("form.stack [type=submit]").click()
    ticket = shop.ticket(lambda one: bool(one["channel"] == "webform" and said(shop, one, "cassetto")))
    expect(page.locator("main strong")).to_have_text(re.compile(r"^[0-9A-Z]{8}$"))
    assert ticket["channel"] == "webform"
    context.close()


def test_a_chat_page_gets_the_answer(shop: Running, chromium: Browser) -> None:
    context = chromium.new_context(locale="it-IT")
    page = context.new_page()
    page.goto(f"{shop.url}/c/{shop.shop.slug}/chat")
    page.locator("#text").fill("C'è qualcuno per la lampada a stelo?")
    page.locator("#say [type=submit]").click()
    expect(page.locator("#log")).to_contain_text("lampada a stelo")
    ticket = shop.ticket(lambda one: bool(one["channel"] == "chat" and said(shop, one, "lampada a stelo")))

    shop.api.call(
        "POST",
        f"/tickets/{ticket['id']}/replies",
        expect=202,
        json={"text": "Sì, eccomi: dica pure.", "key": "chat-page"},
    )

    expect(page.locator("#log")).to_contain_text("eccomi: dica pure", timeout=15_000)
    context.close()
