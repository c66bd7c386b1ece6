"""The application behind `/api/v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request

from services.desk.api import contacts, listening, operations, problems, tickets
from services.desk.api.bodies import Bodies
from services.desk.api.callers import needs
from services.desk.api.route import ApiRoute
from services.desk.web.app import https_of
from services.desk.web.deps import PUBLIC
from services.desk.web.headers import SecurityHeaders
from services.desk.web.registry import declared

if TYPE_CHECKING:
    from services.desk.api.parts import Api
    from services.desk.context import Desk

PREFIX = "/api/v1"
description = APIRouter(route_class=ApiRoute)


@description.get("/openapi.json", include_in_schema=False, dependencies=[needs(PUBLIC)])
def openapi(request: Request) -> dict[str, Any]:
    """The API's own description."""
    schema: dict[str, Any] = request.app.openapi()
    return schema


def build_api(desk: Desk, api: Api) -> FastAPI:
    """The application; raises `Internal` when a route declares no permission."""
    app = FastAPI(
        title="Ascolto",
        version="1",
        summary="Contacts, tickets, customers, search, mentions, alerts and operations.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.desk, app.state.api = desk, api
    for part in (contacts, tickets, listening, operations):
        app.include_router(part.router, prefix=PREFIX)
    app.include_router(description, prefix=PREFIX)
    problems.install(app)
    declared(app)
    app.add_middleware(Bodies)
    app.add_middleware(SecurityHeaders, https=https_of(desk), api=True)
    return app
