"""Every page and form against every role, another brand's things, and fields nobody offered (scenarios 28 and 29)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.desk.domain import roles
from services.desk.pages import build_pages
from services.desk.web.deps import PUBLIC, SELF
from services.desk.web.registry import Declared, declared
from tests.desk import fakes
from tests.desk.browser import Browser
from tests.desk.pages.test_pages_answer import csrf_of
from tests.desk.world import OTHER, SHOP

PASSWORD = "a good long password"
OWN = {"id": "tkt_one", "number": "101", "ticket_id": "tkt_one", "interaction_id": "int_tkt_one", "place": "0", "view": "mine",
       "upload_id": "upl_none", "version": "x", "name": "x.css", "service": "tickets"}  # fmt: skip
NOUNS = {"alerts": "alr", "mentions": "men", "customers": "cus", "tickets": "tkt"}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fakes.Rig]:
    with fakes.a_rig(Path(tmp_path_factory.mktemp("desk")), pages=build_pages) as made:
        yield made


def signed_in(rig: fakes.Rig, role: str, *, brands: tuple[str, ...] = ()) -> Browser:
    email = f"{role}{len(brands)}@shop.example"
    people = rig.desk.people
    if email not in {one.email for one in people.everybody()}:
        user, password = people.create(email=email, name=role, roles_=[role], brand_ids=brands)
        people.change_password(user, old=password, new=PASSWORD)
    browser = Browser(rig.web)
    assert browser.post("/login", data={"email": email, "password": PASSWORD}).status_code == 303
    return browser


READS = {
    "/settings/canned": roles.TICKETS_READ,
    "/settings/watches": roles.MENTIONS_READ,
    "/settings/sources": roles.MENTIONS_READ,
}  # what these show is read with it


def path_of(route: Declared, *, other: bool = False) -> str:
    """An address of the route with things of the shop, or of the other brand."""
    values = dict(OWN)
    noun = NOUNS.get(route.path.split("/")[1], "")
    one = "two" if other else "one"
    values["id"] = f"cus_{OTHER if other else SHOP}" if noun == "cus" else f"{noun}_{one}"
    if other:
        values |= {"number": "102", "ticket_id": "tkt_two", "interaction_id": "int_tkt_two"}
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: values.get(found[1], "x"), route.path)


@pytest.mark.parametrize("role", sorted(roles.ROLES))
def test_every_page_and_form_obeys_the_role(rig: fakes.Rig, role: str) -> None:
    with signed_in(rig, role) as browser:
        csrf = csrf_of(browser.get("/profile").text)
        for route in declared(rig.web):
            if route.permission in {PUBLIC, SELF} or route.path == "/live":
                continue
            has = roles.permissions_of([role])
            reads = READS.get("/".join(route.path.split("/")[:3]), route.permission)
            may = roles.ADMIN in has or {route.permission, reads} <= has

            answer = browser.request(route.method, path_of(route), headers={"x-csrf-token": csrf})

            assert (answer.status_code == 403) != may, (route, answer.status_code)


@pytest.mark.parametrize(("role", "shown"), [("operations", 0), ("supervisor", 3)])
def test_settings_offer_only_what_the_role_may_open(rig: fakes.Rig, role: str, shown: int) -> None:
    with signed_in(rig, role) as browser:
        page = browser.get("/settings").text

    assert sum(f'href="{path}"' in page for path in READS) == shown
    assert 'href="/settings/notifiers"' in page


def test_nothing_of_another_brand_is_reached_by_its_address(rig: fakes.Rig) -> None:
    with signed_in(rig, "supervisor", brands=(SHOP,)) as browser:
        csrf = csrf_of(browser.get("/profile").text)
        before = rig.world.tickets["tkt_two"].SerializeToString(), rig.world.alerts["alr_two"].SerializeToString()
        tried = 0
        for route in declared(rig.web):
            named = path_of(route, other=True)
            if named == path_of(route) or route.path.startswith(("/static", "/profile", "/settings")):
                continue

            answer = browser.request(
                route.method, named, headers={"x-csrf-token": csrf}, data={"text": "x", "act": "claim", "version": "1"}
            )

            tried += 1
            assert answer.status_code in {403, 404, 422, 500}, (
                route,
                answer.status_code,
            )  # 500: a call no fake answers
            assert "Order 102" not in answer.text
        assert tried > 15
        shown = [browser.get(path).text for path in ("/inbox/all", "/search?q=order", "/alerts", "/mentions")]
    assert not any(name in page for page in shown for name in ("Order 102", "tkt_two", "alr_two", "men_two"))
    assert rig.world.replies == {}
    after = rig.world.tickets["tkt_two"].SerializeToString(), rig.world.alerts["alr_two"].SerializeToString()
    assert after == before


def test_no_form_makes_anybody_more_than_they_are(rig: fakes.Rig) -> None:
    extra = {"roles": "admin", "role": "admin", "permissions": "admin", "disabled": "", "brand_ids": "", "brands": "", "user_id": "usr_x", "id": "usr_x", "email": "boss@shop.example", "is_admin": "1"}  # fmt: skip
    with signed_in(rig, "agent", brands=(SHOP,)) as browser:
        csrf = csrf_of(browser.get("/profile").text)
        me = rig.desk.people.find_by_email("agent1@shop.example")
        everybody = {one.email for one in rig.desk.people.everybody()}
        for route in declared(rig.web):
            if route.method == "POST" and route.path not in {"/logout", "/login", "/profile/password"}:
                browser.post(path_of(route), data={**extra, "csrf": csrf})

        now = rig.desk.people.get(me.id)
        assert (now.roles, now.brand_ids, now.email) == (me.roles, me.brand_ids, me.email)
        assert {one.email for one in rig.desk.people.everybody()} == everybody
        assert browser.get("/settings/users").status_code == 403


def test_a_link_made_for_another_host_is_never_written(rig: fakes.Rig) -> None:
    with Browser(rig.web, headers={"host": "evil.example", "x-forwarded-host": "evil.example"}) as browser:
        answers = [browser.get("/login"), browser.get("/tickets/101"), browser.get("/none")]

    assert not any("evil.example" in f"{one.text}{one.headers}" for one in answers)


def test_the_password_handed_out_opens_nothing_but_its_change_and_only_once(rig: fakes.Rig) -> None:
    user, password = rig.desk.people.create(email="new@shop.example", name="New", roles_=["admin"])
    with Browser(rig.web) as browser:
        browser.post("/login", data={"email": user.email, "password": password})

        assert browser.get("/settings/users").headers["location"] == "/profile?change=1"

    rig.desk.people.change_password(user, old=password, new=PASSWORD)
    with Browser(rig.web) as browser:
        assert browser.post("/login", data={"email": user.email, "password": password}).status_code == 401
