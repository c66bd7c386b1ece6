"""Every route against every role and scope (scenario 28), deny by default, and what a body may not change (29)."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI

from services.desk.domain import roles
from services.desk.web.deps import PUBLIC, SELF, Needs, needs
from services.desk.web.registry import Declared, declared
from services.kit.errors import Internal
from services.kit.principal import Person
from tests.desk.fakes import Rig
from tests.desk.world import OTHER, SHOP

IDS = {
    "ticket_id": "tkt_one",
    "customer_id": f"cus_{SHOP}",
    "alert_id": "alr_one",
    "letter_id": "tickets.dlq_1",
    "interaction_id": "int_tkt_one",
    "upload_id": "upl_none",
    "place": "0",
    "number": "101",
}


def a_page() -> str:
    return ""


def path_of(route: Declared) -> str:
    return route.path.format_map(IDS)


def test_a_route_without_a_permission_is_refused_when_the_application_is_built() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter()
    router.add_api_route("/open", a_page)
    app.include_router(router)

    with pytest.raises(Internal, match="/open"):
        declared(app)


def test_a_route_with_two_permissions_is_refused() -> None:
    app, router = FastAPI(openapi_url=None), APIRouter()
    router.add_api_route("/open", a_page, dependencies=[needs(PUBLIC), needs("admin")])
    app.include_router(router)

    with pytest.raises(Internal, match="2 permissions"):
        declared(app)


def test_every_route_declares_a_permission_there_is(rig: Rig) -> None:
    routes = [*declared(rig.api), *declared(rig.web)]

    assert len(routes) > 20
    assert {route.permission for route in routes} <= {*roles.PERMISSIONS, SELF, PUBLIC}
    assert [route.path for route in declared(rig.api) if route.permission in {PUBLIC, SELF}] == ["/api/v1/openapi.json"]


def test_every_route_of_the_api_is_refused_without_a_caller(rig: Rig) -> None:
    with rig.client() as client:
        for route in declared(rig.api):
            if route.permission == PUBLIC:
                continue
            answer = client.request(route.method, path_of(route))
            assert answer.status_code == 401, route
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert rig.world.persons == []


@pytest.mark.parametrize("scope", sorted(roles.SCOPES))
def test_every_route_of_the_api_obeys_the_scope(rig: Rig, scope: str) -> None:
    allowed = roles.permissions_of_scopes([scope])
    with rig.client(headers=rig.bearer(scope)) as client:
        for route in declared(rig.api):
            answer = client.request(route.method, path_of(route))
            may = Person("tok", permissions=allowed).may(route.permission) or route.permission == PUBLIC
            assert (answer.status_code != 403) == may, (route, answer.text)
            assert answer.status_code != 500, (route, answer.text)
            if not may:
                assert route.permission in answer.json()["detail"]


def test_every_route_of_the_api_hides_what_is_of_another_brand(rig: Rig) -> None:
    ids = {"ticket_id": "tkt_two", "customer_id": f"cus_{OTHER}", "alert_id": "alr_two"}
    bodies = {
        "replies": {"text": "x"},
        "notes": {"text": "x"},
        "resolve": {"cause": "x"},
        "mute": {"until": "2099-01-01T00:00:00Z", "reason": "x"},
    }
    with rig.client(headers=rig.bearer("admin", brand_ids=(SHOP,))) as client:
        for route in declared(rig.api):
            if not any("{" + name + "}" in route.path for name in ids):
                continue
            body = (
                {"version": 3, "state": "solved"} if route.method == "PATCH" else bodies.get(route.path.split("/")[-1])
            )
            answer = client.request(route.method, route.path.format_map(IDS | ids), json=body)
            assert answer.status_code == 404, (route, answer.text)

        found = client.get("/api/v1/search").json()["items"] + client.get("/api/v1/tickets").json()["items"]
        listed = client.get("/api/v1/alerts").json()["items"] + client.get("/api/v1/mentions").json()["items"]
    assert {item["id"] for item in found + listed} == {"tkt_one", "alr_one", "men_one"}
    assert rig.world.replies == {}


def test_who_acts_comes_from_the_token_and_never_from_the_body(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("tickets:write")) as client:
        for extra in ({"author_name": "Boss"}, {"roles": ["admin"]}, {"anyway": True}, {"brand_id": OTHER}):
            answer = client.post("/api/v1/tickets/tkt_one/replies", json={"text": "x", **extra})
            assert answer.status_code == 422, extra
            assert answer.json()["field"] == next(iter(extra))

        client.post("/api/v1/tickets/tkt_one/replies", json={"text": "x"})
    person = rig.world.persons[-1]
    assert person.user_id.startswith("tok_")
    assert person.permissions == {"tickets:write"}


def test_a_revoked_an_expired_and_a_forged_token_open_nothing(rig: Rig) -> None:
    secret = rig.token("admin")
    token = rig.desk.people.tokens()[0]
    with rig.client(headers={"authorization": f"Bearer {secret}"}) as client:
        assert client.get("/api/v1/tickets").status_code == 200

        rig.desk.people.revoke_token(token.id, by="usr_admin")

        assert client.get("/api/v1/tickets").status_code == 401
        for forged in (secret[:-1] + "x", "asc_", "asc_" + "a" * 10_000, "xyz", "", "\u00e9"):
            headers = {"authorization": f"Bearer {forged}".encode()}
            assert client.get("/api/v1/tickets", headers=headers).status_code == 401
        assert client.get("/api/v1/tickets", headers={"authorization": "Basic YTpi"}).status_code == 401


def test_alert_to_ticket_needs_only_the_right_to_act_on_alerts(rig: Rig) -> None:
    with rig.client(headers=rig.bearer("alerts:write")) as client:
        assert client.post("/api/v1/alerts/alr_one/ticket").status_code == 201
        assert client.get("/api/v1/tickets").status_code == 403


def test_the_roles_page_of_the_documentation_is_this_table() -> None:
    from services.desk.api.reference import roles_page

    page = Path("docs/reference/roles.md")
    assert page.read_text(encoding="utf-8") == roles_page()


def test_needs_tells_its_permission() -> None:
    assert Needs("tickets:read").permission == "tickets:read"
