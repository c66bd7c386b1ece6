"""Scenarios 31 and 44: what a page on another port does to a signed-in agent, and files that are not what they say."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.browser.flows.shop import Running
from tests.browser.hostile import Ears, sinking

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

_POSTS = """async ([url, fields]) => {
  const name = `out${document.forms.length}`;
  const frame = document.body.appendChild(Object.assign(document.createElement("iframe"), { name }));
  const form = document.body.appendChild(Object.assign(document.createElement("form"), { action: url, method: "post", target: name }));
  for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement("input"), { name, value }));
  const done = new Promise((loaded) => { frame.onload = loaded; });
  form.submit();
  await done;
}"""
_ASKS = """async ([url, options]) => {
  try {
    const answer = await fetch(url, { credentials: "include", ...options });
    return answer.type === "opaque" ? "opaque" : `${answer.status} ${(await answer.text()).slice(0, 100)}`;
  } catch (error) { return "refused"; }
}"""
_FRAMES = """(url) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.onload = () => { try { done(frame.contentDocument ? "own" : "foreign"); } catch { done("foreign"); } };
  frame.src = url;
  document.body.append(frame);
})"""
_SOCKET = """([url, token]) => new Promise((done) => {
  const socket = new WebSocket(url, ["care.chat.v1"]);
  const heard = [];
  socket.onopen = () => socket.send(JSON.stringify({ op: "hello", token, last_seq: 0 }));
  socket.onmessage = ({ data }) => heard.push(data);
  socket.onclose = () => done(heard);
})"""
_TRIES = """async (url) => {
  const one = (name, more) => new Promise((done) => {
    const node = Object.assign(document.createElement(name), more);
    node.onload = () => done("loaded");
    node.onerror = () => done("refused");
    document.body.append(node);
  });
  return [await one("script", { src: url }), await one("link", { rel: "stylesheet", href: url })];
}"""
FILES = (
    ("foto.jpg", "image/jpeg", "<html><script>alert(1)</script>"),
    ("bild.svg", "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(2)'/>"),
    ("../../pagina.html", "text/html", "<script>alert(3)</script>"),
    ("poly.gif", "image/gif", "GIF89a/*<script>alert(4)</script>*/=1;alert(4)"),
    ("a\u202egpj.exe", "application/x-msdownload", "MZ"),
    ("x.xhtml", "application/xhtml+xml", "<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(5)</script></html>"),
    ("x.js", "text/javascript", "alert(6)"),
    ("x.css", "text/css", "body { background: url(/hit/7) }"),
    ("carta.pdf", "application/pdf", "%PDF-1.4 <script>alert(8)</script>"),
)


@pytest.fixture
def elsewhere(shop: Running, chromium: Browser) -> Iterator[Page]:
    """A page of another origin, in the window of somebody who is signed in to the desk. The port makes no other site:
    the cookie of the desk goes with its calls."""
    context = shop.context(chromium)
    with sinking() as sink:
        page = context.new_page()
        page.goto(f"{sink.url}/hit/page")
        yield page
        context.close()


def test_31_another_port_changes_reads_and_frames_nothing(shop: Running, elsewhere: Page) -> None:
    ticket = shop.mail(text="Buongiorno da un cliente.")
    before = shop.full(ticket)
    number, api = before["number"], f"{shop.url}/api/v1/tickets/{before['id']}"
    note = {"text": "da fuori", "csrf": "", "key": "k"}

    elsewhere.evaluate(_POSTS, [f"{shop.url}/tickets/{number}/note", note])
    elsewhere.evaluate(_POSTS, [f"{shop.url}/tickets/{number}/change", {"state": "solved", "version": "0"}])
    plain = {"method": "POST", "headers": {"content-type": "text/plain"}, "body": '{"text": "da fuori"}'}
    asked = [
        elsewhere.evaluate(_ASKS, [api, {}]),
        elsewhere.evaluate(_ASKS, [f"{shop.url}/inbox/open", {}]),
        elsewhere.evaluate(_ASKS, [f"{shop.url}/live", {}]),
        elsewhere.evaluate(_ASKS, [f"{api}/notes", plain]),
        elsewhere.evaluate(_ASKS, [f"{api}/notes", {**plain, "headers": {"content-type": "application/json"}}]),
        elsewhere.evaluate(_ASKS, [f"{api}/notes", {**plain, "mode": "no-cors"}]),
        elsewhere.evaluate(_ASKS, [f"{shop.url}/logout", {**plain, "mode": "no-cors"}]),
    ]
    elsewhere.evaluate(_FRAMES, f"{shop.url}/inbox/open")

    assert set(asked) <= {"refused", "opaque"}, asked
    assert asked[:3] == ["refused"] * 3
    framed = elsewhere.frames[-1]
    assert "inbox" not in framed.url
    assert framed.locator("#rows").count() == 0
    after = shop.full(ticket)
    assert [one["text"] for one in after["interactions"]] == [one["text"] for one in before["interactions"]]
    assert (after["state"], after["assignee"]) == (before["state"], before["assignee"])
    elsewhere.goto(f"{shop.url}/inbox/open")
    assert "/login" not in elsewhere.url, "nobody else can sign an agent out"


def test_31_another_ports_chat_socket_hears_nothing(shop: Running, elsewhere: Page) -> None:
    person = {"name": "Visita", "address": "visita@posta.example", "language": "it"}
    visitor = shop.visitor(person)
    address = f"{shop.url.replace('http', 'ws', 1)}/c/{shop.shop.slug}/chat/ws"

    heard = elsewhere.evaluate(_SOCKET, [address, visitor.token])

    visitor.close()
    assert not [one for one in heard if '"ready"' in one]


def test_44_no_file_is_opened_run_or_drawn_by_the_browser(shop: Running, chromium: Browser) -> None:
    context = shop.context(chromium)
    page = context.new_page()
    encoded: list[dict[str, Any]] = [
        {"name": name, "media_type": kind, "content_base64": base64.b64encode(text.encode()).decode()}
        for name, kind, text in FILES
    ]
    contact = {"account": shop.shop.accounts["api"], "external_id": "files", "from": {"email": "f@posta.example"}}
    shop.api.call("POST", "/contacts", expect=202, json=contact | {"subject": "Nove file", "attachments": encoded})
    ticket = shop.ticket(lambda one: one["subject"] == "Nove file")
    ears = Ears(shop.url)
    ears.listen(context, page)
    page.goto(f"{shop.url}/tickets/{ticket['number']}")
    links = [str(one.get_attribute("href")) for one in page.locator(".file").all()]
    assert len(links) == len(FILES)

    names = []
    for link in links:
        with page.expect_download() as saved, pytest.raises(Error, match=r"Download is starting|ERR_ABORTED"):
            page.goto(f"{shop.url}{link}")
        names.append(saved.value.suggested_filename)
    tried = [page.evaluate(_TRIES, f"{shop.url}{link}") for link in links]

    context.close()
    assert (ears.dialogs, ears.calls) == ([], [])
    assert not [name for name in names if re.search(r"[/\\\u202e]|^\.", name)], names
    assert tried == [["refused", "refused"]] * len(FILES)
