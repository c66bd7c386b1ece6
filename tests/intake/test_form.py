"""The contact form: works without JavaScript, keeps what was typed, takes each submission once."""

from __future__ import annotations

import re
from typing import Any

import httpx

from ascolto.intake.v1.events_pb2 import ContactReceived
from services.kit import topics
from tests.intake.world import World


def show(world: World, **more: Any) -> httpx.Response:
    return world.call(world.pages, "GET", f"/c/{world.slug}/contact", **more)


def token_of(page: httpx.Response) -> str:
    found = re.search(r'name="t" value="([^"]+)"', page.text)
    assert found
    return found[1]


def filled(world: World, **more: Any) -> dict[str, Any]:
    token = token_of(show(world))
    world.clock.advance(seconds=5)
    fields = {
        "t": token,
        "email": "mara@posta.example",
        "name": "Mara",
        "message": "Il vetro è rotto.",
        "topic": "complaint",
    }
    return fields | more


def send(world: World, fields: dict[str, Any], **more: Any) -> httpx.Response:
    return world.call(world.pages, "POST", f"/c/{world.slug}/contact", data=fields, **more)


def received(world: World) -> list[ContactReceived]:
    return [ContactReceived.FromString(record.envelope.payload) for record in world.events(topics.CONTACTS)]


def test_a_form_sent_without_javascript_is_taken_in_and_thanked_for(world: World) -> None:
    files = [("files", ("../../foto.png", b"\x89PNG\r\n\x1a\n123", "text/html"))]

    answer = send(world, filled(world), files=files)
    thanks = world.call(world.pages, "GET", answer.headers["location"])

    (contact,) = received(world)
    assert answer.status_code == 303
    assert contact.contact_id[-8:].upper() in thanks.text
    assert (contact.topic, contact.text) == ("complaint", "Il vetro è rotto.")
    assert (contact.attachments[0].name, contact.attachments[0].media_type) == ("foto.png", "image/png")
    assert contact.capabilities.replies_by == "email"


def test_the_same_form_sent_twice_is_one_contact_with_one_reference(world: World) -> None:
    fields = filled(world)

    first, second = send(world, fields), send(world, fields)

    assert first.headers["location"] == second.headers["location"]
    assert len(received(world)) == 1


def test_an_error_keeps_every_value_and_stands_beside_its_field(world: World) -> None:
    answer = send(world, filled(world, email="mara", message="<b>Ciao</b>"))

    assert answer.status_code == 422
    assert 'id="email-fault"' in answer.text
    assert 'aria-describedby="email-fault"' in answer.text
    assert "&lt;b&gt;Ciao&lt;/b&gt;" in answer.text
    assert 'id="errors"' in answer.text
    assert received(world) == []


def test_who_mends_an_error_need_not_wait_again(world: World) -> None:
    wrong = send(world, filled(world, email="mara"))

    at_once = {
        "t": token_of(wrong),
        "email": "mara@posta.example",
        "message": "Il vetro è rotto.",
        "topic": "complaint",
    }
    mended = send(world, at_once)

    assert wrong.status_code == 422
    assert mended.status_code == 303


def test_a_forged_token_is_refused_and_the_text_is_kept(world: World) -> None:
    answer = send(world, filled(world) | {"t": "x.1.y"})

    assert answer.status_code == 403
    assert "Il vetro è rotto." in answer.text
    assert received(world) == []


def test_too_fast_and_too_old_are_asked_to_send_again(world: World) -> None:
    fields = filled(world)
    world.clock.advance(hours=25)
    old = send(world, fields)
    fast = send(world, fields | {"t": token_of(old)})

    assert (old.status_code, fast.status_code) == (403, 403)
    assert received(world) == []


def test_the_trap_marks_and_does_not_lose(world: World) -> None:
    send(world, filled(world, hp_website="http://spam.example"))

    (contact,) = received(world)
    assert contact.suspicious


def test_line_ends_in_the_name_cannot_reach_a_header(world: World) -> None:
    send(world, filled(world, name="Mara\r\nBcc: all@posta.example", order="1\n2"))

    (contact,) = received(world)
    assert "\n" not in getattr(contact, "from").name
    assert "\r" not in getattr(contact, "from").name
    assert "\n" not in contact.subject + contact.order_number


def test_more_than_the_hours_limit_is_429_with_the_text_kept(world: World) -> None:
    for _ in range(world.parts.settings.form_per_hour):
        assert send(world, filled(world)).status_code == 303

    answer = send(world, filled(world))

    assert answer.status_code == 429
    assert "Il vetro è rotto." in answer.text


def test_json_answers_json_and_names_unknown_fields(world: World) -> None:
    path = f"/c/{world.slug}/contact"

    good = world.call(world.pages, "POST", path, json=filled(world))
    bad = world.call(world.pages, "POST", path, json=filled(world, colour="red"))

    assert (good.status_code, good.json()["status"]) == (202, "received")
    assert (bad.status_code, bad.json()["field"]) == (422, "colour")


def test_another_sites_page_may_not_send_it(world: World) -> None:
    answer = send(world, filled(world), headers={"origin": "https://evil.example"})

    assert answer.status_code == 403
    assert received(world) == []


def test_the_page_loads_nothing_from_elsewhere_and_is_framed_by_the_shop_alone(world: World) -> None:
    page = show(world)

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self';" in policy + ";"
    assert not re.search(r"<script>|\son\w+=|https?://", page.text)


def test_six_languages_by_the_browser(world: World) -> None:
    titles = {
        language: re.search(
            r"<h1>(.*?)</h1>", show(world, headers={"accept-language": f"{language}-XX,en;q=0.5"}).text
        )[1]  # type: ignore[index]  # the test knows what it made
        for language in ("it", "en", "de", "fr", "es", "pt")
    }

    assert len(set(titles.values())) == 6


def test_a_closed_form_names_the_channels_that_are_open(world: World) -> None:
    from services.intake.usecases.accounts import Accounts

    use = Accounts(world.parts.database, world.directory, world.parts.secrets)
    use.switch(world.accounts["webform"], on=False, off_message="Torniamo lunedì.")

    page = show(world)

    assert page.status_code == 503
    assert "Torniamo lunedì." in page.text
    assert "aiuto@lumaca.example" in page.text
    assert f"/c/{world.slug}/chat" in page.text
