"""Tickets, replies, notes, changes, customers and search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from services.desk.api import models
from services.desk.api.callers import Caller, desk_of_api, needs
from services.desk.api.paging import After, Limit, page
from services.desk.api.problems import Stale
from services.desk.api.route import ApiRoute
from services.desk.context import Desk
from services.desk.domain.roles import SEARCH_READ, TICKETS_READ, TICKETS_WRITE
from services.desk.usecases.acts import Answer, Held
from services.desk.wire import tickets as wire
from services.kit.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from services.desk.clients.messages import Blob
    from services.kit.principal import Person

router = APIRouter(route_class=ApiRoute, tags=["tickets"])
DeskOf = Annotated[Desk, Depends(desk_of_api)]
_MAX_NUMBER_DIGITS = 15


@router.get("/tickets", dependencies=[needs(TICKETS_READ)])
def list_tickets(  # noqa: PLR0913, PLR0917 (one parameter a filter)
    desk: DeskOf,
    person: Caller,
    state: Annotated[list[models.State], Query()] = [],  # noqa: B006 (FastAPI copies it)
    assignee: str = "",
    team: str = "",
    customer: str = "",
    channel: str = "",
    tag: str = "",
    brand: str = "",
    account: str = "",
    conversation: str = "",
    since: models.ToCome | None = None,
    until: models.ToCome | None = None,
    sort: Annotated[str, Query(pattern="^(|due|longest|newest|priority)$")] = "newest",
    limit: Limit = 50,
    after: After = "",
) -> dict[str, Any]:
    """Tickets by state (may be repeated), assignee (an id, `none`, `me`), customer, channel, tag, time of change."""
    found = desk.clients.tickets.list(
        person,
        states=state,
        assignee=person.user_id if assignee == "me" else assignee,
        team=team,
        customer_id=customer,
        channel=channel,
        tag=tag,
        brand_id=brand,
        account_id=account,
        conversation=conversation,
        since=since,
        until=until,
        sort=sort,
        limit=limit,
        after=after,
    )
    return page((wire.ticket(item) for item in found.tickets), found.next) | {"total": found.total}


@router.get("/tickets/{ticket_id}", dependencies=[needs(TICKETS_READ)])
def get_ticket(desk: DeskOf, person: Caller, ticket_id: str) -> dict[str, Any]:
    """One ticket, by id or number, with all its interactions, oldest first."""
    number = int(ticket_id) if ticket_id.isdecimal() and len(ticket_id) <= _MAX_NUMBER_DIGITS else 0
    found = desk.clients.tickets.get(person, id="" if number else ticket_id, number=number)
    interactions = [wire.interaction(item, _read(desk)) for item in found.interactions]
    return wire.ticket(found.ticket) | {"interactions": interactions}


@router.post("/tickets/{ticket_id}/replies", status_code=202, dependencies=[needs(TICKETS_WRITE)])
def reply(desk: DeskOf, person: Caller, ticket_id: str, body: models.Reply) -> JSONResponse:
    """Answers in the ticket's channel; `key` makes a repeat a no-op. 409 with `unseen` when `last_seen` is not the last."""
    uploads: list[str] = []
    try:
        for place, file in enumerate(body.attachments):
            uploads.append(_upload(desk, person, ticket_id, place, file))
        return _reply(desk, person, ticket_id, body, uploads)
    finally:
        desk.writing.discard(person.user_id, uploads)


def _upload(desk: Desk, person: Person, ticket_id: str, place: int, file: models.File) -> str:
    try:
        kept = desk.writing.upload(person.user_id, ticket_id, name=file.name, media_type=file.bare_type, data=file.data)
    except Invalid as error:
        raise Invalid(error.message, field=f"attachments.{place}.content_base64") from error
    return kept.id


def _reply(desk: Desk, person: Person, ticket_id: str, body: models.Reply, uploads: list[str]) -> JSONResponse:
    answer = Answer(
        text=body.text,
        html=body.html,
        uploads=uploads,
        last_seen=body.last_seen,
        key=body.key,
        public_confirmed=True,
    )
    try:
        sent = desk.acts.reply(person, ticket_id, answer)
    except Held as held:
        shown = {
            "unseen": [wire.interaction(item, _read(desk)) for item in held.unseen.interactions],
            "ticket": wire.ticket(held.unseen.ticket),
        }
        raise Stale(held.message, shown) from held
    state = wire.delivery_word(sent.interaction.delivery) or "queued"
    return JSONResponse({"id": sent.interaction.id, "delivery": state, "duplicate": sent.duplicate}, status_code=202)


@router.post("/tickets/{ticket_id}/notes", status_code=201, dependencies=[needs(TICKETS_WRITE)])
def add_note(desk: DeskOf, person: Caller, ticket_id: str, body: models.Note) -> dict[str, Any]:
    """Adds an internal note, which is never sent; a colleague named in it by `@` is told."""
    return wire.interaction(desk.acts.note(person, ticket_id, text=body.text), _read(desk))


@router.patch("/tickets/{ticket_id}", dependencies=[needs(TICKETS_WRITE)])
def change_ticket(desk: DeskOf, person: Caller, ticket_id: str, body: models.Patch) -> dict[str, Any]:
    """Changes a ticket; 409 with `current` when `version` is stale: somebody changed a field, or wrote, since."""
    given = body.model_fields_set
    priority = wire.PRIORITIES.index(body.priority) + 1 if body.priority else None
    if body.assignee:
        _known(desk, body.assignee)
    try:
        changed = desk.clients.tickets.change(
            person,
            ticket_id=ticket_id,
            version=body.version,
            state=body.state,
            assignee=(body.assignee or "") if "assignee" in given else None,
            team=(body.team or "") if "team" in given else None,
            tags=body.tags,
            priority=priority,
            strict=True,
        )
    except Conflict as error:
        if not error.detail:
            raise
        current = wire.ticket(desk.clients.tickets.current(error.detail))
        raise Stale(error.message, {"current": current}) from error
    return wire.ticket(changed)


@router.get("/customers/{customer_id}", dependencies=[needs(TICKETS_READ)])
def get_customer(
    desk: DeskOf, person: Caller, customer_id: str, limit: Limit = 50, after: After = ""
) -> dict[str, Any]:
    """A customer with identities, tickets and interactions, newest first; `next` reads on in the interactions."""
    found = desk.clients.tickets.customer(person, id=customer_id, limit=limit, after=after)
    return wire.customer(found, _read(desk))


@router.get("/search", tags=["search"], dependencies=[needs(SEARCH_READ)])
def search(
    desk: DeskOf,
    person: Caller,
    q: str = "",
    limit: Limit = 20,
    after: After = "",
) -> dict[str, Any]:
    """Everything that matches, with facets; what was not understood of `q` is in `ignored`, never an error."""
    return wire.found(desk.clients.search.find(person, q, limit=limit, after=after))


def _known(desk: Desk, user_id: str) -> None:
    try:
        disabled = desk.people.get(user_id).disabled
    except NotFound as error:
        raise Invalid(f"There is nobody with the id {user_id}.", field="assignee") from error
    if disabled:
        raise Invalid(f"{user_id} may no longer sign in.", field="assignee")


def _read(desk: Desk) -> wire.Read:
    def read(blob: Blob) -> bytes:
        return desk.blobs.get(blob.key)

    return read
