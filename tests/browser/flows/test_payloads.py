"""Scenarios 24 and 25: the whole corpus, by every edge, in every page that shows it: nothing runs, nothing loads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.flows.incoming import WORD, Incoming
from tests.browser.flows.shop import BRUNO, Running, running
from tests.browser.hostile import SANDBOX, Ears, Sink, sinking

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

# What stands in a document that a payload could have put there; nothing of it for an inert page.
_FOUND = r"""(framed) => {
  const wrong = framed && !document.body.textContent.includes("zaffiro") ? ["nothing is there"] : [], loads = ["src", "srcset", "poster", "data", "background", "ping", "action", "formaction", "lowsrc", "manifest"];
  const turned = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u{e0000}-\u{e007f}]/u;
  for (const node of document.querySelectorAll("*")) {
    const say = (what) => wrong.push(what + ": " + node.outerHTML.slice(0, 160));
    for (const { name, value } of node.attributes) {
      if (/^on|^(data-)?hx-on|^(sse|ws)-/.test(name) || (/^(data-)?hx-/.test(name) && /hit\/|alert/.test(value))) say("attribute");
      if (/^(xlink:)?href$/.test(name) && node.localName !== "use" && !/^(https?|mailto|tel):/.test(node.href ?? "")) say("address");
      if (loads.includes(name) && !/^(data:image\/(png|gif|jpeg|webp);|\/|$)/.test(value)) say("loads");
      if (name === "style" && (!framed || /url|image|expression|@import|\\/i.test(value.replace(/url-|image-/g, "")))) say("style");
      if (!framed && turned.test(value) && name !== "href" && name !== "value") say("turned");
    }
    if (framed && !/^(html|head|meta|base|style|body)$/.test(node.localName) && /^(script|style|iframe|object|embed|form|input|button|link|meta|base|svg|math|video|audio|template|dialog)$/.test(node.localName)) say("element");
    if (framed && node.localName === "meta" && node.httpEquiv) say("meta");
    if (framed && (node.id || node.className || (node.name && node.name !== "referrer"))) say("named");
  }
  if (!framed && turned.test(document.documentElement.textContent)) wrong.push("turned: " + [...document.querySelectorAll("bdi, p, li, a, h1, h2, h3, span, title")].find((node) => turned.test(node.textContent))?.outerHTML.slice(0, 300));
  return wrong;
}"""

# Everything folded is opened and every frame scrolled into sight, since it loads only there.
_OPENED = """async () => {
  for (const one of document.querySelectorAll("#thread details")) one.open = true;
  for (const one of document.querySelectorAll("iframe.sent")) {
    one.scrollIntoView();
    await new Promise(requestAnimationFrame);
  }
}"""


@dataclass
class Looking:
    """An agent's window over the filled shop."""

    shop: Running
    page: Page
    ears: Ears
    sink: Sink

    def at(self, path: str) -> None:
        """Opens a page, lets it settle, and looks at what it holds."""
        self.page.goto(f"{self.shop.url}{path}")
        self.inert(path)

    def inert(self, what: str) -> None:
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert self.page.evaluate(_FOUND, False) == [], what
        assert (self.ears.heard, self.sink.hits) == ([], []), what

    def through(self, path: str, most: int = 40) -> int:
        """A list with all the pages behind it; returns how many."""
        self.at(path)
        for done in range(1, most):
            more = self.page.locator("#page a.button[href*='after=']")
            if not more.count():
                return done
            self.at(str(more.first.get_attribute("href")))
        return most


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A shop of its own, since nobody finds anything in it any more."""
    with running(tmp_path_factory.mktemp("flooded")) as found:
        yield found


@pytest.fixture(scope="module")
def filled(shop: Running, chromium: Browser) -> Iterator[tuple[Incoming, list[str]]]:
    """The shop with everything in it, and what a page did and held that was open and live meanwhile."""
    context = shop.context(chromium, BRUNO)
    watching = context.new_page()
    with sinking() as sink:
        ears = Ears(shop.url)
        ears.listen(context, watching)
        watching.goto(f"{shop.url}/inbox/open")
        watching.locator("#live.lost").wait_for(state="detached")
        incoming = Incoming(shop, sink)
        incoming.bring()
        watching.locator("#rows .row").nth(20).wait_for(state="attached")
        wrong = [*watching.evaluate(_FOUND, False), *ears.heard, *sink.hits]
        context.close()
        yield incoming, wrong


@pytest.fixture
def looking(shop: Running, page: Page, filled: tuple[Incoming, list[str]]) -> Looking:
    incoming, _ = filled
    ears = Ears(shop.url)
    ears.listen(page.context, page)
    return Looking(shop, page, ears, incoming.sink)


def test_nothing_acts_as_it_comes_in_live(filled: tuple[Incoming, list[str]]) -> None:
    incoming, wrong = filled

    assert wrong == []
    assert incoming.mails > 150


def test_the_ticket_and_its_mails_as_sent_are_inert(looking: Looking, filled: tuple[Incoming, list[str]]) -> None:
    incoming, _ = filled
    frames = 0

    for number in incoming.numbers:
        looking.at(f"/tickets/{number}?all=1")
        looking.page.evaluate(_OPENED)
        for frame in looking.page.frames[1:]:
            frame.wait_for_load_state()
            assert frame.evaluate(_FOUND, True) == [], frame.url
            frames += 1
        sandboxes = looking.page.locator("iframe.sent").evaluate_all("(all) => all.map((one) => one.sandbox.value)")
        assert set(sandboxes) == {SANDBOX}
        looking.inert(f"ticket {number}")
    assert frames == incoming.mails


def test_inbox_search_customers_and_other_channels_are_inert(looking: Looking) -> None:
    assert looking.through("/inbox/all") >= 3
    for query in (WORD, f"kind:mention {WORD}*", "kind:customer", "alert img onerror"):
        looking.through(f"/search?q={query}", most=6)
    looking.through("/customers?q=", most=4)
    for channel in ("chat", "webform", "api"):
        for ticket in looking.shop.api.call("GET", f"/tickets?channel={channel}&limit=5")["items"]:
            looking.at(f"/tickets/{ticket['number']}")
            looking.at(f"/customers/{ticket['customer']}")
    looking.at("/search?q=%3Cimg src%3Dx: onerror%3Dalert(1)%3E")


def test_mentions_and_alert_are_inert(looking: Looking) -> None:
    assert looking.through("/mentions") >= 8
    alert = looking.shop.api.items("/alerts")[0]["id"]
    for path in ("/alerts", f"/alerts/{alert}", f"/alerts/{alert}/report", f"/mentions?alert={alert}"):
        looking.at(path)
