"""Search: what was understood, hits by ticket, facets, and always a way on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from markupsafe import Markup, escape

from services.desk.clients.base import moment
from services.desk.clients.messages import FindResponse, Hit
from services.desk.clients.tickets import state_word
from services.desk.i18n import Tongue
from services.desk.pages import thread, ticket_view, words
from services.desk.pages.frame import Frame, brand_of
from services.desk.pages.listening_views import Bar
from services.desk.pages.prose import plain, visible
from services.desk.pages.views import Choice
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Me, needs
from services.kit.errors import AscoltoError

_MARK = re.compile(r"(</?mark>)")
_KINDS = {"lang": "language"}  # where a field's words are kept under another name
_ICONS = {"ticket": "inbox", "message": "chat", "note": "lock", "mention": "mention", "customer": "person"}


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of a text with what was found marked."""

    href: str
    by: str
    marked: Markup
    language: str


@dataclass(frozen=True, slots=True)
class Found:
    """One hit as the page shows it."""

    href: str
    title: str
    number: int
    icon: str
    kind: str
    author: str
    state: str
    state_kind: str
    at: datetime | None
    snippets: Sequence[Snippet]
    more: int


@dataclass(frozen=True, slots=True)
class FacetView:
    """One facet with its values."""

    field: str
    label: str
    choices: Sequence[Any]
    zero: int


@dataclass(frozen=True, slots=True)
class Way:
    """A way out of an empty result."""

    label: str
    query: str
    count: str


def marked(snippet: str) -> Markup:
    """A snippet in which nothing but `<mark>` is markup, whatever the index holds."""
    made = escape("")
    inside = False
    for part in _MARK.split(snippet):
        if part in ("<mark>", "</mark>"):
            inside = part == "<mark>"
        elif inside:
            made += Markup("<mark>{}</mark>").format(visible(unescape(part)))
        else:
            made += escape(visible(unescape(part)))
    return made


