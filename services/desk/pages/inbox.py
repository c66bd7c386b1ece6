"""The inbox: views, rows, and the ticket opened beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.desk.clients.messages import Ticket
from services.desk.i18n import Tongue
from services.desk.pages import rows, ticket_view
from services.desk.pages.frame import Frame, brand_of
from services.desk.pages.prose import plain
from services.desk.pages.ticket_view import Typed
from services.desk.pages.views import Choice, Failure, Row, View
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Me, needs
from services.kit.errors import AscoltoError, NotFound

SORTS = ("due", "longest", "newest", "priority")


def routes(frame: Frame) -> APIRouter:
    """The inbox's addresses."""
    router = APIRouter()

    @router.get("/inbox", dependencies=[needs("tickets:read")])
    def start(me: Me) -> Response:
        return RedirectResponse(f"/inbox/{me.preferences.last_view or 'mine'}", 303)

    @router.get("/inbox/{view}", dependencies=[needs("tickets:read")])
    def listed(request: Request, me: Me, view: str, sort: str = "due", after: str = "") -> Response:
        return show(frame, request, me, view, sort=sort, after=after)

    @router.get("/inbox/{view}/rows", dependencies=[needs("tickets:read")])
    def some(request: Request, me: Me, view: str, ids: str = "", back: str = "") -> Response:
        tongue = frame.tongue(request, me)
        tickets = frame.desk.clients.tickets.rows(me.person, [one for one in ids.split(",") if one][:200]).tickets
        return frame.fragment(
            request, me, "rows.html", "inbox", view=_view(tongue, view), views=_views(frame, me, tongue, view),
            rows=_rows(frame, me, tongue, tickets, view), sorted_by=sort_query(sort_of(back)),
        )  # fmt: skip

    @router.get("/inbox/{view}/{number}", dependencies=[needs("tickets:read")])
    def opened(request: Request, me: Me, view: str, number: int, sort: str = "due", all: str = "") -> Response:
        return show(frame, request, me, view, number=number, sort=sort, whole=bool(all))

    @router.post("/inbox/{view}/take", dependencies=[needs("tickets:write")])
    def take(request: Request, me: Me, view: str) -> Response:
        tongue = frame.tongue(request, me)
        try:
            ticket = frame.desk.clients.tickets.take_next(me.person, brand_id=brand_of(me))
        except NotFound:
            text = tongue.text("Nothing waits to be taken.")
            return frame.back(request, f"/inbox/{view}", {"text": text, "kind": "info"})
        undo = {
            "undo": f"/tickets/{ticket.number}/change",
            "fields": {"assignee": "", "back": f"/inbox/{view}"},
            "seconds": 8,
        }
        return frame.back(request, f"/inbox/mine/{ticket.number}", {"text": tongue.text("It is yours now."), **undo})

    return router


def sort_of(address: str) -> str:
    """The order an address asks for; the usual one when it names none we know."""
    wanted = parse_qs(urlsplit(address).query).get("sort", [""])[0]
    return wanted if wanted in SORTS else SORTS[0]


def sort_query(sort: str) -> str:
    """What an address carries to keep the order."""
    return f"?sort={sort}" if sort != SORTS[0] else ""


def _view(tongue: Tongue, key: str) -> View:
    labels = rows.view_labels(tongue)
    if key not in labels:
        raise NotFound(f"There is no view {key}.")
    return View(key, labels[key], 0, current=True)


def _views(frame: Frame, me: SignedIn, tongue: Tongue, current: str) -> list[tuple[str, list[View]]]:
    try:
        counts = frame.desk.clients.tickets.counts(me.person, brand_id=brand_of(me))
    except AscoltoError:
        return rows.views(tongue, {}, {}, current, me.person.teams)
    return rows.views(tongue, dict(counts.counts), dict(counts.late), current, me.person.teams)


