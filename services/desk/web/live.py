"""The stream behind live pages, and heartbeats of who looks and writes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from services.desk.live.presence import DOINGS
from services.desk.web.deps import COOKIE, SELF, DeskOf, Form, Me, needs
from services.kit.errors import Invalid, NotFound, RateLimited

if TYPE_CHECKING:
    from services.desk.context import Desk
    from services.desk.live.feed import Change, Subscription
    from services.kit.principal import Person

router = APIRouter()
_BEAT_S = 15.0
_CHECK_S = 1.5  # with the 2 s that a session is remembered: a revoked one ends its streams within 3.5 s


@dataclass(slots=True)
class _Viewer:
    """Who is told, with the rights of this moment."""

    person: Person

    def admits(self, change: Change) -> bool:
        return self.person.may(change.permission) and self.person.sees_brand(change.brand_id)


@router.get("/live", dependencies=[needs(SELF)])
async def live(
    request: Request, desk: DeskOf, me: Me, last_event_id: Annotated[str, Header()] = "", since: str = ""
) -> Response:
    """Server-sent events `{kind, id, version, brand, rings?}`; `ends` two minutes before the session does; `reload` when the gap is too old, `signed_out` at the end of the session."""
    viewer = _Viewer(me.person)
    found = desk.live.subscribe(me.session.id, viewer.admits, last_event_id=last_event_id or since)
    if found is None:
        raise RateLimited("Too many pages are live in this browser; close some.", retry_after_s=30)
    stream, stale = found
    return StreamingResponse(
        _events(desk, stream, viewer, stale=stale, secret=request.cookies.get(COOKIE, "")),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _events(desk: Desk, stream: Subscription, viewer: _Viewer, *, stale: bool, secret: str) -> AsyncIterator[str]:
    clock = desk.clock
    told_s, told_end = clock.monotonic(), ""
    try:
        yield "retry: 2000\n\n"
        yield _event("reload" if stale else "ready", desk.live.event_id(stream.begun), {})
        while not stream.closed:
            items, overrun = await stream.take(_CHECK_S)
            signed_in = await run_in_threadpool(desk.sessions.find, secret)
            if signed_in is None:
                yield _event("signed_out", "", {})
                return
            viewer.person = signed_in.person
            if (ends := signed_in.session.ends(clock.now())) != told_end:
                told_end = ends
                yield _event("ends", "", {"ends": ends})
            if overrun:
                yield _event("reload", desk.live.event_id(desk.live.last), {})
            for item in items:
                change = item.change
                if viewer.admits(change):
                    body = {"kind": change.kind, "id": change.id, "version": change.version, "brand": change.brand_id}
                    if change.call and (rings := change.call.scope(viewer.person.user_id, viewer.person.teams)):
                        body["rings"] = rings
                    yield _event("change", desk.live.event_id(item.number), body)
            now_s = clock.monotonic()
            if items or overrun:
                told_s = now_s
            elif now_s - told_s >= _BEAT_S:
                told_s = now_s
                yield _event("beat", "", {})
    finally:
        desk.live.leave(stream)


def _event(name: str, event_id: str, body: dict[str, Any]) -> str:
    number = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{number}data: {json.dumps(body, separators=(',', ':'))}\n\n"


@router.post("/presence/{ticket_id}", dependencies=[needs("tickets:read")])
def beat(desk: DeskOf, me: Me, form: Form, ticket_id: str) -> Response:
    """Heartbeat: `doing` is looking, writing or gone."""
    doing = str(form.get("doing", "looking"))
    if doing == "gone":
        desk.presence.leave(ticket_id, me.user.id)
        return Response(status_code=204)
    if doing not in DOINGS:
        raise Invalid(f"doing is one of {', '.join(DOINGS)} or gone.", field="doing")
    tickets = desk.clients.tickets.rows(me.person, [ticket_id]).tickets
    if not tickets:
        raise NotFound(f"There is no ticket {ticket_id}.")
    desk.presence.beat(ticket_id, tickets[0].brand_id, user_id=me.user.id, name=me.user.name, doing=doing)
    return Response(status_code=204)
