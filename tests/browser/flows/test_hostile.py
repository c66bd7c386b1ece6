"""Check 20: a hostile mail is shown, inert: no request, no dialog, no script, order of text kept, printed with its notes."""

from __future__ import annotations

import time
from email.message import EmailMessage

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.browser.flows.shop import Running

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
DEEP = 4000
HTML = (
    """<html><body onload="alert(1)"><script>alert(2)</script><img src="https://tracker.example/p.png" onerror="alert(3)">
<a href="javascript:alert(4)">gratis</a><div hx-get="/logout" hx-trigger="load">swap</div><form action="https://evil.example"><button>ok</button></form>
<svg onload="alert(5)"><use href="https://evil.example/x.svg#a"/></svg><style>@import url(https://evil.example/a.css); body{background:url(https://evil.example/b.png)}</style>
<iframe src="https://evil.example/"></iframe><meta http-equiv="refresh" content="0;url=https://evil.example/"><p>Testo vero della signora.</p>"""
    + "<table><tr><td>" * DEEP + "x" * 400_000 + "</td></tr></table>" * DEEP + "</body></html>"
)  # fmt: skip


def hostile() -> bytes:
    mail = EmailMessage()
    mail["From"] = "\u202eazzetniG <SENDER>"
    mail["To"] = "care@lumaca.example"
    mail["Subject"] = "\u202e\u2066طلب إرجاع\u2069 ordine 4471 <img src=x onerror=alert(6)>"
    mail["Message-ID"] = "<hostile-1@posta.example>"
    mail.set_content("Testo vero della signora. <script>alert(7)</script> <div hx-get='/logout' hx-trigger='load'>")
    mail.add_alternative(HTML, subtype="html")
    mail.add_attachment(
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(8)'/>",
        maintype="image",
        subtype="svg+xml",
        filename="foto\u202egnp.svg",
    )
    return mail.as_bytes().replace(b"SENDER", b"gin@posta.example")


def test_20_a_hostile_mail_is_inert(shop: Running, page: Page) -> None:
    shop.send_raw(hostile())
    ticket = shop.ticket(lambda one: "4471" in one["subject"])
    shop.api.call("POST", f"/tickets/{ticket['id']}/notes", expect=201, json={"text": "Attenzione a questa mail."})
    calls: list[str] = []
    dialogs: list[str] = []
    page.on("request", lambda request: calls.append(request.url))

    def closes(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", closes)

    page.goto(f"{shop.url}/inbox/open")
    row = page.locator(f"#row-{ticket['id']}")
    shown = row.locator(".what").inner_text()
    assert not set(shown) & set("\u202e\u202d\u2066\u2069\u200f"), "no bidi control in a list"
    assert "4471" in shown
    assert row.locator("bdi.what").count() == 1

    began = time.monotonic()
    page.goto(f"{shop.url}/inbox/open/{ticket['number']}")
    page.locator("#thread").wait_for()
    assert time.monotonic() - began < 3, "the page is there soon, whatever the mail weighs"
    expect(page.locator("#thread")).to_contain_text("Testo vero della signora.")
    frame = page.locator(".sent-as summary")
    if frame.count():
        frame.first.click()
        expect(page.frame_locator("iframe.sent").locator("body")).to_contain_text("Testo vero della signora.")
        assert (
            page.locator("iframe.sent").first.get_attribute("sandbox") == "allow-popups allow-popups-to-escape-sandbox"
        )
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    assert [url for url in calls if not url.startswith((shop.url, "data:", "about:"))] == []
    assert not [url for url in calls if "/logout" in url], "no htmx request from a customer's text"
    assert dialogs == []
    assert page.locator("#thread script, #thread [hx-get], #thread img[src^=http]").count() == 0

    page.emulate_media(media="print")
    note = page.locator("#thread .note", has_text="Attenzione")
    expect(note).to_be_visible()
    assert "nota interna" in note.inner_text().lower()
    assert note.evaluate("(node) => getComputedStyle(node).borderTopStyle") in ("dashed", "solid", "double")
