"""Settings of the shop: brands with their hours, accounts with their test and switch."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.desk.clients.messages import Account, Brand
from services.desk.i18n import Tongue
from services.desk.pages.forms import (
    Act,
    Day,
    Field,
    Item,
    clock_text,
    languages,
    read_hours,
    show_form,
    show_list,
    tabs,
)
from services.desk.pages.frame import Frame
from services.desk.pages.prose import plain
from services.desk.pages.ticket import text_of
from services.desk.pages.views import Choice
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import AscoltoError, Conflict, Invalid, NotFound

_BRANDS, _ACCOUNTS = "/settings/brands", "/settings/accounts"


def routes(frame: Frame) -> APIRouter:
    """The addresses of the shop's settings."""
    router = APIRouter()
    desk = frame.desk

    @router.get("/settings", dependencies=[needs("settings:write")])
    def start(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        return frame.show(
            request, me, "settings.html", "settings", tongue.text("Settings"), tabs=tabs(tongue, me), tab="/settings",
            errors={}, problem=None,
        )  # fmt: skip

    @router.get(_BRANDS, dependencies=[needs("settings:write")])
    def brands(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        lines = [
            Item(
                f"{_BRANDS}/{one.id}",
                one.name,
                f"{tongue.word('language', one.language)}, {one.time_zone}, /c/{one.slug}",
            )
            for one in desk.directory.brands(me.person)
        ]
        add = [Choice(f"{_BRANDS}/new", tongue.text("New brand"))]
        none = tongue.text("No brand yet.")
        return show_list(
            frame, request, me, _BRANDS, tongue.text("Brands and hours"), lines=lines, add=add, nothing=none
        )

    def brand(me: SignedIn, id: str) -> Brand:
        if id == "new":
            return Brand(time_zone="Europe/Rome", language="it", first_response_minutes=240, close_after_days=7,
                         acknowledge_window_minutes=1440)  # fmt: skip
        desk.directory.forget()
        found = next((one for one in desk.directory.brands(me.person) if one.id == id), None)
        if found is None:
            raise NotFound(f"There is no brand {id}.")
        return found

    @router.get(_BRANDS + "/{id}", dependencies=[needs("settings:write")])
    def brand_form(request: Request, me: Me, id: str) -> Response:
        return shown_brand(request, me, id, brand(me, id), {})

    def shown_brand(
        request: Request, me: SignedIn, id: str, one: Brand, errors: dict[str, str], *, changed: bool = False,
        hours: dict[str, str] | None = None,
    ) -> Response:  # fmt: skip
        tongue = frame.tongue(request, me)
        return show_form(
            frame, request, me, _BRANDS, one.name or tongue.text("New brand"), action=f"{_BRANDS}/{id}", version=one.version,
            fields=_brand_fields(tongue, one, hours), errors=errors, changed=changed,
        )  # fmt: skip

    @router.post(_BRANDS + "/{id}", dependencies=[needs("settings:write")])
    def save_brand(request: Request, me: Me, form: Form, id: str) -> Response:
        tongue = frame.tongue(request, me)
        wanted = Brand()
        wanted.CopyFrom(brand(me, id))
        errors = _read_brand(tongue, form, wanted)
        typed = {str(day): text_of(form, f"hours-{day}") for day in range(7)}
        if errors:
            return shown_brand(request, me, id, wanted, errors, hours=typed)
        try:
            saved = desk.clients.intake.put_brand(me.person, wanted)
        except (Invalid, Conflict) as error:
            errors = {error.field or "name": error.message}
            return shown_brand(request, me, id, wanted, errors, changed=isinstance(error, Conflict), hours=typed)
        desk.directory.forget()
        return frame.back(request, f"{_BRANDS}/{saved.id}", {"text": tongue.text("Saved.")})

    @router.get(_ACCOUNTS, dependencies=[needs("settings:write")])
    def accounts(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        desk.directory.forget()
        kinds = {"on": "success", "off": "", "failing": "danger"}
        lines = [
            Item(f"{_ACCOUNTS}/{one.id}", f"{tongue.word('channel', one.channel)}: {one.address}",
                 f"{desk.directory.brand_name(one.brand_id)}. {plain(one.last_error, 160) if one.state == 'failing' else ''}",
                 tongue.word("account state", one.state), kinds.get(one.state, "warning"))
            for one in desk.directory.accounts(me.person)
        ]  # fmt: skip
        add = [
            Choice(f"{_ACCOUNTS}/new?channel={kind.id}", tongue.word("channel", kind.id))
            for kind in desk.directory.channels()
        ]
        return show_list(
            frame, request, me, _ACCOUNTS, tongue.text("Accounts"), lines=lines, add=add, nothing=tongue.text("No account yet."),
            about=tongue.text("Each is one way in and out: a mailbox, a form, a chat. Switched off, it tells customers which ways are open."),
        )  # fmt: skip

    def account(me: SignedIn, id: str, channel: str) -> Account:
        desk.directory.forget()
        if id == "new":
            kind = next((one for one in desk.directory.channels() if one.id == channel), None)
            if kind is None:
                raise NotFound(f"There is no channel {channel}.")
            made = Account(channel=kind.id, state="on")
            made.fields.extend(kind.fields)
            return made
        found = next((one for one in desk.directory.accounts(me.person) if one.id == id), None)
        if found is None:
            raise NotFound(f"There is no account {id}.")
        return found

    @router.get(_ACCOUNTS + "/{id}", dependencies=[needs("settings:write")])
    def account_form(request: Request, me: Me, id: str, channel: str = "") -> Response:
        return shown_account(request, me, id, account(me, id, channel))

    def shown_account(
        request: Request, me: SignedIn, id: str, one: Account, *, errors: dict[str, str] | None = None, steps: Any = (),
        changed: bool = False,
    ) -> Response:  # fmt: skip
        tongue = frame.tongue(request, me)
        acts = []
        if id != "new":
            switch = (
                Act("off", tongue.text("Switch off")) if one.state != "off" else Act("on", tongue.text("Switch on"))
            )
            acts = [Act("test", tongue.text("Test"), ""), switch]
        brands = [Choice(b.id, b.name, chosen=b.id == one.brand_id) for b in desk.directory.brands(me.person)]
        title = (
            f"{tongue.word('channel', one.channel)}: {one.address}"
            if one.address
            else tongue.word("channel", one.channel)
        )
        return show_form(
            frame, request, me, _ACCOUNTS, title, action=f"{_ACCOUNTS}/{id}?channel={one.channel}", version=one.version,
            fields=_account_fields(tongue, one, brands), acts=acts, steps=steps, errors=errors or {}, changed=changed,
        )  # fmt: skip

    @router.post(_ACCOUNTS + "/{id}", dependencies=[needs("settings:write")])
    def save_account(request: Request, me: Me, form: Form, id: str, channel: str = "") -> Response:
        tongue = frame.tongue(request, me)
        one = account(me, id, channel)
        act = text_of(form, "act")
        if act == "test":
            return shown_account(request, me, id, one, steps=desk.clients.intake.test_account(me.person, id))
        if act in ("on", "off"):
            desk.clients.intake.switch_account(
                me.person, id=id, on=act == "on", off_message=text_of(form, "off_message")
            )
            desk.directory.forget()
            text = (
                tongue.text("Switched on.")
                if act == "on"
                else tongue.text("Switched off. What waits in the queue is kept.")
            )
            return frame.back(request, f"{_ACCOUNTS}/{id}", {"text": text})
        plain_fields = [field for field in one.fields if not field.secret]
        secrets = {field.name: text_of(form, f"set-{field.name}") for field in one.fields if field.secret}
        try:
            saved = desk.clients.intake.put_account(
                me.person, id="" if id == "new" else id, brand_id=text_of(form, "brand_id"), channel=one.channel,
                address=text_of(form, "address").strip(),
                settings={field.name: text_of(form, f"set-{field.name}") for field in plain_fields},
                secrets={name: value for name, value in secrets.items() if value},
                version=int(text_of(form, "version") or 0),
            )  # fmt: skip
        except (Invalid, Conflict) as error:
            return shown_account(
                request,
                me,
                id,
                one,
                errors={error.field or "address": error.message},
                changed=isinstance(error, Conflict),
            )
        desk.directory.forget()
        return frame.back(request, f"{_ACCOUNTS}/{saved.id}", {"text": tongue.text("Saved.")})

    @router.get("/settings/hours", dependencies=[needs("settings:write")])
    def hours(me: Me) -> Response:
        try:
            first = next(iter(desk.directory.brands(me.person)), None)
        except AscoltoError:
            first = None
        return RedirectResponse(f"{_BRANDS}/{first.id}" if first else _BRANDS, 303)

    return router


def _brand_fields(tongue: Tongue, one: Brand, typed: dict[str, str] | None) -> list[Field]:
    word = tongue.text
    names = tongue.locale.days["format"]["wide"]
    days = []
    for day in range(7):
        spans = [
            f"{clock_text(o.opens_minute)}-{clock_text(o.closes_minute)}"
            for o in one.hours.openings
            if o.weekday == day
        ]
        text = typed.get(str(day), "") if typed else ", ".join(spans)
        days.append(Day(str(day), names[day], text))
    holidays = "\n".join(f"{holiday.date} {holiday.name}".strip() for holiday in one.hours.holidays)
    return [
        Field(word("Name"), "name", one.name, required=True),
        Field(word("Short name in addresses"), "slug", one.slug, help=word("In /c/…, letters, digits and hyphens.")),
        Field(word("Language"), "language", kind="choice", choices=languages(tongue, one.language)),
        Field(word("Languages customers are answered in"), "languages", kind="several", choices=[
            Choice(c.value, c.label, chosen=c.value in one.languages) for c in languages(tongue, "")]),
        Field(word("Address customers formally (Lei, Sie, vous)"), "formal", one.formal, kind="check"),
        Field(word("Time zone"), "time_zone", one.time_zone, required=True),
        Field(word("Colour"), "colour", one.colour, help=word("#rrggbb; darkened for text where it would not be readable.")),
        Field(word("Addresses of the shop's site"), "shop_origin", one.shop_origin, help=word("https://…, where form and chat may stand; separate them with commas.")),
        Field(word("Hours and promise"), kind="heading"),
        Field(word("Opening hours"), "hours", kind="hours", choices=days, help=word("As 9:00-13:00, 15:00-18:00; empty is closed.")),
        Field(word("Holidays"), "holidays", holidays, kind="area", help=word("One a line: 2026-12-25 Christmas")),
        Field(word("Minutes to the first answer, in opening hours"), "first_response_minutes", one.first_response_minutes, kind="number"),
        Field(word("Days from solved to closed"), "close_after_days", one.close_after_days, kind="number"),
        Field(word("Minutes between two confirmations to one sender"), "acknowledge_window_minutes", one.acknowledge_window_minutes, kind="number"),
        Field(word("Signature"), "signature", one.signature, kind="area", rows=3),
    ]  # fmt: skip


def _read_brand(tongue: Tongue, form: Any, wanted: Brand) -> dict[str, str]:
    """Puts what was typed into `wanted`; what cannot be is said by field."""
    errors: dict[str, str] = {}
    for name in ("name", "slug", "language", "time_zone", "colour", "shop_origin", "signature"):
        setattr(wanted, name, text_of(form, name).strip())
    if not wanted.name:
        errors["name"] = tongue.text("A brand needs a name.")
    wanted.formal = bool(text_of(form, "formal"))
    wanted.version = int(text_of(form, "version") or 0)
    wanted.languages[:] = [value for value in form.getlist("languages") if isinstance(value, str)]
    for name in ("first_response_minutes", "close_after_days", "acknowledge_window_minutes"):
        value = text_of(form, name).strip() or "0"
        if value.isdigit() and int(value) < 10_000_000:
            setattr(wanted, name, int(value))
        else:
            errors[name] = tongue.text("Write a whole number.")
    del wanted.hours.openings[:]
    for day in range(7):
        try:
            spans = read_hours(text_of(form, f"hours-{day}"))
        except ValueError as error:
            errors[f"hours-{day}"] = tongue.text("Hours look like 9:00-13:00, 15:00-18:00; not “%(text)s”.", text=error)
            continue
        for opens, closes in spans:
            wanted.hours.openings.add(weekday=day, opens_minute=opens, closes_minute=closes)
    del wanted.hours.holidays[:]
    for line in text_of(form, "holidays").splitlines():
        if line.strip():
            date, _, name = line.strip().partition(" ")
            wanted.hours.holidays.add(date=date, name=name.strip())
    return errors


def _account_fields(tongue: Tongue, one: Account, brands: list[Choice]) -> list[Field]:
    word = tongue.text
    made = [
        Field(word("Brand"), "brand_id", kind="choice", choices=brands),
        Field(
            word("Address"),
            "address",
            one.address,
            required=True,
            help=word("The mailbox, the form's or chat's name, the handle."),
        ),
    ]
    for field in one.fields:
        name = f"set-{field.name}"
        if field.secret:
            kept = field.name in one.secrets_set
            hint = word("A value is kept; empty leaves it.") if kept else ""
            made.append(
                Field(
                    word(field.label or field.name),
                    name,
                    "",
                    "password",
                    hint,
                    autocomplete="new-password",
                    required=field.required and not kept,
                )
            )
        else:
            value = one.settings.get(field.name, field.default)
            made.append(Field(word(field.label or field.name), name, value, required=field.required))
    made.append(
        Field(word("What customers read while it is off"), "off_message", one.off_message, kind="area", rows=2,
              help=word("Empty: a sentence that names the ways that are open."))
    )  # fmt: skip
    return made
