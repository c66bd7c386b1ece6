"""What a notice on the screen says; the live stream itself carries names only."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.desk.pages import listening, rows
from services.desk.pages.frame import Frame
from services.desk.pages.prose import plain
from services.desk.web.deps import SELF, Me, needs


def routes(frame: Frame) -> APIRouter:
    """The address a browser asks before it shows a notice."""
    router = APIRouter()
    clients = frame.desk.clients

    @router.get("/live/notice", dependencies=[needs(SELF)])
    def notice(request: Request, me: Me, kind: str, id: str) -> Response:
        tongue = frame.tongue(request, me)
        found: list[dict[str, str]] = []
        if kind == "alert" and me.person.may("mentions:read"):
            line = listening.alert(tongue, clients.social.alert(me.person, id).alert, frame.desk.directory.name)
            found = [{"title": tongue.text("Alert"), "text": line.sentence, "href": f"/alerts/{id}"}]
        elif kind == "ticket_named" and me.person.may("tickets:read"):
            whole = clients.tickets.get(me.person, id=id)
            for note in [one for one in whole.interactions if me.user.id in one.mentioned][-1:]:
                title = tongue.text("%(name)s names you", name=frame.desk.directory.name(note.author_id))
                found = [
                    {"title": title, "text": plain(note.text, 160), "href": f"/tickets/{whole.ticket.number}#{note.id}"}
                ]
        elif kind == "ticket" and me.person.may("tickets:read"):
            for ticket in clients.tickets.rows(me.person, [id]).tickets:
                row = rows.row(tongue, ticket, me=me.user.id)
                title = f"{row.customer}, {row.channel.label}"
                found.append({"title": title, "text": row.subject, "href": f"/tickets/{row.number}"})
        return JSONResponse(found)

    return router
