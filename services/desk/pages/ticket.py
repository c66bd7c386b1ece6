"""One ticket: reading, answering, noting, changing, undoing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from services.desk.domain.courtesy import hints
from services.desk.domain.naming import begins, handle
from services.desk.domain.writing import Draft
from services.desk.i18n import Tongue
from services.desk.pages import inbox, ticket_view
from services.desk.pages.canned import answers
from services.desk.pages.frame import Frame, brand_of
from services.desk.pages.prose import plain
from services.desk.pages.ticket_view import Typed
from services.desk.pages.words import colleague
from services.desk.usecases.acts import Answer, Held
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import AscoltoError, Conflict, Invalid

_BESIDE = re.compile(r"^/inbox/([a-z]+)/(\d+)")  # where an answer was written: beside which list
_GAP = re.compile(r"\{\{[^{}]*\}\}")  # a variable of a canned answer that nothing filled
# Words that promise a file, in the six languages of the shop's customers.
_ATTACHED = re.compile(
    r"\b(allegat[oaie]|attached|attachment|anhang|angehängt|ci-joint|pièce jointe|adjunt[oa]|anex[oa])\b", re.IGNORECASE
)
_UNDO_S = 8


def text_of(form: FormData, name: str) -> str:
    """A text field of a form; empty when it is missing or a file."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def texts_of(form: FormData, name: str) -> list[str]:
    """All values of a field, trimmed, without empty ones; commas separate too."""
    values = [one for one in form.getlist(name) if isinstance(one, str)]
    return [part.strip() for one in values for part in re.split(r"[,;\n]", one) if part.strip()]


