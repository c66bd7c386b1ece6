"""Alerts: what burns, why it fired, who does what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from services.desk.clients.base import moment
from services.desk.clients.messages import Alert, AlertDetail
from services.desk.i18n import Tongue
from services.desk.pages import listening, rows, words
from services.desk.pages.frame import Frame, brand_of
from services.desk.pages.mentions import Sick, sick
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.pages.views import Choice, Notice
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import AscoltoError, Conflict, Invalid

_SLOW_S = 60.0  # behind by more, the detector may miss the beginning of a burst
_JUDGED = 30  # verdicts that precision looks back on
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
                "groups": _groups(tongue, page),
                "nothing": not page.alerts,
                "sick_sources": _blind(tongue, page) + sick(tongue, page.sick_sources),
                "quiet": _quiet(tongue, page),
                "precision": tongue.text("%(real)s of the last %(n)s were real.", real=page.judged_real, n=page.judged) if page.judged else "",
            }  # fmt: skip
        return frame.show(request, me, "alerts.html", "alerts", tongue.text("Alerts"), **context)

    def _groups(tongue: Tongue, page: Any) -> list[tuple[str, list[listening.AlertLine]]]:
        found: Sequence[Alert] = page.alerts
        ranked = sorted(found, key=lambda one: (_WEIGHT.get(one.severity, 3), -one.reach))

        def line(one: Alert) -> listening.AlertLine:
            return listening.alert(
                tongue, one, desk.directory.name, children=_under(page, one.id), per_hour=_hours(page, one.id)
            )

        return [
            (tongue.text("Open"), [line(one) for one in ranked if one.state in _OPEN]),
            (tongue.text("Muted"), [line(one) for one in ranked if one.state == "muted"]),
            (tongue.text("Ended"), [line(one) for one in found if one.state in ("resolved", "false_alarm")]),
        ]

    def _quiet(tongue: Tongue, page: Any) -> str:
        last = moment(page, "last_alert_at")
        if last is None:
            read = tongue.count("%(num)s mention read so far.", "%(num)s mentions read so far.", page.mentions_since)
            return tongue.text("No alert yet.") + " " + read
        read = tongue.count("%(num)s mention read since.", "%(num)s mentions read since.", page.mentions_since)
        return tongue.text("Last alert %(time)s.", time=tongue.ago(last)) + " " + read

    @router.get("/alerts/rows", dependencies=[needs("mentions:read")])
    def some(request: Request, me: Me, ids: str = "") -> Response:
        tongue = frame.tongue(request, me)
        wanted = frozenset(one for one in ids.split(",") if one)
        page = desk.clients.social.alerts(me.person, brand_id=brand_of(me), limit=100)
        above = {one.parent_id: one for one in page.children if one.id in wanted}  # whose rows show what changed, too
        crises = {one.id: one for one in page.alerts if one.id in above}
        lines = [
            listening.alert(
                tongue, one, desk.directory.name, children=_under(page, one.id), per_hour=_hours(page, one.id)
            )
            for one in page.alerts
            if one.id in wanted or one.id in crises
        ]
        lines += [
            listening.alert(tongue, one, desk.directory.name, parent=crises.get(one.parent_id))
            for one in page.children
            if one.id in wanted
        ]
        return frame.fragment(request, me, "alert_rows.html", "alerts", alerts=lines)

    @router.get("/alerts/{id}", dependencies=[needs("mentions:read")])
    def one(request: Request, me: Me, id: str) -> Response:
        return shown(request, me, id, "alert.html")

    @router.get("/alerts/{id}/report", dependencies=[needs("mentions:read")])
    def report(request: Request, me: Me, id: str) -> Response:
        return shown(request, me, id, "report.html")

    def shown(
        request: Request, me: SignedIn, id: str, template: str, *, status: int = 200, notice: Notice | None = None
    ) -> Response:
        tongue = frame.tongue(request, me)
        detail = desk.clients.social.alert(me.person, id)
        line = listening.alert(
            tongue,
            detail.alert,
            desk.directory.name,
            can_reply=any(post.can_reply for post in detail.posts),
            parent=detail.parent if detail.HasField("parent") else None,
            children=detail.children,
        )
        owners = [Choice(one.id, words.colleague(tongue, one), chosen=one.id == detail.alert.owner) for one in desk.directory.colleagues(me.person, detail.alert.brand_id)]  # fmt: skip
        terms = " ".join(detail.alert.terms[:2])
        return frame.show(
            request, me, template, "alerts", f"A-{line.number} {detail.alert.watch_name}", a=line,
            chart=listening.chart(tongue, detail), groups=listening.shares(tongue, detail), why=listening.why(tongue, detail),
            timeline=listening.timeline(tongue, detail, desk.directory.name), posts=_posts(tongue, detail),
            tickets=_tickets(me, tongue, detail), owners=owners, similar=f"/search?q={terms}" if terms else "",
            may_act=me.person.may("alerts:write"), may_listen=me.person.may("mentions:write"),
            silences=_silences(tongue, detail), kinds=_kinds(tongue), if_false=_if_false(tongue, detail),
            status=status, notice=notice,
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
            _do(me, tongue, form, id, wanted)
        except Conflict as error:
            return shown(request, me, id, "alert.html", status=409, notice=Notice(_instead(tongue, error), "warning"))
        except Invalid as error:
            return shown(request, me, id, "alert.html", status=422, notice=Notice(_missing(tongue, error), "danger"))
        return frame.back(request, f"/alerts/{id}", {"text": tongue.word("act", wanted) + "."})

    def _instead(tongue: Tongue, error: Conflict) -> str:
        """What is so now, where an act came too late."""
        if not error.detail:
            return error.message
        line = listening.alert(tongue, desk.clients.social.current(error.detail), desk.directory.name)
        parts = [line.state, line.severity, tongue.text("with %(name)s", name=line.owner) if line.owner else ""]
        now = ", ".join(part for part in parts if part)
        return tongue.text("Not done: it changed after you looked. Now: %(now)s.", now=now)

    def _do(me: SignedIn, tongue: Tongue, form: Any, id: str, wanted: str) -> None:
        version = text_of(form, "version")
        if not version.isdecimal() or not int(version):
            raise Invalid("Say which version you saw.", field="version")
        seen, now = int(version), desk.clock.now()
        if wanted == "claim":
            desk.acts.claim(me.person, id, version=seen)
        elif wanted == "mute":
            until = _until(tongue, form, now)
            desk.acts.mute(me.person, id, until=until, reason=text_of(form, "reason"), now=now, version=seen)
        elif wanted == "resolve":
            desk.acts.resolve(me.person, id, cause=text_of(form, "cause"), version=seen)
        elif wanted == "false_alarm":
            desk.acts.false_alarm(me.person, id, cause=text_of(form, "cause"), version=seen)
        elif wanted in ("assign", "unmute", "escalate"):
            assignee = text_of(form, "assignee") if wanted == "assign" else ""
            desk.clients.social.change_alert(me.person, id=id, act=wanted, version=seen, assignee=assignee)
        else:
            raise Invalid(f"There is no act {wanted!r}.", field="act")

    return router


def _under(page: Any, crisis_id: str) -> list[Alert]:
    return [one for one in page.children if one.parent_id == crisis_id]


def _hours(page: Any, alert_id: str) -> Sequence[int]:
    return next((one.per_hour for one in page.hours if one.alert_id == alert_id), ())


def _until(tongue: Tongue, form: Any, now: datetime) -> datetime | None:
    """When a mute ends: in an hour, at a moment on the person's clock, or None with the episode."""
    chosen = text_of(form, "for")
    if chosen == "end":
        return None
    if chosen == "1h":
        return now + timedelta(hours=1)
    try:
        return datetime.fromisoformat(text_of(form, "until")).replace(tzinfo=tongue.zone)
    except ValueError as error:
        raise Invalid("A mute needs an end.", field="until") from error


