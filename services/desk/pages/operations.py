"""Operations: is a contact at risk? Health of every part, accounts, what was set aside, the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from services.desk.clients.base import moment
from services.desk.i18n import Tongue
from services.desk.pages import words
from services.desk.pages.frame import Frame
from services.desk.pages.operations_card import card
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.pages.views import Channel, Failure
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import AscoltoError

_AT_RISK_S = 30.0  # a contact older than this and not handled is said first


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that explains itself."""

    value: str
    label: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class StageLine:
    """One stage of the line."""

    name: str
    arrived: str
    left: str
    waiting: str
    failing: str
    is_waiting: bool
    is_failing: bool


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One way in and out."""

    id: str
    channel: Channel
    address: str
    brand: str
    state: str
    kind: str
    icon: str
    error: str
    last_in: datetime | None
    last_out: datetime | None


@dataclass(frozen=True, slots=True)
class Parked:
    """One thing that could not be handled."""

    id: str
    what: str
    reason: str
    before: str
    attempts: int
    first: datetime | None
    last: datetime | None


@dataclass(slots=True)
class Group:
    """Things parked for one reason."""

    title: str
    action: str
    fields: Sequence[tuple[str, str]]
    confirm: bool = False
    count: int = 0
    items: list[Parked] = field(default_factory=list)


def account_lines(frame: Frame, me: SignedIn, tongue: Tongue) -> list[AccountLine]:
    """All accounts with their state in words."""
    looks = {"on": ("success-text", "check"), "off": ("muted", "close")}
    made = []
    for one in frame.desk.directory.accounts(me.person):
        kind, icon = looks.get(one.state, ("danger-text", "alert"))
        able = one.capabilities
        channel = words.channel(tongue, one.channel, letters=able.letters, live=able.live, public=able.public)
        error = plain(one.last_error, 200) if one.state not in ("on", "off") else ""
        made.append(
            AccountLine(one.id, channel, one.address, frame.desk.directory.brand_name(one.brand_id),
                        tongue.word("account state", one.state), kind, icon, error, moment(one, "last_in_at"), moment(one, "last_out_at"))
        )  # fmt: skip
    return made


def routes(frame: Frame) -> APIRouter:
    """The addresses of operations."""
    router = APIRouter()
    desk = frame.desk

    def accounts_of(me: SignedIn, tongue: Tongue) -> tuple[list[AccountLine], Failure | None]:
        try:
            return account_lines(frame, me, tongue), None
        except AscoltoError as error:
            return [], frame.failure(tongue, error)

    @router.get("/operations", dependencies=[needs("operations")])
    def health(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        parts = desk.clients.operations.health()
        accounts, failure = accounts_of(me, tongue)
        oldest = max((part.value.oldest_unprocessed_s for part in parts if part.value), default=0.0)
        parked = sum(part.value.dead_letters for part in parts if part.value)
        down = [tongue.word("service", part.service) for part in parts if part.value is None or not part.value.ready]
        failing = [one for one in accounts if one.kind == "danger-text"]
        word = tongue.text
        if down:
            sentence = word("%(services)s: not ready.", services=", ".join(down))
        elif failing:
            sentence = word(
                "%(account)s does not work: %(why)s",
                account=failing[0].address,
                why=failing[0].error or failing[0].state,
            )
        elif oldest > _AT_RISK_S:
            sentence = word("A contact has been waiting for %(time)s.", time=tongue.duration(oldest))
        else:
            sentence = word("Nothing waiting. Oldest: %(time)s.", time=tongue.duration(oldest))
        disk = next((part.value for part in parts if part.value and part.value.disk_free_bytes), None)
        figures = [
            Figure(
                tongue.duration(oldest),
                word("oldest contact not handled yet"),
                "warning-text" if oldest > _AT_RISK_S else "",
            ),
            Figure(tongue.number(parked), word("set aside"), "danger-text" if parked else ""),
            Figure(tongue.size(disk.disk_free_bytes) if disk else "–", word("free on disk")),
            Figure(next((part.value.version for part in parts if part.value), "–"), word("version")),
        ]
        return frame.show(
            request, me, "operations.html", "operations", sentence, tab="/operations", well=not (down or failing or oldest > _AT_RISK_S),
            sentence=sentence, more="", figures=figures, stages=_stages(tongue, parts), services=[card(tongue, part) for part in parts],
            accounts=accounts, accounts_failure=failure,
        )  # fmt: skip

    @router.get("/operations/accounts", dependencies=[needs("operations")])
    def accounts_page(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        accounts, failure = accounts_of(me, tongue)
        return frame.show(
            request, me, "operations_accounts.html", "operations", tongue.text("Accounts"), tab="/operations/accounts",
            accounts=accounts, accounts_failure=failure,
        )  # fmt: skip

    @router.get("/operations/dead-letters", dependencies=[needs("operations")])
    def dead_letters(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        groups, problems, handled = _groups(frame, me, tongue)
        said = (
            tongue.count("%(num)s handled since the last one.", "%(num)s handled since the last one.", handled)
            if handled
            else tongue.text("What cannot be handled waits here, with its reason.")
        )
        return frame.show(
            request, me, "dead_letters.html", "operations", tongue.text("Set aside"), tab="/operations/dead-letters",
            groups=groups, problems=problems, handled=said,
        )  # fmt: skip

    @router.post("/operations/dead-letters/{service}", dependencies=[needs("operations")])
    def replay(request: Request, me: Me, form: Form, service: str) -> Response:
        ids = [one for one in form.getlist("id") if isinstance(one, str)]
        outcomes: Sequence[Any] = desk.clients.operations.replay(
            me.person, service, ids=ids, all=not ids, reason_kind="" if ids else text_of(form, "reason_kind"),
            confirmed=bool(text_of(form, "confirmed")),
        )  # fmt: skip
        return told(request, me, outcomes)

    @router.post("/operations/quarantine", dependencies=[needs("operations")])
    def requarantine(request: Request, me: Me, form: Form) -> Response:
        ids = [one for one in form.getlist("id") if isinstance(one, str)]
        return told(request, me, desk.clients.intake.replay_quarantine(me.person, ids=ids, all=not ids))

    def told(request: Request, me: SignedIn, outcomes: Sequence[Any]) -> Response:
        tongue = frame.tongue(request, me)
        done = sum(1 for one in outcomes if one.ok)
        left = [one for one in outcomes if not one.ok]
        text = tongue.count("%(num)s handled now", "%(num)s handled now", done)
        if left:
            text += ", " + tongue.count(
                "%(num)s still not: %(why)s", "%(num)s still not: %(why)s", len(left), why=plain(left[0].detail, 160)
            )
        return frame.back(request, "/operations/dead-letters", {"text": text, "kind": "warning" if left else "success"})

    @router.get("/operations/search", dependencies=[needs("operations")])
    def index(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        try:
            status = desk.clients.search.status()
        except AscoltoError as error:
            return frame.show(
                request, me, "operations_search.html", "operations", tongue.text("Search index"), tab="/operations/search",
                problem=frame.failure(tongue, error),
            )  # fmt: skip
        word = tongue.text
        kinds = {"ready": "success", "catching_up": "info", "rebuilding": "info"}
        built = moment(status, "built_at")
        figures = [
            Figure(tongue.duration(status.lag_s), word("behind")),
            Figure(tongue.number(status.lag_events), word("events to come")),
            Figure(tongue.number(status.documents), word("documents")),
            Figure(tongue.size(status.size_bytes), word("on disk")),
            Figure(tongue.when(built) if built else "–", word("last built")),
        ]
        progress = round(status.rebuild_done * 100) if status.state == "rebuilding" else None
        sentence = (
            word("The index is whole and up to date.")
            if status.state == "ready"
            else plain(status.last_error, 300) or tongue.word("index state", status.state)
        )
        return frame.show(
            request, me, "operations_search.html", "operations", word("Search index"), tab="/operations/search", problem=None,
            state=tongue.word("index state", status.state), state_kind=kinds.get(status.state, "danger"), sentence=sentence,
            figures=figures, progress=progress,
            kinds=[(tongue.word("kind", name), tongue.number(count)) for name, count in sorted(status.by_kind.items())],
        )  # fmt: skip

    @router.post("/operations/search", dependencies=[needs("operations")])
    def rebuild(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        desk.clients.search.rebuild(me.person)
        return frame.back(
            request, "/operations/search", {"text": tongue.text("A fresh index is being built beside the present one.")}
        )

    return router


def _stages(tongue: Tongue, parts: Sequence[Any]) -> list[StageLine]:
    made = []
    for part in parts:
        for one in part.value.stages if part.value else ():
            name = f"{tongue.word('service', part.service)}: {tongue.word('stage', one.name)}"
            came, left, waits, fails = (
                tongue.number(n) for n in (one.in_count, one.out_count, one.waiting, one.failing)
            )
            made.append(
                StageLine(name, came, left, waits, fails, is_waiting=one.waiting > 0, is_failing=one.failing > 0)
            )
    return made


def _groups(frame: Frame, me: SignedIn, tongue: Tongue) -> tuple[list[Group], list[Failure], int]:
    groups: dict[tuple[str, str], Group] = {}
    problems: list[Failure] = []
    handled = 0
    for part in frame.desk.clients.operations.dead_letters(me.person, limit=100):
        if part.value is None:
            problems.append(Failure(f"{tongue.word('service', part.service)}: {part.error}"))
            continue
        handled = max(handled, part.value.handled_since)
        for one in part.value.items:
            group = groups.setdefault(
                (part.service, one.reason_kind),
                Group(f"{tongue.word('service', part.service)}: {plain(one.reason, 80)}", f"/operations/dead-letters/{part.service}",
                      [("reason_kind", one.reason_kind)], confirm="Reply" in one.kind),
            )  # fmt: skip
            group.count += 1
            group.items.append(
                Parked(one.id, f"{one.kind} {one.aggregate_id}", plain(one.last_reason or one.reason, 300), plain(one.reason, 300),
                       one.attempts, moment(one, "first_at"), moment(one, "last_at"))
            )  # fmt: skip
    try:
        quarantine = frame.desk.clients.intake.quarantine(me.person, limit=100)
    except AscoltoError as error:
        problems.append(frame.failure(tongue, error))
    else:
        if quarantine.items:
            group = Group(
                tongue.text("Contacts that could not be read"), "/operations/quarantine", [], count=quarantine.total
            )
            group.items = [
                Parked(one.id, tongue.word("channel", one.channel), plain(one.last_reason or one.reason, 300), plain(one.reason, 300),
                       one.attempts, moment(one, "received_at"), None)
                for one in quarantine.items
            ]  # fmt: skip
            groups["intake", "quarantine"] = group
    return list(groups.values()), problems, handled
