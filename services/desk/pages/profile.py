"""One's own profile: language, look, shortcuts, signatures, password, sessions; and the brand switch of the top bar."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from services.desk.domain.people import AFTER_SEND, CALLS, PANES
from services.desk.i18n import LANGUAGES, Tongue
from services.desk.pages.frame import Frame
from services.desk.pages.keys import COMMANDS
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.pages.views import Choice, Notice
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import SELF, Form, Me, needs
from services.kit.errors import AscoltoError, Invalid, Unauthenticated

_ZONES = (
    "Europe/Rome", "Europe/London", "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Lisbon", "Europe/Zurich",
    "Europe/Vienna", "Europe/Athens", "UTC",
)  # fmt: skip

# The first that occurs counts: Edge and Opera say Chrome too, Chrome says Safari, and Android says Linux.
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def routes(frame: Frame) -> APIRouter:
    """The addresses of the profile."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/profile", dependencies=[needs(SELF)])
    def profile(request: Request, me: Me, change: str = "") -> Response:
        tongue = frame.tongue(request, me)
        notice = None
        if change or me.user.must_change:
            notice = Notice(
                tongue.text("Choose a password of your own before anything else: at the foot of this page."), "warning"
            )
        return shown(request, me, notice)

    def shown(request: Request, me: SignedIn, notice: Notice | None, status: int = 200) -> Response:
        tongue = frame.tongue(request, me)
        return frame.show(
            request, me, "profile.html", "profile", tongue.text("Profile"), notice=notice, status=status, sessions=_sessions(me),
            signatures=_signatures(me), factor=desk.factors.of(me.user.id), **_choices(tongue, me),
        )  # fmt: skip

    def _sessions(me: SignedIn) -> list[dict[str, Any]]:
        return [
            {
                "id": one.id,
                "device": device(one.device),
                "address": one.address,
                "seen_at": one.seen_at,
                "this": one.id == me.session.id,
            }
            for one in desk.sessions.of_user(me.user.id)
        ]

    def _signatures(me: SignedIn) -> list[tuple[str, str, str]]:
        try:
            return [
                (one.id, one.name, me.preferences.signatures.get(one.id, ""))
                for one in desk.directory.brands(me.person)
            ]
        except AscoltoError:
            return []

    @router.post("/profile", dependencies=[needs(SELF)])
    def save(request: Request, me: Me, form: Form) -> Response:
        tongue = frame.tongue(request, me)
        usual = {one.name: one.key for one in COMMANDS}
        keys = {
            name.removeprefix("key-"): value[:1]
            for name, value in form.items()
            if name.startswith("key-")
            and isinstance(value, str)
            and value
            and usual.get(name.removeprefix("key-")) != value
        }
        signatures = {
            name.removeprefix("signature-"): value
            for name, value in form.items()
            if name.startswith("signature-") and isinstance(value, str) and value.strip()
        }
        undo = text_of(form, "undo_s")
        changes = {
            **{name: text_of(form, name) for name in ("language", "time_zone", "theme", "density", "after_send")},
            "undo_s": int(undo) if undo.lstrip("-").isdigit() else -1,
            "shortcuts": bool(text_of(form, "shortcuts")), "keys": keys, "signatures": signatures,
            **{name: tuple(one for one in form.getlist(name) if isinstance(one, str)) for name in ("sounds", "notices")},
        }  # fmt: skip
        try:
            desk.people.set_preferences(me.user, changes)
        except Invalid as error:
            return shown(request, me, Notice(error.message, "danger"), 422)
        return frame.back(request, "/profile", {"text": tongue.text("Saved.")})

    @router.post("/profile/look", dependencies=[needs(SELF)])
    def look(request: Request, me: Me, form: Form) -> Response:
        changes: dict[str, Any] = {
            name: text_of(form, name) for name in ("theme", "density", "presence") if text_of(form, name)
        }
        widths = {name: int(text_of(form, name)) for name in PANES if text_of(form, name).isdecimal()}
        if widths:
            changes["panes"] = {**me.preferences.panes, **widths}
        desk.people.set_preferences(me.user, changes)
        return frame.back(request, text_of(form, "next") or "/")

    @router.post("/profile/brand", dependencies=[needs(SELF)])
    def brand(request: Request, me: Me, form: Form) -> Response:
        desk.people.set_preferences(me.user, {"brand_id": text_of(form, "brand")})
        return frame.back(request, text_of(form, "next") or "/")

    @router.post("/profile/password", dependencies=[needs(SELF)])
    async def password(request: Request, me: Me, form: Form) -> Response:
        tongue = frame.tongue(request, me)
        old, new = text_of(form, "old"), text_of(form, "new")
        try:
            await run_in_threadpool(desk.people.change_password, me.user, old=old, new=new, session_id=me.session.id)
        except (Invalid, Unauthenticated) as error:
            if isinstance(error, Unauthenticated):
                why = tongue.text("The present password is wrong.")
            elif new == old:
                why = tongue.text("The new password is the old one.")
            else:
                why = tongue.text(
                    "This password is refused: it must have 12 to 200 characters and not be your address."
                )
            return await run_in_threadpool(shown, request, me, Notice(why, "danger"), 422)
        return frame.back(request, "/", {"text": tongue.text("Password changed; you were signed out elsewhere.")})

    @router.post("/profile/sessions/{id}", dependencies=[needs(SELF)])
    def end(request: Request, me: Me, id: str) -> Response:
        tongue = frame.tongue(request, me)
        desk.sessions.end(id, user_id=me.user.id)
        return frame.back(request, "/profile", {"text": tongue.text("Signed out there.")})

    return router


def device(agent: str) -> str:
    """A browser as its owner would name it: "Firefox, Windows"; the text as sent where it is none we know."""
    names = [next((name for mark, name in known if mark in agent), "") for known in (_BROWSERS, _SYSTEMS)]
    return ", ".join(filter(None, names)) or plain(agent, 60)


def _choices(tongue: Tongue, me: SignedIn) -> dict[str, Any]:
    likes, word = me.preferences, tongue.text
    themes = {"system": word("As the system"), "light": word("Light"), "dark": word("Dark")}
    densities = {"comfortable": word("Comfortable"), "compact": word("Compact")}
    afters = {"stay": word("Stay here"), "next": word("Open the next ticket"), "list": word("Back to the list")}
    zones = _ZONES if likes.time_zone in _ZONES else (likes.time_zone, *_ZONES)
    undos = [(-1, word("as the channel does")), *((n, word("%(n)s s", n=n)) for n in (0, 3, 5, 8, 15, 30))]
    scopes = {
        "mine": word("A customer writes in a ticket of mine, or a note names me"),
        "unassigned": word("A customer writes and nobody has the ticket"),
        "chats": word("A chat waits"),
        "alerts": word("An alert is raised"),
    }
    return {
        "calls": [(key, scopes[key], key in likes.sounds, key in likes.notices) for key in CALLS],
        "languages": [Choice(one, tongue.word("language", one), chosen=one == likes.language) for one in LANGUAGES],
        "zones": [Choice(one, one.replace("_", " "), chosen=one == likes.time_zone) for one in zones],
        "themes": [Choice(key, label, chosen=key == likes.theme) for key, label in themes.items()],
        "densities": [Choice(key, label, chosen=key == likes.density) for key, label in densities.items()],
        "afters": [Choice(key, afters[key], chosen=key == likes.after_send) for key in AFTER_SEND],
        "undos": [Choice(str(n), label, chosen=n == likes.undo_s) for n, label in undos],
    }