def routes(frame: Frame) -> APIRouter:
    """The ticket's addresses."""
    router = APIRouter()
    desk = frame.desk

    def ticket_id(me: SignedIn, number: int) -> str:
        return str(desk.clients.tickets.get(me.person, number=number).ticket.id)

    @router.get("/tickets/by/{id}", dependencies=[needs("tickets:read")])
    def by_id(me: Me, id: str) -> Response:
        return RedirectResponse(f"/tickets/{desk.clients.tickets.get(me.person, id=id).ticket.number}", 303)

    @router.get("/tickets/{number}", dependencies=[needs("tickets:read")])
    def ticket(request: Request, me: Me, number: int, all: str = "") -> Response:
        return alone(request, me, number, whole=bool(all))

    @router.get("/tickets/{number}/live", dependencies=[needs("tickets:read")])
    def live(request: Request, me: Me, number: int, all: str = "") -> Response:
        tongue = frame.tongue(request, me)
        found = desk.clients.tickets.get(me.person, number=number)
        beside = _BESIDE.match(urlsplit(request.headers.get("referer", "")).path)
        back = (f"/inbox/{beside[1]}", "") if beside else ("/inbox/mine", "")
        context = ticket_view.of_ticket(desk, me, tongue, found, whole=bool(all), back=back)
        return frame.fragment(request, me, "ticket_live.html", "inbox", **context)

    def alone(
        request: Request,
        me: SignedIn,
        number: int,
        *,
        whole: bool = False,
        typed: Typed | None = None,
        status: int = 200,
    ) -> Response:
        tongue = frame.tongue(request, me)
        found = desk.clients.tickets.get(me.person, number=number)
        context = ticket_view.of_ticket(desk, me, tongue, found, whole=whole, typed=typed)
        title = plain(found.ticket.subject, 80) or f"#{number}"
        return frame.show(request, me, "ticket.html", "inbox", title, app=True, status=status, **context)

    def again(request: Request, me: SignedIn, form: FormData, number: int, typed: Typed) -> Response:
        """The page with what was typed, whole, and why it did not leave."""
        beside = _BESIDE.match(text_of(form, "back"))
        if beside and int(beside[2]) == number:
            return inbox.show(frame, request, me, beside[1], number=number, typed=typed, status=409)
        return alone(request, me, number, typed=typed, status=409)

    def go_on(
        request: Request, me: SignedIn, form: FormData, number: int, notice: Mapping[str, Any] | None
    ) -> Response:
        back = text_of(form, "back") or f"/tickets/{number}"
        beside = _BESIDE.match(back)
        after = "next" if text_of(form, "then") == "next" else me.preferences.after_send
        if beside and after != "stay":
            sort, place = inbox.sort_of(back), f"/inbox/{beside[1]}"
            if after == "next":
                listed = desk.clients.tickets.list(
                    me.person, view=beside[1], sort=sort, brand_id=brand_of(me), limit=2
                ).tickets
                place += next((f"/{one.number}" for one in listed if one.number != number), "")
            back = f"{place}{inbox.sort_query(sort)}"
        return frame.back(request, back, notice)

    @router.post("/tickets/{number}/reply", dependencies=[needs("tickets:write")])
    async def reply(request: Request, me: Me, form: Form, number: int) -> Response:
        found = await run_in_threadpool(ticket_id, me, number)
        uploads = [one for one in form.getlist("file") if isinstance(one, str)]
        for file in form.getlist("upload"):
            if isinstance(file, UploadFile) and file.size:
                kept = await run_in_threadpool(
                    desk.writing.upload, me.user.id, found, name=file.filename or "", media_type=file.content_type or "",
                    data=await file.read(),
                )  # fmt: skip
                uploads.append(kept.id)
        return await run_in_threadpool(send, request, me, form, number, found, uploads)

    def send(request: Request, me: SignedIn, form: FormData, number: int, found: str, uploads: list[str]) -> Response:
        tongue = frame.tongue(request, me)
        text, key = text_of(form, "text").replace("\r\n", "\n"), text_of(form, "key")
        if text_of(form, "discard"):
            desk.writing.drop(found, me.user.id, "reply")
            return frame.back(
                request, text_of(form, "back") or f"/tickets/{number}", {"text": tongue.text("Discarded.")}
            )
        typed = Typed(text, key, texts_of(form, "to"), texts_of(form, "cc"), uploads)
        if _GAP.search(text):
            errors = {"text": tongue.text("Fill in what is in double braces before sending.")}
            return again(request, me, form, number, _with(typed, errors=errors))
        able = desk.clients.tickets.get(me.person, number=number).ticket.capabilities
        if able.max_attachments and not uploads and _ATTACHED.search(text) and not text_of(form, "attachment_asked"):
            errors = {
                "attachment": tongue.text("You write of an attachment and there is none. Send again if that is right.")
            }
            return again(request, me, form, number, _with(typed, errors=errors))
        undo_s = me.preferences.undo_s if me.preferences.undo_s >= 0 else able.undo_s
        answer = Answer(
            text=text, uploads=uploads, last_seen=text_of(form, "last_seen"), key=key, anyway=bool(text_of(form, "anyway")),
            undo_s=undo_s, to=typed.to, cc=typed.cc, then_state=text_of(form, "then").replace("next", ""),
            public_confirmed=bool(text_of(form, "public_confirmed")),
        )  # fmt: skip
        keep(me, found, "reply", typed)
        try:
            desk.acts.reply(me.person, found, answer)
        except Held:
            return again(request, me, form, number, _with(typed, held=True))
        except Invalid as error:
            return again(request, me, form, number, _with(typed, errors={error.field or "text": error.message}))
        except Conflict as error:
            return again(request, me, form, number, _with(typed, errors={"text": error.message}))
        return go_on(request, me, form, number, None)

    def keep(me: SignedIn, found: str, kind: str, typed: Typed, caret: int = -1) -> Draft:
        draft = Draft(
            found,
            me.user.id,
            kind,
            typed.text,
            tuple(typed.to),
            tuple(typed.cc),
            tuple(typed.uploads),
            caret,
            typed.key,
        )
        return desk.writing.save(draft)

    @router.post("/tickets/{number}/draft", dependencies=[needs("tickets:write")])
    def draft(request: Request, me: Me, form: Form, number: int) -> dict[str, str]:
        kind = text_of(form, "kind")
        files = [one for one in form.getlist("file") if isinstance(one, str)]
        caret = text_of(form, "caret")
        typed = Typed(text_of(form, "text"), text_of(form, "key"), texts_of(form, "to"), texts_of(form, "cc"), files)
        saved = keep(
            me, text_of(form, "ticket") or ticket_id(me, number), kind, typed, int(caret) if caret.isdigit() else -1
        )
        hint = _hint(request, me, saved) if kind == "reply" else ""
        return {"saved_at": saved.saved_at.isoformat() if saved.saved_at else "", "hint": hint}

    def _hint(request: Request, me: SignedIn, saved: Draft) -> str:
        """What a careful colleague would point out; nothing when the ticket is out of reach: the draft is kept all the same."""
        try:
            found = desk.clients.tickets.rows(me.person, [saved.ticket_id]).tickets
        except AscoltoError:
            return ""
        tongue = frame.tongue(request, me)
        word, language = tongue.text, tongue.language
        said = {
            "greeting": word("No greeting."),
            "closing": word("No closing."),
            "name": word("The name is not the customer’s."),
            "formality": word("Familiar and polite form are mixed."),
            "shouting": word("It reads as if shouted."),
            "date": word("A promise without a date."),
        }
        for ticket in found:
            able = ticket.capabilities
            letter = (able.letters or bool(able.replies_by)) and not able.public
            amiss = hints(
                saved.text, language=ticket.language or language, letter=letter, customer=ticket.customer_name
            )
            return " ".join(said[one] for one in amiss)
        return ""

    @router.post("/tickets/{number}/note", dependencies=[needs("tickets:write")])
    def note(request: Request, me: Me, form: Form, number: int) -> Response:
        typed = Typed(text_of(form, "text").replace("\r\n", "\n"), text_of(form, "key"), kind="note")
        try:
            desk.acts.note(me.person, ticket_id(me, number), text=typed.text, key=typed.key)
        except Invalid as error:
            return again(request, me, form, number, _with(typed, errors={"text": error.message}))
        return frame.back(request, text_of(form, "back") or f"/tickets/{number}")

    @router.post("/tickets/{number}/undo", dependencies=[needs("tickets:write")])
    def undo(request: Request, me: Me, form: Form, number: int) -> Response:
        tongue = frame.tongue(request, me)
        found = desk.clients.tickets.get(me.person, number=number)
        reply_id = text_of(form, "reply_id")
        said = next((one for one in found.interactions if one.id == reply_id), None)
        restored = None
        if said is not None:
            uploads = tuple(one.key.split("/")[1] for one in said.attachments if one.key.startswith("desk/"))
            people = (tuple(one.value for one in said.to), tuple(one.value for one in said.cc))
            # A key of its own: the one it was sent under is used up, and the composer shows that it is another draft.
            restored = Draft(found.ticket.id, me.user.id, "reply", said.text, *people, uploads, key=f"{reply_id}-again")
        if desk.acts.undo_reply(me.person, ticket_id=found.ticket.id, reply_id=reply_id, draft=restored):
            notice = {"text": tongue.text("Taken back: nothing was sent."), "kind": "success"}
        else:
            notice = {"text": tongue.text("Too late: it has left already."), "kind": "warning"}
        return frame.back(request, text_of(form, "back") or f"/tickets/{number}", notice)

    @router.post("/tickets/{number}/deliveries", dependencies=[needs("tickets:write")])
    def deliveries(request: Request, me: Me, form: Form, number: int) -> Response:
        tongue = frame.tongue(request, me)
        desk.clients.intake.resolve_delivery(
            me.person, decision=text_of(form, "decision"), delivery_id=text_of(form, "delivery_id"),
            reply_id=text_of(form, "reply_id"),
        )  # fmt: skip
        return frame.back(request, text_of(form, "back") or f"/tickets/{number}", {"text": tongue.text("Noted.")})

    @router.post("/tickets/{number}/change", dependencies=[needs("tickets:write")])
    def change(request: Request, me: Me, form: Form, number: int) -> Response:
        tongue = frame.tongue(request, me)
        found = ticket_id(me, number)
        version = text_of(form, "version")
        wanted = _changes(form)
        try:
            desk.clients.tickets.change(
                me.person, ticket_id=found, version=int(version) if version.isdigit() else 0, **wanted
            )
        except Conflict as error:
            notice = {"text": tongue.text("Not changed: %(why)s", why=error.message), "kind": "warning"}
            return frame.back(request, text_of(form, "back") or f"/tickets/{number}", notice)
        return frame.back(request, text_of(form, "back") or f"/tickets/{number}", _done(tongue, form, number, wanted))

    @router.get("/canned", dependencies=[needs("tickets:read")])
    def canned(me: Me, number: int, q: str = "") -> Response:
        found = desk.clients.tickets.get(me.person, number=number)
        return JSONResponse(answers(desk, me, found, q))

    @router.get("/colleagues", dependencies=[needs("tickets:write")])
    def colleagues(request: Request, me: Me, number: int, q: str = "") -> Response:
        tongue = frame.tongue(request, me)
        ticket = desk.clients.tickets.get(me.person, number=number).ticket
        fit = [
            {"label": colleague(tongue, user), "text": f"@{handle(user)} "}
            for user in desk.directory.readers(ticket.brand_id)
            if user.id != me.user.id and begins(q, user)
        ]
        return JSONResponse(fit[:8])

    return router


