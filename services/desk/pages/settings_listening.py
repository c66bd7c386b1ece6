"""Settings of listening: watches with their query's meaning, sources, and who is told of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from services.desk.i18n import Tongue
from services.desk.pages import listening
from services.desk.pages.forms import Act, Field, Item, show_form, show_list
from services.desk.pages.frame import Frame
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.pages.views import Choice
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import AscoltoError, Conflict, Invalid, NotFound

_WATCHES, _SOURCES, _NOTIFIERS = "/settings/watches", "/settings/sources", "/settings/notifiers"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a query means, its faults and what it finds."""

    text: str
    faults: Any
    posts: Any


def routes(frame: Frame) -> APIRouter:
    """The addresses of listening's settings."""
    router = APIRouter()
    desk = frame.desk

    def brands(me: SignedIn, chosen: str, *, all_label: str = "") -> list[Choice]:
        found = [Choice(one.id, one.name, chosen=one.id == chosen) for one in desk.directory.brands(me.person)]
        return [Choice("", all_label, chosen=not chosen), *found] if all_label else found

    @router.get(_WATCHES, dependencies=[needs("settings:write", "mentions:read")])
    def watches(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        lines = [
            Item(
                f"{_WATCHES}/{one.id}",
                one.name,
                plain(one.query, 160),
                tongue.text("alerts") if one.alerting else "",
                "accent",
            )
            for one in desk.clients.social.watches(me.person)
        ]
        add = [Choice(f"{_WATCHES}/new", tongue.text("New watch"))]
        about = tongue.text("A watch is a query over posts: your brand, a product, a courier, a competitor.")
        none = tongue.text("Nobody listens yet.")
        return show_list(
            frame, request, me, _WATCHES, tongue.text("Watches"), lines=lines, add=add, about=about, nothing=none
        )

    @router.get(_WATCHES + "/{id}", dependencies=[needs("settings:write", "mentions:read")])
    def watch_form(request: Request, me: Me, id: str) -> Response:
        values: dict[str, Any] = {"alerting": True, "source_ids": []}
        if id != "new":
            one = next((w for w in desk.clients.social.watches(me.person) if w.id == id), None)
            if one is None:
                raise NotFound(f"There is no watch {id}.")
            values = {"name": one.name, "brand_id": one.brand_id, "query": one.query, "alerting": one.alerting,
                      "source_ids": list(one.source_ids), "version": one.version}  # fmt: skip
        return shown_watch(request, me, id, values, {})

    def shown_watch(
        request: Request, me: SignedIn, id: str, values: dict[str, Any], errors: dict[str, str]
    ) -> Response:
        tongue = frame.tongue(request, me)
        word = tongue.text
        sources = [
            Choice(s.id, s.name or s.kind, chosen=s.id in values["source_ids"])
            for s in desk.clients.social.sources(me.person).sources
        ]
        fields = [
            Field(word("Name"), "name", values.get("name", ""), required=True),
            Field(word("Brand"), "brand_id", kind="choice", choices=brands(me, values.get("brand_id", ""))),
            Field(word("Query"), "query", values.get("query", ""), kind="area", rows=3,
                  help=word("Words, “a phrase”, OR, -without, ( ), pre*, NEAR/5, lang:it")),
            Field(word("Sources"), "source_ids", kind="several", choices=sources, help=word("None chosen: all.")),
            Field(word("Raise alerts"), "alerting", values.get("alerting"), kind="check"),
        ]  # fmt: skip
        acts = [Act("check", word("What does it find?"), "")] + ([Act("delete", word("Delete"))] if id != "new" else [])
        meaning = _meaning(me, tongue, str(values.get("query", "")), values["source_ids"])
        return show_form(
            frame, request, me, _WATCHES, values.get("name") or word("New watch"), action=f"{_WATCHES}/{id}", fields=fields,
            version=values.get("version", 0), errors=errors, acts=acts, meaning=meaning,
        )  # fmt: skip

    def _meaning(me: SignedIn, tongue: Tongue, query: str, sources: list[str]) -> Meaning | None:
        if not query.strip():
            return None
        try:
            found = desk.clients.social.check_query(me.person, query, source_ids=sources)
        except AscoltoError as error:
            return Meaning(error.message, (), ())
        return Meaning(found.meaning, found.faults, [listening.mention(tongue, one) for one in found.newest[:20]])

    @router.post(_WATCHES + "/{id}", dependencies=[needs("settings:write", "mentions:read")])
    def save_watch(request: Request, me: Me, form: Form, id: str) -> Response:
        tongue = frame.tongue(request, me)
        act, version = text_of(form, "act"), int(text_of(form, "version") or 0)
        if act == "delete":
            desk.clients.social.delete_watch(me.person, id=id, version=version)
            return frame.back(request, _WATCHES, {"text": tongue.text("Deleted.")})
        values: dict[str, Any] = {
            "name": text_of(form, "name"), "brand_id": text_of(form, "brand_id"), "query": text_of(form, "query"),
            "alerting": bool(text_of(form, "alerting")), "version": version,
            "source_ids": [v for v in form.getlist("source_ids") if isinstance(v, str)],
        }  # fmt: skip
        if act == "check":
            return shown_watch(request, me, id, values, {})
        try:
            saved = desk.clients.social.put_watch(me.person, id="" if id == "new" else id, **values)
        except (Invalid, Conflict) as error:
            return shown_watch(request, me, id, values, {error.field or "query": error.message})
        return frame.back(request, f"{_WATCHES}/{saved.id}", {"text": tongue.text("Saved.")})

    @router.get(_SOURCES, dependencies=[needs("settings:write", "mentions:read")])
    def sources(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        found = desk.clients.social.sources(me.person)
        kinds = {"on": "success", "off": ""}
        lines = [
            Item(f"{_SOURCES}/{one.id}", f"{tongue.word('channel', one.kind)}: {one.name}", plain(one.last_error, 160),
                 tongue.word("account state", one.state), kinds.get(one.state, "danger"))
            for one in found.sources
        ]  # fmt: skip
        add = [Choice(f"{_SOURCES}/new?kind={kind.id}", tongue.word("channel", kind.id)) for kind in found.kinds]
        none = tongue.text("No source yet.")
        return show_list(frame, request, me, _SOURCES, tongue.text("Sources"), lines=lines, add=add, nothing=none)

    def source(me: SignedIn, id: str, kind: str) -> tuple[Any, Any]:
        found = desk.clients.social.sources(me.person)
        if id == "new":
            fields = next((one.fields for one in found.kinds if one.id == kind), None)
            if fields is None:
                raise NotFound(f"There is no kind of source {kind}.")
            return None, fields
        one = next((s for s in found.sources if s.id == id), None)
        if one is None:
            raise NotFound(f"There is no source {id}.")
        return one, one.fields or next((k.fields for k in found.kinds if k.id == one.kind), ())

    @router.get(_SOURCES + "/{id}", dependencies=[needs("settings:write", "mentions:read")])
    def source_form(request: Request, me: Me, id: str, kind: str = "") -> Response:
        return shown_source(request, me, id, kind, {})

    def shown_source(request: Request, me: SignedIn, id: str, kind: str, errors: dict[str, str]) -> Response:
        tongue = frame.tongue(request, me)
        word = tongue.text
        one, described = source(me, id, kind)
        kind = one.kind if one else kind
        fields = [
            Field(word("Name"), "name", one.name if one else "", required=True),
            Field(
                word("Brand"),
                "brand_id",
                kind="choice",
                choices=brands(me, one.brand_id if one else "", all_label=word("All brands")),
            ),
            Field(word("On"), "on", one.state != "off" if one else True, kind="check"),
        ]
        for field in described:
            kept = bool(one) and field.name in one.secrets_set
            value = "" if field.secret else (one.settings.get(field.name, field.default) if one else field.default)
            hint = word("A value is kept; empty leaves it.") if kept else ""
            kind_of = "password" if field.secret else "text"
            fields.append(
                Field(
                    word(field.label or field.name),
                    f"set-{field.name}",
                    value,
                    kind_of,
                    hint,
                    required=field.required and not kept,
                )
            )
        return show_form(
            frame, request, me, _SOURCES, one.name if one else tongue.word("channel", kind), action=f"{_SOURCES}/{id}?kind={kind}",
            fields=fields, version=one.version if one else 0, errors=errors,
        )  # fmt: skip

    @router.post(_SOURCES + "/{id}", dependencies=[needs("settings:write", "mentions:read")])
    def save_source(request: Request, me: Me, form: Form, id: str, kind: str = "") -> Response:
        tongue = frame.tongue(request, me)
        one, described = source(me, id, kind)
        secrets = {field.name: text_of(form, f"set-{field.name}") for field in described if field.secret}
        try:
            saved = desk.clients.social.put_source(
                me.person, id="" if id == "new" else id, kind=one.kind if one else kind, name=text_of(form, "name"),
                on=bool(text_of(form, "on")), brand_id=text_of(form, "brand_id"), version=int(text_of(form, "version") or 0),
                settings={field.name: text_of(form, f"set-{field.name}") for field in described if not field.secret},
                secrets={name: value for name, value in secrets.items() if value},
            )  # fmt: skip
        except (Invalid, Conflict) as error:
            return shown_source(request, me, id, kind, {error.field or "name": error.message})
        return frame.back(request, f"{_SOURCES}/{saved.id}", {"text": tongue.text("Saved.")})

    @router.get(_NOTIFIERS, dependencies=[needs("settings:write")])
    def notifiers(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        lines = [
            Item(f"{_NOTIFIERS}/{one.id}", one.target, plain(one.last_error, 160), tongue.text("on") if one.on else tongue.text("off"),
                 "success" if one.on else "")
            for one in desk.clients.social.notifiers(me.person)
        ]  # fmt: skip
        add = [
            Choice(f"{_NOTIFIERS}/new?kind=email", tongue.text("By e-mail")),
            Choice(f"{_NOTIFIERS}/new?kind=webhook", tongue.text("By webhook")),
        ]
        none = tongue.text("Nobody is told outside the desk.")
        return show_list(
            frame, request, me, _NOTIFIERS, tongue.text("Notices of alerts"), lines=lines, add=add, nothing=none
        )

    @router.get(_NOTIFIERS + "/{id}", dependencies=[needs("settings:write")])
    def notifier_form(request: Request, me: Me, id: str, kind: str = "email") -> Response:
        return shown_notifier(request, me, id, kind, {})

    def shown_notifier(request: Request, me: SignedIn, id: str, kind: str, errors: dict[str, str]) -> Response:
        tongue = frame.tongue(request, me)
        word = tongue.text
        one = next((n for n in desk.clients.social.notifiers(me.person) if n.id == id), None)
        if one is None and id != "new":
            raise NotFound(f"There is no notifier {id}.")
        kind = one.kind if one else kind
        least = [
            Choice(s, tongue.word("severity", s), chosen=one is not None and one.min_severity == s)
            for s in ("notice", "serious", "crisis")
        ]
        fields = [
            Field(
                word("Address") if kind == "email" else word("URL"), "target", one.target if one else "", required=True
            ),
            Field(word("From which severity"), "min_severity", kind="choice", choices=least),
            Field(
                word("Brand"),
                "brand_id",
                kind="choice",
                choices=brands(me, one.brand_id if one else "", all_label=word("All brands")),
            ),
            Field(word("On"), "on", one.on if one else True, kind="check"),
        ]
        if kind != "email":
            fields.append(
                Field(
                    word("Secret that signs"),
                    "secret",
                    "",
                    "password",
                    word("Empty leaves the present one."),
                    autocomplete="new-password",
                )
            )
        return show_form(
            frame, request, me, _NOTIFIERS, one.target if one else word("New notice"), action=f"{_NOTIFIERS}/{id}?kind={kind}",
            fields=fields, version=one.version if one else 0, errors=errors,
        )  # fmt: skip

    @router.post(_NOTIFIERS + "/{id}", dependencies=[needs("settings:write")])
    def save_notifier(request: Request, me: Me, form: Form, id: str, kind: str = "email") -> Response:
        tongue = frame.tongue(request, me)
        try:
            desk.clients.social.put_notifier(
                me.person, id="" if id == "new" else id, kind=kind, target=text_of(form, "target").strip(), secret=text_of(form, "secret"),
                on=bool(text_of(form, "on")), version=int(text_of(form, "version") or 0), brand_id=text_of(form, "brand_id"),
                min_severity=text_of(form, "min_severity"),
            )  # fmt: skip
        except (Invalid, Conflict) as error:
            return shown_notifier(request, me, id, kind, {error.field or "target": error.message})
        return frame.back(request, _NOTIFIERS, {"text": tongue.text("Saved.")})

    return router
