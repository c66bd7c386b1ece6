"""The desk's pages: view models, what fills them from the services, and their routes.

`build_pages(desk)` is what the desk's `app` calls; `services.desk.render` draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter, Request, Response

    from services.desk.context import Desk
    from services.desk.pages.frame import Frame
    from services.kit.errors import AscoltoError


class DeskPages:
    """All pages' routes, and errors as pages."""

    def __init__(self, frame: Frame, router: APIRouter) -> None:
        self._frame, self.router = frame, router

    def error(self, request: Request, error: AscoltoError, trace_id: str) -> Response:
        """The page for an error."""
        return self._frame.error(request, error, trace_id)


def build_pages(desk: Desk) -> DeskPages:
    """Reads templates, styles and catalogs, and makes the routes."""
    from fastapi import APIRouter

    from services.desk.pages import (
        alerts,
        calls,
        code,
        customers,
        entry,
        export,
        factor,
        inbox,
        mentions,
        operations,
        profile,
        reset,
        search,
        settings_listening,
        settings_people,
        settings_shop,
        ticket,
    )
    from services.desk.pages.frame import Frame
    from services.desk.render import Pages

    frame = Frame(desk, Pages())
    router = APIRouter()
    for page in (
        entry, code, reset, inbox, ticket, customers, search, export, mentions, alerts, operations, settings_shop, settings_people,
        settings_listening, profile, factor, calls,
    ):  # fmt: skip
        router.routes.extend(page.routes(frame).routes)  # as they are: an included route is analysed once more
    return DeskPages(frame, router)
