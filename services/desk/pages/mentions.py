"""Mentions: the stream with its watches, and one post with what surrounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from services.desk.clients.base import moment
from services.desk.i18n import Tongue
from services.desk.pages import listening, rows, thread
from services.desk.pages.frame import Frame, brand_of
from services.desk.pages.listening_views import Bar, spark
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.pages.views import Choice
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import AscoltoError, Invalid

_FILTERS = ("w", "tone", "state", "source", "sort", "alert", "term", "author")


@dataclass(frozen=True, slots=True)
class WatchLine:
    """A watch with its last day."""

    id: str
    name: str
    count: str
    spark: Sequence[Bar]
    detail: str


@dataclass(frozen=True, slots=True)
class Filter:
    """One select of the filters."""

    name: str
    label: str
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True)
class Sick:
    """A source that does not bring posts, and why."""

    name: str
    text: str


def sick(tongue: Tongue, sources: Sequence[Any]) -> list[Sick]:
    """Sources that fail or wait, in words."""
    found = []
    for one in sources:
        if one.state not in ("failing", "limited"):
            continue
        last = moment(one, "last_success_at")
        since = tongue.text("last heard %(time)s", time=tongue.ago(last)) if last else tongue.text("never heard")
        text = f"{tongue.word('account state', one.state)}, {since}. {plain(one.last_error, 200)}"
        found.append(Sick(plain(one.name, 60) or tongue.word("channel", one.kind), text))
    return found


def routes(frame: Frame) -> APIRouter:
    """The addresses of mentions."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/mentions", dependencies=[needs("mentions:read")])
    def stream(request: Request, me: Me, after: str = "") -> Response:
        tongue = frame.tongue(request, me)
        wanted = {name: request.query_params.get(name, "")[:200] for name in _FILTERS}
        context: dict[str, Any] = {"posts": [], "next": "", "problem": None, "total_words": ""}
        try:
            page = desk.clients.social.mentions(
                me.person, watch_id=wanted["w"], tone=wanted["tone"], state=wanted["state"], source=wanted["source"],
                sort=wanted["sort"] or "risk", alert_id=wanted["alert"], term=wanted["term"], author=wanted["author"],
                brand_id=brand_of(me), after=after, limit=30,
            )  # fmt: skip
            context["posts"] = [listening.mention(tongue, one) for one in page.mentions]
            context["total_words"] = tongue.count("%(num)s post", "%(num)s posts", page.total)
            if page.next:
                context["next"] = "/mentions?" + urlencode(
                    {**{k: v for k, v in wanted.items() if v}, "after": page.next}
                )
        except AscoltoError as error:
            context["problem"] = frame.failure(tongue, error)
        watches, sources = _surroundings(me, tongue)
        kinds = sorted({one.kind for one in sources})
        title = next((one.name for one in watches if one.id == wanted["w"]), tongue.text("Mentions"))
        return frame.show(
            request, me, "mentions.html", "mentions", title, title=title, watches=watches, watch=wanted["w"],
            filters=_filters(tongue, wanted, kinds), chips=_chips(tongue, wanted), sick_sources=sick(tongue, sources),
            may_listen=me.person.may("mentions:write"), **context,
        )  # fmt: skip

    def _surroundings(me: SignedIn, tongue: Tongue) -> tuple[list[WatchLine], Sequence[Any]]:
        try:
            watches = desk.clients.social.watches(me.person)
            sources = desk.clients.social.sources(me.person).sources
        except AscoltoError:
            return [], ()
        return [_watch(tongue, one) for one in watches], sources

    @router.get("/mentions/rows", dependencies=[needs("mentions:read")])
    def some(request: Request, me: Me, ids: str = "") -> Response:
        tongue = frame.tongue(request, me)
        wanted = [one for one in ids.split(",") if one][:100]
        found = desk.clients.social.mentions(me.person, ids=wanted, limit=100).mentions if wanted else ()
        posts = [listening.mention(tongue, one) for one in found]
        return frame.fragment(
            request, me, "mention_rows.html", "mentions", posts=posts, may_listen=me.person.may("mentions:write")
        )

    @router.get("/mentions/{id}", dependencies=[needs("mentions:read")])
    def one(request: Request, me: Me, id: str) -> Response:
        tongue = frame.tongue(request, me)
        found = desk.clients.social.mention(me.person, id)
        shown = listening.mention(tongue, found.mention)
        linked = [Choice(one.id, "") for one in found.alerts]
        alerts = [{"id": one.id, "label": listening.sentence(tongue, one)} for one in found.alerts]
        return frame.show(
            request, me, "mention.html", "mentions", shown.author, m=shown, alerts=alerts, linked=linked,
            copies=[listening.mention(tongue, copy) for copy in found.copies],
            thread=[listening.mention(tongue, said) for said in found.thread if said.id != id],
            may_listen=me.person.may("mentions:write"), ticket=_ticket(me, tongue, shown.ticket),
        )  # fmt: skip

    def _ticket(me: SignedIn, tongue: Tongue, id: str) -> dict[str, Any] | None:
        """What became of the post in our own house: its ticket, the customer, our answers."""
        if not id or not me.person.may("tickets:read"):
            return None
        try:
            found = desk.clients.tickets.get(me.person, id=id)
        except AscoltoError as error:
            return {"problem": frame.failure(tongue, error)}
        ours = [one for one in found.interactions if one.direction == 2 and one.kind == "message"]
        return {
            "line": rows.other(tongue, found.ticket), "customer": plain(found.customer.name, 80), "customer_id": found.customer.id,
            "answers": [thread.message(tongue, found.ticket, one, moment(one, "occurred_at") or tongue.now, desk.directory) for one in ours],
        }  # fmt: skip

    @router.post("/mentions/{id}", dependencies=[needs("mentions:write")])
    def act(request: Request, me: Me, form: Form, id: str) -> Response:
        tongue = frame.tongue(request, me)
        wanted, back = text_of(form, "act"), text_of(form, "back") or f"/mentions/{id}"
        if wanted == "ticket":
            ticket = desk.acts.mention_ticket(me.person, id)
            return frame.back(request, f"/tickets/{ticket.number}")
        if wanted == "take":
            desk.acts.take_mention(me.person, id)
            return frame.back(request, back, {"text": tongue.text("It is yours now.")})
        if wanted.startswith("ignore: "):
            desk.clients.social.change_mention(me.person, id=id, act="ignore", reason=wanted.removeprefix("ignore: "))
            return frame.back(request, back, {"text": tongue.text("Ignored.")})
        if wanted.startswith("tone-"):
            desk.clients.social.change_mention(me.person, id=id, act="tone", tone=wanted.removeprefix("tone-"))
            return frame.back(request, back, {"text": tongue.text("Tone corrected; it is kept and used.")})
        raise Invalid(f"There is no act {wanted!r}.", field="act")

    return router


