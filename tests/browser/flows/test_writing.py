"""Checks 1 to 4, 11 and 12: what two people write to one ticket, what is kept, undone, sent once, blocked, and how it looks."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.browser.flows.shop import BRUNO, ELISA, Running, until, window

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
AREA = "[data-composer=reply] [data-text]"


def open_ticket(page: Page, shop: Running, number: int) -> None:
    page.goto(f"{shop.url}/inbox/open/{number}")
    page.locator(f"#talk[data-number='{number}']").wait_for()


def test_01_an_answer_that_missed_another_is_held(shop: Running, page: Page, chromium: Browser) -> None:
    ticket = shop.mail(subject="Due persone, una domanda")
    with window(shop, chromium, BRUNO) as other:
        open_ticket(other, shop, ticket["number"])
        other.locator(AREA).fill("Scrivo anch'io, con calma.")
        seen = other.locator("[data-composer=reply] [name=last_seen]").input_value()
        shop.api.call(
            "POST", f"/tickets/{ticket['id']}/replies", expect=202, json={"text": "Risposta di Elisa.", "key": "first"}
        )
        until(lambda: shop.answered(ticket["address"], "Risposta di Elisa"), "the first answer left", 30)
        # The page may have shown it meanwhile, out of sight: what counts is what this person had read.
        other.evaluate(
            "(seen) => { document.querySelector('[data-composer=reply] [name=last_seen]').value = seen }", seen
        )

        other.locator(AREA).press("Control+Enter")

        expect(other.locator(".held")).to_be_visible()
        expect(other.locator(AREA)).to_have_value("Scrivo anch'io, con calma.")
        expect(other.locator("#thread")).to_contain_text("Risposta di Elisa.")
        assert len(shop.answered(ticket["address"], "con calma")) == 0

        other.locator(".held [name=anyway]").click()
        until(lambda: shop.answered(ticket["address"], "con calma"), "sent anyway", 30)
    assert len(shop.answered(ticket["address"], "con calma")) == 1


def test_02_a_draft_survives_a_browser_that_dies(shop: Running, chromium: Browser) -> None:
    ticket = shop.mail(subject="La bozza resta")
    text = "Gentile cliente, Le scrivo a lungo e con cura: àèìòù € 你好."
    context = shop.context(chromium)
    dying = context.new_page()
    open_ticket(dying, shop, ticket["number"])
    dying.locator(AREA).click()
    dying.keyboard.type(text)
    expect(dying.locator("[data-composer=reply] [data-saved]")).to_have_text(re.compile(r"\d\d:\d\d"), timeout=3_000)
    dying.once("crash", lambda _: None)
    with suppress(Error):
        dying.goto("chrome://crash")
    context.close()

    with window(shop, chromium, ELISA) as elsewhere:
        open_ticket(elsewhere, shop, ticket["number"])
        expect(elsewhere.locator(AREA)).to_have_value(text)


def test_03_undo_gives_text_recipients_and_files_back(shop: Running, page: Page) -> None:
    ticket = shop.mail(subject="Ci ripenso")
    open_ticket(page, shop, ticket["number"])
    page.locator(AREA).fill("Questa risposta torna indietro.")
    page.locator("[data-composer=reply] .people summary").click()
    page.locator("#cc").fill("collega@lumaca.example")
    page.locator("[data-composer=reply] [data-upload]").set_input_files(
        {"name": "listino.txt", "mimeType": "text/plain", "buffer": b"1 lampada"}
    )
    expect(page.locator("[data-composer=reply] [data-files] [name=file]")).to_be_attached()

    page.locator(AREA).press("Control+Enter")
    page.locator(".leaving").wait_for()
    page.locator("#title").focus()
    page.keyboard.press("u")

    for _ in range(2):  # at once, and after a reload
        expect(page.locator(AREA)).to_have_value("Questa risposta torna indietro.")
        expect(page.locator("#cc")).to_have_value("collega@lumaca.example")
        expect(page.locator("[data-composer=reply] [data-files]")).to_contain_text("listino.txt")
        assert page.locator("[data-composer=reply]").is_visible()
        page.reload()
    assert shop.answered(ticket["address"], "torna indietro") == []
    full = shop.full(ticket)
    assert [one["delivery"] for one in full["interactions"] if "torna indietro" in one["text"]] in ([], ["cancelled"])


def test_04_a_closed_tab_sends_once(shop: Running, chromium: Browser) -> None:
    ticket = shop.mail(subject="Chiudo subito")
    context = shop.context(chromium)
    page = context.new_page()
    open_ticket(page, shop, ticket["number"])
    page.locator(AREA).fill("Parte anche a finestra chiusa.")
    page.locator(AREA).press("Control+Enter")
    page.locator(".leaving").wait_for()
    context.close()

    until(lambda: shop.answered(ticket["address"], "finestra chiusa"), "it left after the undo time", 30)
    until(
        lambda: all(
            one["delivery"] != "queued" for one in shop.full(ticket)["interactions"] if one["direction"] == "out"
        ),
        "nothing waits",
    )
    assert len(shop.answered(ticket["address"], "finestra chiusa")) == 1


def test_11_a_gap_blocks_send_and_is_selected(shop: Running, page: Page) -> None:
    ticket = shop.mail(subject="Come faccio il reso?", text="Vorrei rendere una sedia.")
    open_ticket(page, shop, ticket["number"])
    area = page.locator(AREA)
    area.click()
    page.keyboard.type("/reso")
    expect(page.locator("[data-offers] [role=option]").first).to_contain_text("Reso")
    page.keyboard.press("Enter")

    page.locator("[data-composer=reply] [data-send]").click()

    assert area.evaluate("(node) => node.value.slice(node.selectionStart, node.selectionEnd)") == "{{order.number}}"
    assert area.evaluate("(node) => node === document.activeElement")
    expect(page.locator("[data-composer=reply] [data-gap]")).to_be_visible()
    page.keyboard.type("LC-1")
    expect(page.locator("[data-composer=reply] [data-gap]")).to_be_hidden()
    assert all(one["kind"] != "message" or one["direction"] == "in" for one in shop.full(ticket)["interactions"])
    area.fill("")


def test_12_note_and_reply_differ_without_colour(shop: Running, page: Page) -> None:
    ticket = shop.mail(subject="Nota e risposta")
    shop.api.call("POST", f"/tickets/{ticket['id']}/notes", expect=201, json={"text": "Solo per noi."})
    shop.api.call(
        "POST", f"/tickets/{ticket['id']}/replies", expect=202, json={"text": "Per il cliente.", "key": "grey"}
    )
    open_ticket(page, shop, ticket["number"])
    look = "(node) => { const s = getComputedStyle(node); return [s.borderTopStyle, node.getBoundingClientRect().left, node.getBoundingClientRect().right] }"
    note, reply = (
        page.locator("#thread .note", has_text="Solo per noi"),
        page.locator("#thread .letter.ours", has_text="Per il cliente"),
    )

    note_edge, note_left, note_right = note.evaluate(look)
    reply_edge, _, reply_right = reply.evaluate(look)

    assert note_edge == "dashed" != reply_edge
    _, letter_left, letter_right = page.locator("#thread .letter:not(.ours)").first.evaluate(look)
    assert letter_left < note_left, "a note is set in from both sides"
    assert note_right < min(letter_right, reply_right)
    assert note.locator("h2 svg").count() == 1
    assert re.search("nota interna", note.inner_text(), re.IGNORECASE)
    write_note, write_reply = page.locator(".composer.internal"), page.locator(".composer:not(.internal)")
    assert (
        write_note.locator("> summary").evaluate(look)[0]
        == "dashed"
        != write_reply.locator("> summary").evaluate(look)[0]
    )
    write_note.locator("> summary").click()
    assert write_note.locator("[type=submit]").inner_text() != write_reply.locator("[data-send]").inner_text()
    assert write_note.locator("[data-send]").count() == 0, "no Send in a note"


_SET_BY_KEYS = ("state", "assignee", "team", "tags", "priority")


@pytest.mark.parametrize("kind", ["reply", "note", "search", "palette", "tags"])
def test_14_no_shortcut_fires_while_one_types(shop: Running, page: Page, kind: str) -> None:
    ticket = shop.states.setdefault("typed", None) or shop.mail(subject="Tasti e parole")
    shop.states["typed"] = ticket
    open_ticket(page, shop, ticket["number"])
    before = shop.full(ticket)
    field = {
        "reply": "[data-composer=reply] [data-text]", "note": "[data-composer=note] [data-text]", "search": "#quick",
        "palette": "#palette-box", "tags": "#tags",
    }[kind]  # fmt: skip
    if kind in ("note", "tags"):
        page.locator("#title").focus()
        page.keyboard.press("n" if kind == "note" else "t")
    elif kind == "palette":
        page.keyboard.press("Control+k")
    else:
        page.locator(field).click()
    expect(page.locator(field)).to_be_focused()
    address = page.url

    page.keyboard.type("teem zebra?")
    page.locator(field).dispatch_event("keydown", {"key": "e", "isComposing": True, "bubbles": True})

    assert page.locator(field).input_value() == "teem zebra?"
    assert page.url == address
    assert page.locator("#keys[open]").count() == 0
    # Not its version: the taking-in-charge mail may arrive meanwhile, and that counts as a change.
    after = shop.full(ticket)
    assert [(name, before[name], after[name]) for name in _SET_BY_KEYS if before[name] != after[name]] == []
    page.locator(field).fill("")


def test_14_modifiers_and_the_switch_keep_shortcuts_quiet(shop: Running, page: Page) -> None:
    ticket = shop.mail(subject="AltGr e composizione")
    open_ticket(page, shop, ticket["number"])
    page.locator("#title").focus()
    for init in (
        "{key:'e', ctrlKey:true}",
        "{key:'e', metaKey:true}",
        "{key:'e', altKey:true}",
        "{key:'e', modifierAltGraph:true}",
        "{key:'e', isComposing:true}",
        "{key:'e', keyCode:229}",
        "{key:'t', ctrlKey:true}",
    ):
        page.evaluate(
            f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{bubbles: true, cancelable: true, ...{init}}}))"
        )
    assert shop.full(ticket)["state"] in ("new", "open")
    page.evaluate("document.documentElement.dataset.keys = 'off'")
    for key in ("e", "?", "r", "j", "/", "m", "!"):
        page.keyboard.press(key)
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.id") == "title"
    full = shop.full(ticket)
    assert (full["state"] in ("new", "open"), full["assignee"]) == (True, None)

    page.evaluate("document.documentElement.dataset.keys = 'on'")
    page.keyboard.press("e")
    until(lambda: shop.full(ticket)["state"] == "solved", "the same key solves when it may")
