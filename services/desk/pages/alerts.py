"""Alerts: what burns, why it fired, who does what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from services.desk.clients.base import moment
from services.desk.clients.messages import Alert, AlertDetail
from services.desk.i18n import Tongue
from services.desk.pages import listening, rows
from services.desk.pages.frame import Frame, brand_of
from services.desk.pages.mentions import Sick, sick
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.pages.views import Choice
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import AscoltoError, Conflict, Invalid

_MUTES = {"1h": timedelta(hours=1), "4h": timedelta(hours=4), "24h": timedelta(days=1)}
_SLOW_S = 60.0  # behind by more, the detector may miss the beginning of a burst
_WEIGHT = {"crisis": 0, "serious": 1, "notice": 2}
_OPEN = ("raised", "claimed", "assigned", "escalated")


def routes(frame: Frame) -> APIRouter:
    """The addresses of alerts."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/alerts", dependencies=[needs("mentions:read")])
    def listed(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        context: dict[str, Any] = {
            "groups": [],
            "sick_sources": [],
            "precision": "",
            "quiet": "",
            "nothing": True,
            "problem": None,
        }
        try:
            page = desk.clients.social.alerts(me.person, brand_id=brand_of(me), limit=100)
        except AscoltoError as error:
            context["problem"] = frame.failure(tongue, error)
        else:
            context |= {
                "groups": _groups(tongue, page.alerts),
                "nothing": not page.alerts,
                "sick_sources": _blind(tongue, page) + sick(tongue, page.sick_sources),
                "quiet": _quiet(tongue, page),
                "precision": tongue.text("%(real)s of the last %(n)s were real.", real=page.judged_real, n=page.judged) if page.judged else "",
            }  # fmt: skip
        return frame.show(request, me, "alerts.html", "alerts", tongue.text("Alerts"), **context)

    def _groups(tongue: Tongue, found: Sequence[Alert]) -> list[tuple[str, list[listening.AlertLine]]]:
        ranked = sorted(found, key=lambda one: (_WEIGHT.get(one.severity, 3), -one.reach))

        def line(one: Alert) -> listening.AlertLine:
            return listening.alert(tongue, one, desk.directory.name)

        return [
            (tongue.text("Open"), [line(one) for one in ranked if one.state in _OPEN]),
            (tongue.text("Muted"), [line(one) for one in ranked if one.state == "muted"]),
            (tongue.text("Ended"), [line(one) for one in found if one.state in ("resolved", "false_alarm")]),
        ]

    def _quiet(tongue: Tongue, page: Any) -> str:
        last = moment(page, "last_alert_at")
        read = tongue.count("%(num)s mention read since.", "%(num)s mentions read since.", page.mentions_since)
        if last is None:
            return tongue.text("No alert yet.") + " " + read
        return tongue.text("Last alert %(time)s.", time=tongue.ago(last)) + " " + read

    @router.get("/alerts/rows", dependencies=[needs("mentions:read")])
    def some(request: Request, me: Me, ids: str = "") -> Response:
        tongue = frame.tongue(request, me)
        wanted = frozenset(one for one in ids.split(",") if one)
        page = desk.clients.social.alerts(me.person, brand_id=brand_of(me), limit=100)
        lines = [listening.alert(tongue, one, desk.directory.name) for one in page.alerts if one.id in wanted]
        return frame.fragment(request, me, "alert_rows.html", "alerts", alerts=lines)

    @router.get("/alerts/{id}", dependencies=[needs("mentions:read")])
    def one(request: Request, me: Me, id: str) -> Response:
        return shown(request, me, id, "alert.html")

    @router.get("/alerts/{id}/report", dependencies=[needs("mentions:read")])
    def report(request: Request, me: Me, id: str) -> Response:
        return shown(request, me, id, "report.html")

    def shown(request: Request, me: SignedIn, id: str, template: str) -> Response:
        tongue = frame.tongue(request, me)
        detail = desk.clients.social.alert(me.person, id)
        line = listening.alert(
            tongue, detail.alert, desk.directory.name, can_reply=any(post.can_reply for post in detail.posts)
        )
        owners = [Choice(one.id, one.name, chosen=one.id == detail.alert.owner) for one in desk.directory.colleagues(me.person, detail.alert.brand_id)]  # fmt: skip
        terms = " ".join(detail.alert.terms[:2])
        return frame.show(
            request, me, template, "alerts", f"A-{line.number} {detail.alert.watch_name}", a=line,
            chart=listening.chart(tongue, detail), groups=listening.shares(tongue, detail), why=listening.why(tongue, detail),
            timeline=listening.timeline(tongue, detail, desk.directory.name), posts=_posts(tongue, detail),
            tickets=_tickets(me, tongue, detail), owners=owners, similar=f"/search?q={terms}" if terms else "",
            may_act=me.person.may("alerts:write"), may_listen=me.person.may("mentions:write"),
        )  # fmt: skip

    def _tickets(me: SignedIn, tongue: Tongue, detail: AlertDetail) -> list[Any]:
        if not detail.alert.ticket_ids or not me.person.may("tickets:read"):
            return []
        try:
            found = desk.clients.tickets.rows(me.person, list(detail.alert.ticket_ids)[:20]).tickets
        except AscoltoError:
            return []
        return [rows.other(tongue, one) for one in found]

    @router.post("/alerts/{id}", dependencies=[needs("alerts:write")])
    def act(request: Request, me: Me, form: Form, id: str) -> Response:
        tongue = frame.tongue(request, me)
        wanted = text_of(form, "act")
        if wanted in ("ticket", "answer"):
            ticket = desk.acts.alert_ticket(me.person, id)
            return frame.back(request, f"/tickets/{ticket.number}")
        try:
            _do(me, form, id, wanted)
        except Conflict as error:
            return frame.back(request, f"/alerts/{id}", {"text": error.message, "kind": "warning"})
        return frame.back(request, f"/alerts/{id}", {"text": tongue.word("act", wanted) + "."})

    def _do(me: SignedIn, form: Any, id: str, wanted: str) -> None:
        if wanted == "claim":
            desk.acts.claim(me.person, id)
        elif wanted == "mute":
            until = desk.clock.now() + _MUTES.get(text_of(form, "for"), timedelta(0))
            desk.acts.mute(me.person, id, until=until, reason=text_of(form, "reason"), now=desk.clock.now())
        elif wanted == "resolve":
            desk.acts.resolve(me.person, id, cause=text_of(form, "cause"))
        elif wanted == "false_alarm":
            cause = {"campaign": "expected", "tone": "wrong_tone"}.get(text_of(form, "cause"), text_of(form, "cause"))
            desk.acts.false_alarm(me.person, id, cause=cause)
        elif wanted == "assign":
            desk.clients.social.change_alert(me.person, id=id, act="assign", assignee=text_of(form, "assignee"))
        elif wanted in ("unmute", "escalate"):
            desk.clients.social.change_alert(me.person, id=id, act=wanted)
        else:
            raise Invalid(f"There is no act {wanted!r}.", field="act")

    return router


def _blind(tongue: Tongue, page: Any) -> list[Sick]:
    """The detector, where it has not heard what was read long since."""
    if page.detector_lag_s < _SLOW_S and not page.detector_fault:
        return []
    behind = tongue.duration(page.detector_lag_s)
    return [
        Sick(
            tongue.text("The detector"),
            tongue.text("is %(time)s behind. %(why)s", time=behind, why=plain(page.detector_fault, 200)),
        )
    ]


def _posts(tongue: Tongue, detail: AlertDetail) -> list[Any]:
    """The most telling posts, with the first and the widest said so."""
    tags = {detail.widest.id: tongue.text("widest"), detail.first.id: tongue.text("first")}
    shown = {one.id: one for one in (detail.first, detail.widest, *detail.posts) if one.id}
    return [listening.mention(tongue, one, tag=tags.get(one.id, "")) for one in list(shown.values())[:8]]
