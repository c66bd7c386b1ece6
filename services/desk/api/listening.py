"""Mentions and alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from services.desk.api import models
from services.desk.api.batch import items_of, refused
from services.desk.api.callers import Caller, needs
from services.desk.api.paging import After, Limit, page
from services.desk.api.problems import Stale
from services.desk.api.route import ApiRoute
from services.desk.api.tickets import DeskOf
from services.desk.domain.roles import ALERTS_WRITE, MENTIONS_READ, MENTIONS_WRITE
from services.desk.wire import others as wire
from services.kit.errors import Conflict, Invalid

if TYPE_CHECKING:
    from ascolto.social.v1.service_pb2 import NewMention
    from services.desk.clients.messages import Alert
    from services.desk.context import Desk

router = APIRouter(route_class=ApiRoute, tags=["listening"])
Tone = Literal["", "negative", "neutral", "positive"]
AlertState = Literal["raised", "claimed", "assigned", "muted", "escalated", "resolved", "false_alarm"]


@router.post("/mentions:batch", status_code=202, dependencies=[needs(MENTIONS_WRITE)])
def add_mentions(desk: DeskOf, person: Caller, body: models.Mentions) -> JSONResponse:
    """Takes in up to 1,000 mentions of a source; answers `{items}` in their order, each `{id, duplicate}` or `{index, error, field}`."""
    read = items_of(models.Mention, body.items)
    taken: list[dict[str, Any]] = []
    for part in _parts([_new_mention(one) for one in read if isinstance(one, models.Mention)]):
        answer = desk.clients.social.ingest(person, body.source, part)
        taken += [
            {"id": item.id or None, "duplicate": item.duplicate, "matched": not item.unmatched}
            | ({"error": item.error, "field": item.field or None} if item.error else {})
            for item in answer.items
        ]
    answers = iter(taken)
    items = [
        refused(index, one.message, one.field) if isinstance(one, Invalid) else next(answers)
        for index, one in enumerate(read)
    ]
    return JSONResponse({"items": items}, status_code=202)


def _new_mention(item: models.Mention) -> NewMention:
    fields = {
        "external_id": item.external_id,
        "author_handle": item.author.handle,
        "author_name": item.author.name,
        "text": item.text,
        "url": item.url,
        "language": item.lang,
        "repost_of": item.repost_of or "",
    }
    return wire.new_mention(fields, followers=item.author.followers, occurred_at=item.occurred_at)


def _parts(messages: list[Any]) -> list[list[Any]]:
    """Slices whose calls stay under the 4 MiB of one."""
    parts: list[list[Any]] = [[]]
    size = 0
    for message in messages:
        size += message.ByteSize()
        if parts[-1] and size > 3 * 1024 * 1024:
            parts.append([])
            size = message.ByteSize()
        parts[-1].append(message)
    return parts


@router.get("/mentions", dependencies=[needs(MENTIONS_READ)])
def list_mentions(  # noqa: PLR0913, PLR0917 (one parameter a filter)
    desk: DeskOf,
    person: Caller,
    watch: str = "",
    source: str = "",
    tone: Tone = "",
    state: Literal["", "new", "seen", "mine", "answered", "ignored"] = "",
    brand: str = "",
    alert: str = "",
    author: str = "",
    since: models.ToCome | None = None,
    until: models.ToCome | None = None,
    sort: Annotated[str, Query(pattern="^(risk|newest)$")] = "newest",
    limit: Limit = 50,
    after: After = "",
) -> dict[str, Any]:
    """Mentions, newest first or by risk."""
    found = desk.clients.social.mentions(
        person,
        watch_id=watch,
        source=source,
        tone=tone,
        state=state,
        brand_id=brand,
        alert_id=alert,
        author=author,
        since=since,
        until=until,
        sort=sort,
        limit=limit,
        after=after,
    )
    return page((wire.mention(item) for item in found.mentions), found.next) | {"total": found.total}


@router.get("/alerts", dependencies=[needs(MENTIONS_READ)])
def list_alerts(
    desk: DeskOf,
    person: Caller,
    state: Annotated[list[AlertState], Query()] = [],  # noqa: B006 (FastAPI copies it)
    brand: str = "",
    parent: str = "",
    limit: Limit = 50,
    after: After = "",
) -> dict[str, Any]:
    """Alerts by state (may be repeated), newest first; those folded under a crisis by its id as `parent`."""
    found = desk.clients.social.alerts(person, states=state, brand_id=brand, parent_id=parent, limit=limit, after=after)
    return page((wire.alert(item) for item in found.alerts), found.next) | {"total": found.total}


@router.get("/alerts/{alert_id}", dependencies=[needs(MENTIONS_READ)])
def get_alert(desk: DeskOf, person: Caller, alert_id: str) -> dict[str, Any]:
    """One alert with its posts."""
    found = desk.clients.social.alert(person, alert_id)
    return wire.alert(found.alert) | {"posts": [wire.mention(item) for item in found.posts]}


@router.post("/alerts/{alert_id}/claim", dependencies=[needs(ALERTS_WRITE)])
def claim(desk: DeskOf, person: Caller, alert_id: str, body: models.Claim | None = None) -> dict[str, Any]:
    """Makes the alert one's own; 409 with `current` when somebody was first."""
    version = body.version if body else 0
    return _changed(desk, lambda: desk.acts.claim(person, alert_id, version=version))


@router.post("/alerts/{alert_id}/resolve", dependencies=[needs(ALERTS_WRITE)])
def resolve(desk: DeskOf, person: Caller, alert_id: str, body: models.Resolve) -> dict[str, Any]:
    """Ends the alert, saying why."""
    return _changed(desk, lambda: desk.acts.resolve(person, alert_id, cause=body.cause, version=body.version))


@router.post("/alerts/{alert_id}/mute", dependencies=[needs(ALERTS_WRITE)])
def mute(desk: DeskOf, person: Caller, alert_id: str, body: models.Mute) -> dict[str, Any]:
    """Silences the alert until a moment."""
    return _changed(
        desk,
        lambda: desk.acts.mute(
            person, alert_id, until=body.until, reason=body.reason, now=desk.clock.now(), version=body.version
        ),
    )


@router.post("/alerts/{alert_id}/ticket", status_code=201, dependencies=[needs(ALERTS_WRITE)])
def open_ticket(desk: DeskOf, person: Caller, alert_id: str) -> dict[str, Any]:
    """Opens the alert's ticket, or gives the one it has."""
    return {"ticket_id": desk.acts.alert_ticket(person, alert_id).id}


def _changed(desk: Desk, act: Callable[[], Alert]) -> dict[str, Any]:
    try:
        return wire.alert(act())
    except Conflict as error:
        if not error.detail:
            raise
        raise Stale(error.message, {"current": wire.alert(desk.clients.social.current(error.detail))}) from error
