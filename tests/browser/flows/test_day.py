"""Check 13: the whole day with the keyboard only, and each customer receives the answer where they wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from services.demo.customers import ChatVisitor, photo
from services.desk.domain import totp
from tests.browser.chromium import SIZES
from tests.browser.flows.entrance import give_password, switch_on
from tests.browser.flows.hand import Hand
from tests.browser.flows.shop import Running, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]
TALK = "#talk[data-number='{}']"
CANNED = (
    "Buongiorno Marta Quercioli,\n\nmi dispiace per il pacco danneggiato. Le spedisco subito un pezzo nuovo; "
    "quello rotto può tenerlo.\n\nUn caro saluto,\nElisa Monti"
)


@pytest.fixture
def hand(chromium: Browser) -> Iterator[Hand]:
    width, height = SIZES["laptop"]
    context = chromium.new_context(viewport={"width": width, "height": height}, locale="it-IT")
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield Hand(page)
    context.close()


def test_13_the_day_by_keyboard_alone(shop: Running, hand: Hand) -> None:
    people = shop.people
    old = shop.mail(subject="Il tavolo pieghevole traballa", name="Brunilde Casavecchia")
    mail = shop.mail(subject="La lampada arrivata ieri è rotta", name="Marta Quercioli")
    shop.form(people["forms"][0])
    form = shop.ticket(lambda one: people["forms"][0]["subject"] in one["subject"])
    visitor = shop.visitor(people["chats"][0])
    visitor.say(people["chats"][0]["lines"][0])
    chat = shop.ticket(lambda one: bool(one["channel"] == "chat" and one["number"] > old["number"]))

    sign_in(shop, hand)
    take_next(shop, hand)
    read(shop, hand, mail["number"])
    answer_mail(shop, hand, mail)
    answer_form(shop, hand, form["number"], people["forms"][0]["address"])
    answer_chat(shop, hand, chat["number"], visitor)
    find_old(shop, hand, old["number"])

    assert hand.wrong == []


def sign_in(shop: Running, hand: Hand) -> None:
    """With a code, by somebody who switched the second factor on in the profile. The page leads the focus, Enter sends."""
    email = "elisa.mattina@lumaca.example"
    password = shop.product.command(
        "user", "create", "--email", email, "--name", "Elisa Monti", "--role", "admin", "--quiet"
    )
    give_password(shop, hand, email, password)
    hand.page.wait_for_url(lambda url: "/login" not in url)
    secret, step = switch_on(shop, hand, password)
    hand.page.context.clear_cookies()

    give_password(shop, hand, email, password)
    hand.wait_focus("#code")
    hand.type(totp.code_at(secret, step + 1))  # the one after that which switched it on: that one is used up
    hand.press("Enter")
    hand.page.wait_for_url("**/inbox/**")


def take_next(shop: Running, hand: Hand) -> None:
    """The most urgent ticket is mine, and open."""
    hand.page.goto(f"{shop.url}/inbox/unassigned")
    hand.tab_to("[data-cmd=take-next]")
    hand.press("Enter")
    hand.page.wait_for_url(lambda url: url.rsplit("/", 1)[1].isdigit())
    number = int(hand.page.url.rsplit("/", 1)[1])
    taken = shop.ticket(lambda one: bool(one["number"] == number))
    assert taken["assignee"], "take next gives the ticket to nobody"


def read(shop: Running, hand: Hand, number: int) -> None:
    """Through the list, into the conversation, from message to message."""
    hand.page.goto(f"{shop.url}/inbox/open/{number}")
    hand.page.locator(TALK.format(number)).wait_for()
    hand.press("k", "j")
    hand.page.goto(f"{shop.url}/inbox/open/{number}")
    hand.press("j", "k", "Enter", "J", "J", "K")
    hand.page.goto(f"{shop.url}/inbox/open/{number}")


def begin_reply(hand: Hand) -> None:
    hand.press("r")
    hand.wait_focus("[data-composer=reply] [data-text]")


def answer_mail(shop: Running, hand: Hand, mail: dict[str, Any]) -> None:
    """A canned text by `/`, a file, send and solve."""
    page = hand.page
    page.on("filechooser", lambda _chosen: None)  # listened for from here on: asked for at the last moment it is missed
    begin_reply(hand)
    hand.type("/rotto")
    expect(page.locator("[data-offers] [role=option]").first).to_contain_text("Pacco danneggiato")
    hand.press("Enter")
    expect(page.locator("[data-composer=reply] [data-text]")).to_have_value(CANNED)
    hand.tab_to("[data-upload]")
    with page.expect_file_chooser() as chosen:
        hand.press("Space")
    chosen.value.set_files({"name": "etichetta.png", "mimeType": "image/png", "buffer": photo()})
    expect(page.locator("[data-composer=reply] [data-files] [name=file]")).to_be_attached()
    hand.tab_to("[data-composer=reply] [data-text]", key="Shift+Tab")
    hand.press("Control+Shift+Enter")

    received = until(lambda: shop.answered(mail["address"], "pezzo nuovo"), "the customer has the mail", 30)[0]
    assert [part.get_filename() for part in received.message.iter_attachments()] == ["etichetta.png"]
    until(lambda: shop.full(mail)["state"] == "solved", "sent and solved")


def answer_form(shop: Running, hand: Hand, number: int, address: str) -> None:
    """By mail; the ticket is found by its number in the palette."""
    hand.press("Control+k")
    hand.wait_focus("#palette-box")
    hand.type(str(number))
    hand.page.locator("#palette-list [role=option]", has_text=str(number)).first.wait_for()
    hand.press("Enter")
    hand.page.locator(TALK.format(number)).wait_for()
    begin_reply(hand)
    hand.type("Buongiorno Fulvia, la consegna è domani alle dieci.")
    hand.press("Control+Enter")
    until(lambda: shop.answered(address, "domani alle dieci"), "the form is answered by mail", 30)


def answer_chat(shop: Running, hand: Hand, number: int, visitor: ChatVisitor) -> None:
    """In the chat, at once."""
    visitor.open()  # a page in a browser would have stayed connected
    hand.page.goto(f"{shop.url}/inbox/open/{number}")
    begin_reply(hand)
    hand.type("Ciao Teo, ora il codice funziona.")
    hand.press("Control+Enter")
    expect(hand.page.locator("#thread")).to_contain_text("ora il codice funziona")
    assert visitor.wait_for("ora il codice funziona")["data"]["author"]["kind"] == "agent"
    visitor.close()


def find_old(shop: Running, hand: Hand, number: int) -> None:
    """An old ticket by search, misspelt."""
    page = hand.page
    hand.press("Escape", "/")
    hand.wait_focus("#quick, #q")
    hand.type("tavollo pieghevole")
    hand.press("Enter")
    page.wait_for_url("**/search?q=*")
    hit = page.locator("a[data-row]", has_text="traballa").first
    until(lambda: hit.count() or page.reload(), "search finds the old ticket")
    for _ in range(10):
        hand.press("j")
        if "traballa" in page.evaluate("document.activeElement.textContent"):
            break
    hand.press("Enter")
    page.wait_for_url(lambda url: str(number) in url)