def routes(frame: Frame) -> APIRouter:
    """The addresses of search."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/search", dependencies=[needs("search:read")])
    def search(
        request: Request, me: Me, q: str = "", after: str = "", sort: str = "", open: int = 0, all: str = ""
    ) -> Response:
        """`open` shows a ticket beside the hits; asked for by itself it leaves the hits alone."""
        beside: dict[str, Any] = {}
        if open and me.person.may("tickets:read"):
            rest = [(name, value) for name, value in request.query_params.multi_items() if name not in ("open", "all")]
            back = (f"/search?{urlencode(rest)}", frame.tongue(request, me).text("Results"))
            opened = desk.clients.tickets.get(me.person, number=open)
            beside = ticket_view.of_ticket(desk, me, frame.tongue(request, me), opened, whole=bool(all), back=back)
        return found(request, me, q, after, sort, only="", beside=beside)

    @router.post("/search/recent", dependencies=[needs("search:read")])
    def clear(request: Request, me: Me) -> Response:
        desk.writing.drop_search(me.user.id, "")
        return frame.back(request, "/search", {"text": frame.tongue(request, me).text("The list is empty.")})

    @router.get("/customers", dependencies=[needs("search:read")])
    def customers(request: Request, me: Me, q: str = "", after: str = "") -> Response:
        return found(request, me, q, after, "", only="customer")

    @router.get("/search/suggest", dependencies=[needs("search:read")])
    def suggest(request: Request, me: Me, q: str = "", caret: int = 0) -> Response:
        tongue = frame.tongue(request, me)
        try:
            answer = desk.clients.search.suggest(me.person, q[:400], caret=caret, language=tongue.language)
        except AscoltoError:
            return JSONResponse([])
        return JSONResponse(
            [{"insert": one.insert, "label": one.label, "count": one.count} for one in answer.suggestions]
        )

    def found(
        request: Request,
        me: SignedIn,
        q: str,
        after: str,
        sort: str,
        *,
        only: str,
        beside: Mapping[str, Any] = MappingProxyType({}),
    ) -> Response:
        tongue = frame.tongue(request, me)
        action = "/customers" if only else "/search"
        title = tongue.text("Customers") if only else tongue.text("Search")
        section = "customers" if only else "search"
        chosen = [tuple(one.split(":", 1)) for one in request.query_params.getlist("f") if ":" in one]
        context: dict[str, Any] = {"found": None, "problem": None, "recent": [], "facets": [], "histogram": [], "ways": [],
                                   "hits": [], "exact": None, "next": "", "orders": [], "total_words": "", "searched": "", "export": ""}  # fmt: skip
        context["searches"] = (
            [] if q.strip() else [one.query for one in desk.writing.searches(me.user.id) if not one.name]
        )
        context |= beside
        only_ticket = beside and request.headers.get("hx-target", "") == "div#ticket"
        if (q.strip() or only) and not only_ticket:
            query = " ".join(filter(None, (q[:2000], f"kind:{only}" if only else "", f"sort:{sort}" if sort else "")))
            try:
                answer = desk.clients.search.find(
                    me.person, query, after=after, language=tongue.language, time_zone=str(tongue.zone),
                    filters=[(field, value) for field, value in chosen], by_ticket=True,
                )  # fmt: skip
            except AscoltoError as error:
                context["problem"] = frame.failure(tongue, error)
                context["recent"] = _recent(me, tongue, q)
            else:
                base = {"q": q, "f": [f"{field}:{value}" for field, value in chosen], "sort": sort}
                context |= _shown(frame, tongue, answer, action, base)
                if q.strip() and not after and not beside:
                    desk.writing.note_search(me.user.id, q)
        return frame.show(
            request, me, "search.html", section, f"{plain(q, 60)} · {title}" if q else title, app=True, q=q, title=title,
            action=action, by_ticket=False, examples=_examples(tongue), **context,
        )  # fmt: skip

    def _recent(me: SignedIn, tongue: Tongue, q: str) -> list[Found]:
        """Straight from the store, while the index is away."""
        wanted = [word for word in re.findall(r"[^\W_]+", q) if len(word) > 1][:10]
        if not wanted or not me.person.may("tickets:read"):
            return []
        try:
            answer = desk.clients.tickets.recent(me.person, wanted, brand_id=brand_of(me))
        except AscoltoError:
            return []
        tickets = {one.id: one for one in answer.tickets}
        made = []
        for one in answer.interactions:
            ticket = tickets.get(one.ticket_id)
            at = moment(one, "occurred_at")
            href = f"/tickets/{ticket.number}#{one.id}" if ticket else f"/tickets/by/{one.ticket_id}"
            by = plain(one.author.name or one.author.value, 60)
            state = state_word(ticket.state) if ticket else ""
            text = Snippet(href, by, escape(thread.excerpt(plain(one.text, 400), 240)), one.language)
            title = plain(ticket.subject or ticket.excerpt, 120) if ticket else by
            made.append(
                Found(href, title or tongue.text("(no subject)"), ticket.number if ticket else 0, "chat", tongue.word("kind", "message"),
                      by, tongue.word("state", state), words.STATE_KINDS.get(state, ""), at, [text], 0)
            )  # fmt: skip
        return made

    return router


def _shown(frame: Frame, tongue: Tongue, answer: FindResponse, action: str, base: dict[str, Any]) -> dict[str, Any]:
    total = tongue.count("%(num)s result", "%(num)s results", answer.total)
    if answer.total_is_lower_bound:
        total = tongue.text("more than %(n)s results", n=tongue.number(answer.total))
    here = f"{action}?{urlencode(base, doseq=True)}"
    more = f"{action}?{urlencode({**base, 'after': answer.next}, doseq=True)}" if answer.next else ""
    present = answer.sort or base["sort"]
    orders = [
        Choice(
            f"{action}?{urlencode({**base, 'sort': key}, doseq=True)}",
            label,
            chosen=(present == "new") == (key == "new"),
        )
        for key, label in (("", tongue.text("Best first")), ("new", tongue.text("Newest first")))
    ]
    return {
        "found": answer,
        "hits": [hit(tongue, one, here) for one in answer.hits],
        "exact": hit(tongue, answer.exact, here) if answer.HasField("exact") else None,
        "facets": [_facet(frame, tongue, one) for one in answer.facets if one.values],
        "histogram": _histogram([one.count for one in answer.histogram]),
        "ways": [Way(tongue.word("way", one.label), one.query, tongue.number(one.count)) for one in answer.ways],
        "next": more,
        "narrowed": [
            Choice(
                f"{action}?{urlencode({**base, 'f': [other for other in base['f'] if other != one]}, doseq=True)}",
                _named(frame, tongue, _KINDS.get(one.split(":", 1)[0], one.split(":", 1)[0]), one.split(":", 1)[1]),
            )
            for one in base["f"]
        ],
        "newer": tongue.count("%(num)s newer", "%(num)s newer", answer.newer) if answer.newer else "",
        "here": here,
        "export": f"/search/export?{urlencode({'q': base['q'], 'f': base['f']}, doseq=True)}"
        if answer.hits and action == "/search"
        else "",
        "orders": orders,
        "total_words": total,
        "searched": tongue.text("Searched: messages, notes, posts and customers of the brands you see, all dates."),
    }


def hit(tongue: Tongue, one: Hit, here: str) -> Found:
    """A hit with its pieces; each leads to its place, a ticket beside the results `here`."""
    state = tongue.word("state", one.state)
    inner = list(one.inner) or ([one] if one.snippet_html else [])
    snippets = [
        Snippet(_href(piece, here), _by(tongue, piece), marked(piece.snippet_html), piece.language)
        for piece in inner
        if piece.snippet_html
    ]
    author = plain(one.author, 60)
    nameless = tongue.text("Unknown") if one.kind == "customer" else tongue.text("(no subject)")
    title = plain(one.title, 160) or (f"#{one.number}" if one.number else author or nameless)
    kind = tongue.word("channel", one.channel) if one.channel else tongue.word("kind", one.kind)
    return Found(
        _href(one, here), title, one.number, _ICONS.get(one.kind, "inbox"), kind, author if author != title else "", state,
        words.STATE_KINDS.get(one.state, ""), moment(one, "occurred_at"), snippets, one.more,
    )  # fmt: skip


def _by(tongue: Tongue, piece: Hit) -> str:
    at = moment(piece, "occurred_at")
    parts = [plain(piece.author, 40)]
    if piece.kind == "note":
        parts.append(tongue.word("kind", "note").lower())
    if at:
        parts.append(tongue.when(at))
    return ", ".join(part for part in parts if part)


def _href(one: Hit, here: str) -> str:
    if one.kind == "customer":
        return f"/customers/{one.customer_id or one.id}"
    if one.kind == "mention":
        return f"/mentions/{one.id}"
    place = f"#{quote(one.id)}" if one.kind in ("message", "note") else ""
    if one.number:
        return f"{here}&open={one.number}&all=1{place}" if place else f"{here}&open={one.number}"
    return f"/tickets/by/{one.ticket_id or one.id}"


@dataclass(frozen=True, slots=True)
class _Value:
    value: str
    label: str
    count: str
    chosen: bool


def _named(frame: Frame, tongue: Tongue, kind: str, value: str) -> str:
    """A facet's value in words."""
    if kind == "account" and (account := frame.desk.directory.account(value)):
        return f"{tongue.word('channel', account.channel)}: {account.address}"
    names = {"brand": frame.desk.directory.brand_name, "agent": frame.desk.directory.name}
    if kind in names:
        return names[kind](value) or value
    return tongue.word(kind, value) if value in words.WORDS.get(kind, ()) else value


def _facet(frame: Frame, tongue: Tongue, one: Any) -> FacetView:
    kind = _KINDS.get(one.field, one.field)

    values = [
        _Value(v.value, _named(frame, tongue, kind, v.value), tongue.number(v.count), v.chosen) for v in one.values
    ]
    return FacetView(one.field, tongue.word("facet", kind), values, one.zero)


def _histogram(counts: Sequence[int]) -> list[Bar]:
    if not counts or not any(counts):
        return []
    step, top = 100 / max(len(counts), 8), max(counts)
    return [
        Bar("", round(n * step, 2), round(step * 0.76, 2), round(48 - 44 * count / top, 1), round(44 * count / top, 1))
        for n, count in enumerate(counts)
    ]


def _examples(tongue: Tongue) -> list[tuple[str, str]]:
    word = tongue.text
    return [
        ("pacco danneggiato", word("both words, in any form")),
        ('"vetro rotto"', word("this phrase")),
        ("state:open last:7d", word("open tickets of a week")),
        ("from:anna@example.com", word("from one address")),
        ("kind:mention tone:negative", word("angry posts")),
    ]
