"""The API's reference page is the API."""

from __future__ import annotations

from pathlib import Path

from services.desk.api.reference import api_page
from services.desk.web.registry import declared
from tests.desk.fakes import Rig

PAGE = Path("docs/reference/api.md")
FIXED = """
POST /contacts
POST /contacts:batch
GET /tickets
GET /tickets/{ticket_id}
POST /tickets/{ticket_id}/replies
POST /tickets/{ticket_id}/notes
PATCH /tickets/{ticket_id}
GET /customers/{customer_id}
GET /search
POST /mentions:batch
GET /mentions
GET /alerts
POST /alerts/{alert_id}/claim
POST /alerts/{alert_id}/resolve
POST /alerts/{alert_id}/mute
POST /alerts/{alert_id}/ticket
GET /operations/health
GET /operations/accounts
GET /operations/dead-letters
POST /operations/dead-letters/{letter_id}/replay
"""


def page(rig: Rig) -> str:
    permissions = {(route.method, route.path): route.permission for route in declared(rig.api)}
    return api_page(rig.api.openapi(), permissions)


def test_the_reference_page_says_what_the_api_is(rig: Rig) -> None:
    made = page(rig)

    assert PAGE.read_text(encoding="utf-8") == made, f"{PAGE} is stale; its text should be:\n{made}"


def test_every_call_of_the_design_is_there(rig: Rig) -> None:
    calls = {f"{route.method} {route.path.removeprefix('/api/v1')}" for route in declared(rig.api)}

    assert set(FIXED.strip().splitlines()) <= calls


def test_the_description_is_public_and_names_no_secret(rig: Rig) -> None:
    with rig.client() as client:
        answer = client.get("/api/v1/openapi.json")

    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.")
    assert answer.headers["cache-control"] == "no-store"
