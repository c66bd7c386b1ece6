"""REST as another program uses it: an answer's files and HTML arrive in the customer's channel, and bad input stores nothing."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import httpx

from tests.faults.installation import Installation
from tests.flows.people import ticket_with
from tests.kitlib import wait_until

SMALL, LARGE = b"%PDF-1.4 rimborso", bytes(range(256)) * 24_000  # 6 MB: by the blob store
PDF = "application/pdf"


def attached(name: str, data: bytes) -> dict[str, str]:
    return {"name": name, "media_type": PDF, "content_base64": base64.b64encode(data).decode()}


def call(one: Installation, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {one.api.token}"} | more.pop("headers", {})
    return one.api.client.request(method, f"{one.product.url}{path}", headers=headers, **more)


def answered(one: Installation, ticket: str, **body: Any) -> httpx.Response:
    return call(one, "POST", f"/api/v1/tickets/{ticket}/replies", json=body)


def by_mail(one: Installation, external_id: str) -> str:
    """A contact on the mail account; its ticket."""
    contact = {
        "account": one.shops[0].accounts["email"],
        "external_id": external_id,
        "from": {"email": f"{external_id}@posta.example"},
        "text": "Dov'è il rimborso?",
    }
    assert call(one, "POST", "/api/v1/contacts", json=contact).status_code == 202
    return str(ticket_with(one, external_id)["id"])


def test_an_answers_files_and_html_arrive_by_mail(running: Installation) -> None:
    ticket = by_mail(running, "rest-mail")

    sent = answered(
        running,
        ticket,
        text="Ecco la ricevuta.",
        html="<p>Ecco la <b>ricevuta</b>.</p><script>alert(1)</script>",
        attachments=[attached("ricevuta.pdf", SMALL), attached("foto.pdf", LARGE)],
    )

    assert (sent.status_code, sent.json()["delivery"]) == (202, "queued")
    wait_until(lambda: any("ricevuta" in mail.text for mail in running.sink.to("rest-mail@posta.example")), 20)
    mail = next(mail for mail in running.sink.to("rest-mail@posta.example") if "ricevuta" in mail.text)
    html = mail.message.get_body(("html",))
    files = {part.get_filename(): part.get_content() for part in mail.message.iter_attachments()}
    assert html is not None
    assert "Ecco la <b>ricevuta</b>." in html.get_content()
    assert "script" not in html.get_content()
    assert files == {"ricevuta.pdf": SMALL, "foto.pdf": LARGE}
    shown = call(running, "GET", f"/api/v1/tickets/{ticket}").json()["interactions"][-1]
    assert [(file["name"], file["media_type"], file["size"], file["sha256"]) for file in shown["attachments"]] == [
        ("ricevuta.pdf", PDF, len(SMALL), hashlib.sha256(SMALL).hexdigest()),
        ("foto.pdf", PDF, len(LARGE), hashlib.sha256(LARGE).hexdigest()),
    ]
    assert shown["html"] == "<p>Ecco la <b>ricevuta</b>.</p>"


def test_what_a_channel_does_not_carry_is_said_by_name_and_not_sent(running: Installation) -> None:
    account = running.shops[0].accounts["chat"]
    contact = {"account": account, "external_id": "rest-chat", "from": {"handle": "v"}, "text": "Ciao"}
    assert call(running, "POST", "/api/v1/contacts", json=contact).status_code == 202
    ticket = ticket_with(running, "rest-chat")["id"]

    file = answered(running, ticket, text="Ecco", attachments=[attached("a.pdf", SMALL)])
    html = answered(running, ticket, text="Ecco", html="<p>Ecco</p>")

    assert [(one.status_code, one.json()["field"]) for one in (file, html)] == [(422, "attachments"), (422, "html")]
    said = call(running, "GET", f"/api/v1/tickets/{ticket}").json()["interactions"]
    assert [one["direction"] for one in said if one["kind"] == "message"] == ["in"]


def test_a_made_up_cursor_of_mentions_is_refused_by_name_whatever_the_order(running: Installation) -> None:
    for order in ("newest", "risk"):
        for after in ("1e5~", "1e5~men_1~", "~", "nan~men_1", "٣~men_1"):
            refused = call(running, "GET", "/api/v1/mentions", params={"after": after, "sort": order})
            assert (refused.status_code, refused.json().get("field")) == (422, "after"), (order, after)