def _missing(tongue: Tongue, error: Invalid) -> str:
    """What a form did not say, in the person's words."""
    said = {
        "until": tongue.text("A mute needs an end in the future."),
        "reason": tongue.text("Say why it is muted."),
        "cause": tongue.text("Say what it was."),
        "assignee": tongue.text("Say who shall look after it."),
    }
    return said.get(error.field, error.message)


def _silences(tongue: Tongue, detail: AlertDetail) -> list[str]:
    """What a mute would keep silent; what is folded under a crisis stays so."""
    found = [tongue.text("its count in the bar of all pages")]
    if detail.alert.severity == "crisis":
        found.append(tongue.text("the warning above all pages"))
    found += [tongue.text("notices that it got worse, to %(who)s", who=plain(who, 100)) for who in detail.told]
    return found + [
        f"A-{one.number}: {listening.sentence(tongue, one)}" for one in detail.children if one.state in _OPEN
    ]


def _kinds(tongue: Tongue) -> list[tuple[str, str, str]]:
    """Kinds of false alarm: value, word, and what each changes or leaves to be done."""
    effects = {
        "irrelevant": tongue.text("The watch stays as it is: leave these words out in its query."),
        "expected": tongue.text("True and foreseen, for example a campaign of ours."),
        "wrong_tone": tongue.text("The posts keep their tone until somebody corrects it in the list."),
        "duplicate": tongue.text("Another alert or a ticket covers it already."),
    }
    return [(kind, tongue.word("verdict", kind), effect) for kind, effect in effects.items()]


def _if_false(tongue: Tongue, detail: AlertDetail) -> str:
    """What the verdict does, whichever kind it is."""
    silent = tongue.text("This episode raises no alert any more, however much it grows; its posts stay.")
    if detail.judged >= _JUDGED:  # the oldest verdict would leave the count, and which it is is not known here
        return silent
    counted = tongue.text("%(real)s of the last %(n)s would be real.", real=detail.judged_real, n=detail.judged + 1)
    return f"{silent} {counted}"


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
