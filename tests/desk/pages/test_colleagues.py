"""Colleagues: named in notes, and their presence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ascolto.tickets.v1 import events_pb2 as ticket_events
from services.desk.pages import build_pages
from tests.desk import fakes
from tests.desk.browser import Browser
from tests.desk.pages.test_pages_answer import csrf_of


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fakes.Rig]:
    with fakes.a_rig(Path(tmp_path_factory.mktemp("desk")), pages=build_pages) as made:
        yield made


@pytest.fixture(scope="module")
def admin(rig: fakes.Rig) -> Iterator[Browser]:
    password = rig.password("anna@example.com", "admin", name="Anna Admin")
    user = rig.desk.people.find_by_email("anna@example.com")
    rig.desk.people.change_password(user, old=password, new="a good long password")
    with Browser(rig.web) as browser:
        browser.post("/login", data={"email": "anna@example.com", "password": "a good long password"})
        yield browser


def test_a_note_that_names_somebody_is_offered_marked_and_told(admin: Browser, rig: fakes.Rig) -> None:
    rig.password("bruno@example.com", "agent", name="Bruno Verdi")
    anna = rig.desk.people.find_by_email("anna@example.com")
    bruno = rig.desk.people.find_by_email("bruno@example.com")
    rig.desk.people.set_preferences(anna, {"language": "en"})
    rig.desk.directory.forget()
    ticket = rig.world.tickets["tkt_one"]
    said = rig.world.messages["tkt_one"]
    note = ticket_events.Interaction(
        id="int_named", ticket_id=ticket.id, direction=ticket_events.DIRECTION_INTERNAL, kind="note", author_kind="agent",
        author_id=bruno.id, text="@anna, look; @annabella and @nobody too", mentioned=[anna.id],
    )  # fmt: skip
    said.append(note)
    try:
        page = admin.get("/tickets/101").text
        notice = admin.get("/live/notice?kind=ticket_named&id=tkt_one").json()
    finally:
        said.remove(note)
    offered = admin.get("/colleagues?number=101&q=ver").json()

    assert "<mark>@anna</mark>, look; @annabella and @nobody too" in page
    assert notice == [
        {"title": "Bruno Verdi names you", "text": note.text, "href": f"/tickets/{ticket.number}#int_named"}
    ]
    assert offered == [{"label": "Bruno Verdi", "text": "@bruno "}]


def test_presence_is_chosen_in_ones_menu_and_seen_where_owners_are_chosen(admin: Browser, rig: fakes.Rig) -> None:
    rig.desk.people.set_preferences(rig.desk.people.find_by_email("anna@example.com"), {"language": "en"})
    csrf = csrf_of(admin.get("/profile").text)
    seen = []
    for presence in ("away", "break", "available"):
        chosen = admin.post("/profile/look", data={"csrf": csrf, "presence": presence, "next": "/profile"})
        assert chosen.status_code == 303
        ticket, alert, users, profile = (
            admin.get(path).text for path in ("/tickets/101", "/alerts/alr_one", "/settings/users", "/profile")
        )
        words = re.findall(r"Anna Admin( \([a-z ]+\))?(?=</button>| ·)", ticket + alert + users)
        seen.append((set(words), re.findall(r'name="presence" value="(\w+)" checked', profile)))
    refused = admin.post("/profile/look", data={"csrf": csrf, "presence": "asleep"})

    assert seen == [({" (away)"}, ["away"]), ({" (on break)"}, ["break"]), ({""}, ["available"])]
    assert refused.status_code == 422