def _with(typed: Typed, *, held: bool = False, errors: Mapping[str, str] | None = None) -> Typed:
    return Typed(typed.text, typed.key, typed.to, typed.cc, typed.uploads, held, errors, typed.kind)


def _changes(form: FormData) -> dict[str, Any]:
    """The fields a form changes; those it does not name stay."""
    wanted: dict[str, Any] = {
        name: text_of(form, name) for name in ("state", "assignee", "team", "subject") if name in form
    }
    if "tags" in form:
        wanted["tags"] = texts_of(form, "tags")
    if "priority" in form:
        wanted["priority"] = int(text_of(form, "priority") or 0)
    return wanted


def _done(tongue: Tongue, form: FormData, number: int, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was done, with its undo where there is one."""
    state, was = wanted.get("state", ""), text_of(form, "was")
    if not state:
        return {"text": tongue.text("Saved.")} if "tags" not in wanted else None
    notice: dict[str, Any] = {"text": tongue.text("Now: %(state)s.", state=tongue.word("state", state))}
    if was and was != state and was not in ("new", "closed"):
        fields = {"state": was, "back": text_of(form, "back")}
    elif was == "new":
        fields = {"state": "open", "back": text_of(form, "back")}
    else:
        return notice
    return notice | {"undo": f"/tickets/{number}/change", "fields": fields, "seconds": _UNDO_S}