def _watch(tongue: Tongue, one: Any) -> WatchLine:
    last = moment(one, "last_match_at")
    detail = plain(one.lint, 120) or ("" if last else tongue.text("nothing matched yet"))
    return WatchLine(one.id, plain(one.name, 60), tongue.compact(one.matches_24h), spark(one.per_hour), detail)


def _filters(tongue: Tongue, wanted: dict[str, str], kinds: Sequence[str]) -> list[Filter]:
    word = tongue.text

    def choices(name: str, *values: tuple[str, str]) -> Filter:
        labels = {"tone": word("Tone"), "state": word("State"), "source": word("Source"), "sort": word("Order")}
        return Filter(
            name, labels[name], [Choice(value, label, chosen=wanted[name] == value) for value, label in values]
        )

    tones = [(tone, tongue.word("tone", tone)) for tone in ("negative", "neutral", "positive")]
    states = [("new", word("new")), *((s, tongue.word("mention state", s)) for s in ("mine", "answered", "ignored"))]
    return [
        choices("tone", ("", word("any tone")), *tones),
        choices("state", ("", word("any state")), *states),
        choices("source", ("", word("any source")), *((kind, tongue.word("channel", kind)) for kind in kinds)),
        choices("sort", ("", word("By risk")), ("newest", word("Newest"))),
    ]


def _chips(tongue: Tongue, wanted: dict[str, str]) -> list[Choice]:
    """What narrows the stream, each removable."""
    labels = {
        "tone": tongue.word("tone", wanted["tone"]),
        "state": tongue.word("mention state", wanted["state"]),
        "source": tongue.word("channel", wanted["source"]),
        "alert": tongue.text("posts of an alert"),
        "term": wanted["term"],
        "author": wanted["author"],
    }
    made = []
    for name, label in labels.items():
        if wanted[name]:
            rest = {key: value for key, value in wanted.items() if value and key != name}
            made.append(Choice(f"/mentions?{urlencode(rest)}", label))
    return made
