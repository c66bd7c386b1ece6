"""Files and customers' HTML cannot act, and only who sees the ticket gets them (scenarios 24, 25, 28 and 44)."""

from __future__ import annotations

import asyncio

from services.desk.web.deps import COOKIE
from services.desk.web.files import remote_count
from services.desk.web.registry import declared
from tests.desk.browser import Browser
from tests.desk.fakes import Rig
from tests.desk.world import OTHER, SHOP

HTML = "/tickets/tkt_one/html/int_tkt_one"


def signed_in(rig: Rig, *roles: str, **more: tuple[str, ...]) -> tuple[Browser, str]:
    password = rig.password("anna@shop.example", *(roles or ("agent",)), **more)
    new = asyncio.run(rig.desk.sessions.sign_in("anna@shop.example", password, address="test"))
    browser = Browser(rig.web)
    browser.cookies.set(COOKIE, new.secret)
    return browser, new.signed_in.csrf


def test_html_is_served_into_a_sandbox_that_fetches_nothing(rig: Rig) -> None:
    browser, _ = signed_in(rig)
    with browser:
        answer = browser.get(HTML)

    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "img-src data:;" in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_remote_pictures_need_to_be_asked_for(rig: Rig) -> None:
    browser, _ = signed_in(rig)
    with browser:
        policy = browser.get(f"{HTML}?remote=1").headers["content-security-policy"]

    assert "img-src data: https: http:" in policy
    assert "script-src" not in policy
    assert remote_count('<img src="https://a.example/p.gif"><p style="background:url(//b.example/x)">') == 2
    assert remote_count('<img src="cid:1"><a href="https://a.example">') == 0


def test_an_attachment_is_a_download_under_a_harmless_name_and_type(rig: Rig) -> None:
    browser, _ = signed_in(rig)
    with browser:
        answer = browser.get("/files/tkt_one/int_tkt_one/0")

    assert answer.content == b"<svg/>"
    assert answer.headers["content-type"] == "application/octet-stream"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; filename*=UTF-8''")
    assert not any(sign in disposition for sign in ("/", "\\", "\r", "\n", "%2F"))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox;")


def test_raw_and_whole_text_are_downloads_too(rig: Rig) -> None:
    browser, _ = signed_in(rig)
    with browser:
        raw = browser.get("/files/tkt_one/int_tkt_one/raw")
        text = browser.get("/files/tkt_one/int_tkt_one/text")

    assert raw.content.startswith(b"From: mara")
    assert text.text == "Where is my parcel?"
    assert raw.headers["content-disposition"].startswith("attachment")


def test_files_of_another_brand_do_not_exist(rig: Rig) -> None:
    browser, csrf = signed_in(rig, brand_ids=(OTHER,))
    with browser:
        for path in (HTML, "/files/tkt_one/int_tkt_one/0", "/files/tkt_one/int_tkt_one/raw"):
            assert browser.get(path).status_code == 404
        assert browser.get("/files/tkt_two/int_tkt_one/0").status_code == 404
        beat = browser.post("/presence/tkt_one", data={"csrf": csrf, "doing": "looking"})
        assert beat.status_code == 404
    assert rig.desk.presence.at("tkt_one") == []


def test_every_own_route_obeys_the_role(rig: Rig) -> None:
    browser, _ = signed_in(rig, "operations")
    ids = {"ticket_id": "tkt_one", "interaction_id": "int_tkt_one", "place": "0", "upload_id": "upl_x"}
    with browser:
        for route in declared(rig.web):
            if route.permission.startswith("tickets:"):
                answer = browser.request(route.method, route.path.format_map(ids))
                assert answer.status_code == 403, route


def test_an_upload_is_its_writers_alone_and_keeps_its_bytes(rig: Rig) -> None:
    browser, csrf = signed_in(rig, brand_ids=(SHOP,))
    with browser:
        made = browser.post(
            "/files/upload",
            data={"csrf": csrf, "ticket_id": "tkt_one"},
            files={"file": ("../x\r\n.html", b"<script>alert(1)</script>", "text/html")},
        )
        assert made.status_code == 200, made.text
        back = browser.get(made.json()["href"])
        elsewhere = browser.post(
            "/files/upload", data={"csrf": csrf, "ticket_id": "tkt_two"}, files={"file": ("a.txt", b"x", "text/plain")}
        )
        empty = browser.post(
            "/files/upload", data={"csrf": csrf, "ticket_id": "tkt_one"}, files={"file": ("a.txt", b"", "text/plain")}
        )

    assert back.content == b"<script>alert(1)</script>"
    assert back.headers["content-type"] == "application/octet-stream"
    assert (elsewhere.status_code, empty.status_code) == (404, 422)
    assert rig.desk.writing.uploads("usr_other", [made.json()["id"]]) == []