def _rows(frame: Frame, me: SignedIn, tongue: Tongue, tickets: Sequence[Ticket], view: str) -> list[Row]:
    drafted = frame.desk.writing.with_mine(me.user.id, [one.id for one in tickets])
    missing = [one.customer_id for one in tickets if not one.customer_name and one.customer_id]
    names: dict[str, str] = {}
    if missing:
        try:
            found = frame.desk.clients.tickets.customers(me.person, missing).customers
            names = {one.id: one.name or (one.identities[0].value if one.identities else "") for one in found}
        except AscoltoError:
            names = {}  # rows then say "Unknown"; the list itself is whole
    made = []
    for ticket in tickets:
        owner = frame.desk.directory.name(ticket.assignee) if ticket.assignee else ""
        why = rows.gone(tongue, ticket, view, me.person, owner)
        made.append(
            rows.row(
                tongue, ticket, me=me.user.id, owner="" if view == "mine" else owner, drafted=ticket.id in drafted,
                gone=why, who=names.get(ticket.customer_id, ""), here=frame.desk.presence.at(ticket.id, but=me.user.id),
            )
        )  # fmt: skip
    return made


def show(
    frame: Frame,
    request: Request,
    me: SignedIn,
    key: str,
    *,
    number: int = 0,
    sort: str = "due",
    after: str = "",
    whole: bool = False,
    typed: Typed | None = None,
    status: int = 200,
) -> Response:
    """The list and, with a number, the ticket beside it. Either part may fail without the other."""
    tongue = frame.tongue(request, me)
    view = _view(tongue, key)
    sort = sort if sort in SORTS else SORTS[0]
    only_ticket = number and request.headers.get("hx-target", "") == "div#ticket"
    context: dict[str, Any] = {
        "rows": [],
        "more": "",
        "total": 0,
        "list_failure": None,
        "pieces": [],
        "whole": False,
        "all_tags": (),
    }
    if not only_ticket:
        context |= _list(frame, me, tongue, key, sort, after)
    groups = [] if only_ticket else _views(frame, me, tongue, key)
    title = view.label
    if number:
        found = frame.desk.clients.tickets.get(me.person, number=number)
        back = (f"/inbox/{key}{sort_query(sort)}", view.label)
        context |= ticket_view.of_ticket(frame.desk, me, tongue, found, whole=whole, back=back, typed=typed)
        title = plain(found.ticket.subject, 80) or f"#{number}"
    elif me.preferences.last_view != key:
        frame.desk.people.set_preferences(me.user, {"last_view": key})
    words = _sorts(tongue, sort)
    return frame.show(
        request, me, "inbox.html", "inbox", title, status=status, app=True, view=view, views=groups, sorts=words, sorted_by=sort_query(sort),
        sort_words=next(one.label for one in words if one.chosen).lower(),
        total_everywhere=_count(groups, "all") or context["total"], **context,
    )  # fmt: skip


def _list(frame: Frame, me: SignedIn, tongue: Tongue, key: str, sort: str, after: str) -> dict[str, Any]:
    try:
        page = frame.desk.clients.tickets.list(
            me.person, view=key, sort=sort, brand_id=brand_of(me), limit=50, after=after, team=""
        )
    except AscoltoError as error:
        failure: Failure = frame.failure(tongue, error)
        return {"list_failure": failure}
    more = f"/inbox/{key}?{urlencode({'sort': sort, 'after': page.next})}" if page.next else ""
    return {"rows": _rows(frame, me, tongue, page.tickets, key), "more": more, "total": page.total}


def _count(groups: list[tuple[str, list[View]]], key: str) -> int:
    return next((one.count for _, views in groups for one in views if one.key == key), 0)


def _sorts(tongue: Tongue, chosen: str) -> list[Choice]:
    labels = {
        "due": tongue.text("By promise"),
        "longest": tongue.text("Longest wait"),
        "newest": tongue.text("Newest"),
        "priority": tongue.text("By priority"),
    }
    return [Choice(key, label, chosen=key == chosen) for key, label in labels.items()]
