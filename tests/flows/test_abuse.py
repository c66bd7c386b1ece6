"""Hostile input through the real edges: files stay inert, and no secret or person shows up in logs, metrics or errors."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import httpx

from services.demo.customers import ChatVisitor, FormVisitor, compose, send
from tests.faults.installation import Installation, Prepared
from tests.flows.people import post_contact, signed_in, ticket_with

HOSTILE_FILES = (
    ("foto.jpg", "image/jpeg", b"<html><script>alert(1)</script>"),  # HTML that says it is a picture
    ("bild.svg", "image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    ("../../etc/cron.d/x", "text/html", b"<script>alert(1)</script>"),
    ("rechnung.pdf\r\nSet-Cookie: a=b", "application/pdf", b"%PDF-1.4 <script>alert(1)</script>"),
    ("a\u202egpj.exe", "application/x-msdownload", b"MZ\x90"),
    ("poly.gif", "text/html", b"GIF89a/*<script>alert(1)</script>*/"),
)


def test_attachments_are_handed_out_inert_and_whole(running: Installation, prepared: Prepared) -> None:
    files = [
        {"name": name, "media_type": kind, "content_base64": base64.b64encode(data).decode()}
        for name, kind, data in HOSTILE_FILES
    ]
    post_contact(running, "inert-1", attachments=files)
    ticket = ticket_with(running, "inert-1")
    said = ticket["interactions"][0]
    assert [one["sha256"] for one in said["attachments"]] == [
        hashlib.sha256(data).hexdigest() for _, _, data in HOSTILE_FILES
    ]
    with signed_in(running, prepared.password) as browser:
        for place, (_, _, data) in enumerate(HOSTILE_FILES):
            answer = browser.get(f"/files/{ticket['id']}/{said['id']}/{place}")
            assert answer.status_code == 200
            assert answer.content == data
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert "/" not in answer.headers["content-disposition"].partition("''")[2]
            assert answer.headers["content-security-policy"].startswith("sandbox")
            assert not re.match(r"text/html|image/svg", answer.headers["content-type"])
            assert "set-cookie" not in answer.headers
    assert not any((running.data.parent / "etc").glob("**/*"))


def test_no_secret_and_no_person_reaches_log_metrics_or_errors(running: Installation, prepared: Prepared) -> None:
    """Scenario 39: a word of its own in every field of every way in; none of them may be found outside the stores."""
    fields = ("name", "subject", "text", "file", "address", "token", "pass", "handle", "post", "note", "secret")
    canaries = {name: f"kanari{name}vogel" for name in fields}
    person = {
        "name": canaries["name"], "address": f"{canaries['address']}@posta.example", "language": "it",
        "subject": canaries["subject"], "text": canaries["text"], "kind": "question",
    }  # fmt: skip
    shop = running.shops[0]
    send(running.smtp, compose(person, shop.address))
    FormVisitor(running.product.url, shop.slug).submit(person)
    visitor = ChatVisitor(running.product.url, shop.slug, person)
    visitor.open()
    assert visitor.say(canaries["text"])["op"] == "ack"
    visitor.close()
    data = base64.b64encode(canaries["text"].encode()).decode()
    file = {"name": f"{canaries['file']}.txt", "media_type": "text/plain", "content_base64": data}
    sender = {"email": person["address"], "name": canaries["name"], "phone": "+39021234567"}
    contact: dict[str, Any] = {"from": sender, "subject": canaries["subject"], "attachments": [file]}
    post_contact(running, "canary-1", **contact)
    ticket = ticket_with(running, "canary-1")
    running.api.call("POST", f"/tickets/{ticket['id']}/notes", expect=201, json={"text": canaries["note"]})
    post = {
        "external_id": "canary-p",
        "author": {"handle": canaries["handle"], "followers": 1},
        "text": canaries["post"],
    }
    posts = {"source": "replay", "items": [post | {"occurred_at": ticket["interactions"][0]["occurred_at"]}]}
    running.api.call("POST", "/mentions:batch", expect=202, json=posts)
    running.api.call("GET", f"/search?q={canaries['text']}")
    wrong = _provoke(running, canaries)
    running.drain()
    metrics = httpx.get(f"{running.product.url}/metrics", timeout=10).text
    health = "".join(httpx.get(f"{running.product.url}/{page}", timeout=10).text for page in ("healthz", "readyz"))
    health += json.dumps(running.api.call("GET", "/operations/health"))
    health += json.dumps(running.api.call("GET", "/operations/dead-letters"))
    doctor = running.product.command("doctor")
    secrets = [running.api.token, prepared.password, visitor.token, person["address"], "39021234567"]
    told_by = {"log": running.log(), "metrics": metrics, "errors": wrong, "health": health, "doctor": doctor}
    for place, told in told_by.items():
        for canary in [*canaries.values(), *secrets]:
            assert canary.lower() not in told.lower(), f"{canary} is in the {place}"
    assert "smtp.accepted" in running.log(), "the log is on"
    _nowhere(running, running.api.token, prepared.password)


def _nowhere(running: Installation, *secrets: str) -> None:
    """What opens something is nowhere in the data folder, and so in no backup: hashed or sealed alone."""
    running.product.command("backup", str(running.product.folder / "copy"))
    files = [path for path in running.product.folder.rglob("*") if path.is_file()]
    assert any("copy" in str(path) for path in files)
    for path in files:
        held = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in held], path


def _provoke(running: Installation, canaries: dict[str, str]) -> str:
    """Makes every edge answer with an error; returns all they said."""
    base, shop, said = running.product.url, running.shops[0], []
    hook = f"{base}/hooks/api/{shop.accounts['api']}"
    with httpx.Client(timeout=20) as client:
        for token in (canaries["token"], running.api.token):
            headers = {"Authorization": f"Bearer {token}"}
            said.append(client.post(hook, content=b'{"text": "' + canaries["text"].encode(), headers=headers))
            said.append(client.post(hook, json={"external_id": 1, "text": canaries["text"]}, headers=headers))
            said.append(client.post(f"{base}/api/v1/contacts", json={"text": canaries["text"]}, headers=headers))
            said.append(
                client.get(f"{base}/api/v1/search?q={canaries['secret']}&after={canaries['secret']}", headers=headers)
            )
        person = {"email": canaries["address"], "password": canaries["pass"]}
        said.append(client.post(f"{base}/login", data=person))
        said.append(client.post(f"{base}/c/{shop.slug}/chat/messages", json={"text": canaries["text"]}))
    assert all(answer.status_code >= 400 for answer in said), [answer.status_code for answer in said]
    return "\n".join(answer.text for answer in said if "/login" not in str(answer.url))


def test_a_customers_html_fetches_nothing_and_runs_nothing(running: Installation, prepared: Prepared) -> None:
    hostile = (
        '<p>Guten Tag</p><img src="http://127.0.0.1:9/p.gif"><script>alert(1)</script><svg onload="alert(1)">'
        '<div style="background:url(http://127.0.0.1:9/x)">x</div><a href="javascript:alert(1)">y</a>'
        '<iframe srcdoc="<script>alert(1)</script>"></iframe><form action="http://127.0.0.1:9"><input name="a"></form>'
    )
    post_contact(running, "hostile-1", html=hostile, text="")
    ticket = ticket_with(running, "hostile-1")
    with signed_in(running, prepared.password) as browser:
        shown = browser.get(f"/tickets/{ticket['id']}/html/{ticket['interactions'][0]['id']}")
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert not re.search(r"<script|onload|javascript:|<iframe|<form", shown.text.partition("<body")[2], re.IGNORECASE)


def test_a_wrong_signature_and_a_wrong_token_are_refused_alike(running: Installation) -> None:
    hook = f"{running.product.url}/hooks/api/{running.shops[0].accounts['api']}"
    body = {"external_id": "forged", "from": {"email": "a@posta.example"}, "text": "x"}
    for headers in ({}, {"Authorization": "Bearer asc_wrong"}, {"webhook-id": "a", "webhook-signature": "v1,AAAA"}):
        answer = httpx.post(hook, json=body, headers=headers, timeout=10)
        assert answer.status_code in {401, 403}
        assert answer.headers["content-type"].startswith("application/problem+json")
    post_contact(running, "after-forged")
    assert ticket_with(running, "after-forged")
    with running.database("intake") as intake:
        assert intake.execute("SELECT COUNT(*) FROM inbound_event WHERE external_id = 'forged'").fetchone() == (0,)
