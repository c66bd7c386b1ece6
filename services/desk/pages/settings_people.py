"""Settings of people and programs: users with roles, canned answers, API tokens."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from services.desk.domain import roles
from services.desk.domain.people import User
from services.desk.i18n import Tongue
from services.desk.pages import words
from services.desk.pages.forms import Act, Field, Item, Secret, languages, show_form, show_list
from services.desk.pages.frame import Frame, brand_of
from services.desk.pages.ticket import text_of, texts_of
from services.desk.pages.views import Choice
from services.desk.usecases.people import Changes
from services.desk.usecases.sessions import SignedIn
from services.desk.web.deps import Form, Me, needs
from services.kit.errors import AscoltoError, Conflict, Invalid, NotFound

_USERS, _CANNED, _TOKENS = "/settings/users", "/settings/canned", "/settings/tokens"
_LIVES = {"30": timedelta(days=30), "365": timedelta(days=365), "": None}


def routes(frame: Frame) -> APIRouter:
    """The addresses of people's settings."""
    router = APIRouter()
    desk = frame.desk

    def brand_choices(me: SignedIn, chosen: frozenset[str]) -> list[Choice]:
        return [Choice(one.id, one.name, chosen=one.id in chosen) for one in desk.directory.brands(me.person)]

    @router.get(_USERS, dependencies=[needs("users")])
    def users(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        lines = [
            Item(f"{_USERS}/{one.id}", f"{words.colleague(tongue, one)} · {one.email}", ", ".join(tongue.word("role", role) for role in one.roles),
                 tongue.text("disabled") if one.disabled else "", "warning")
            for one in desk.people.everybody()
        ]  # fmt: skip
        add = [Choice(f"{_USERS}/new", tongue.text("New user"))]
        return show_list(
            frame, request, me, _USERS, tongue.text("Users and roles"), lines=lines, add=add, about=_about(tongue)
        )

    @router.get(_USERS + "/{id}", dependencies=[needs("users")])
    def user_form(request: Request, me: Me, id: str) -> Response:
        user = User("", "", "", ()) if id == "new" else desk.people.get(id)
        return shown_user(request, me, id, user)

    def shown_user(
        request: Request,
        me: SignedIn,
        id: str,
        user: User,
        *,
        errors: dict[str, str] | None = None,
        secret: Secret | None = None,
    ) -> Response:
        tongue = frame.tongue(request, me)
        acts = [] if id == "new" else [Act("reset", tongue.text("New password"))]
        if id != "new" and desk.factors.is_on(id):
            acts.append(Act("factor", tongue.text("Remove the second factor")))
        return show_form(
            frame, request, me, _USERS, user.name or tongue.text("New user"), action=f"{_USERS}/{id}", version=user.version,
            fields=_user_fields(tongue, user, brand_choices(me, frozenset(user.brand_ids)), new=id == "new"), errors=errors or {},
            secret=secret, acts=acts,
        )  # fmt: skip

    @router.post(_USERS + "/{id}", dependencies=[needs("users")])
    def save_user(request: Request, me: Me, form: Form, id: str) -> Response:
        tongue = frame.tongue(request, me)
        chosen = [value for value in form.getlist("roles") if isinstance(value, str)]
        brands = [value for value in form.getlist("brand_ids") if isinstance(value, str)]
        teams, name, email = texts_of(form, "teams"), text_of(form, "name"), text_of(form, "email")
        shown_again = tongue.text(
            "Password of %(name)s, shown this once; it must be changed at the first sign-in:", name=name or email
        )
        if text_of(form, "act") == "reset":
            password = desk.people.reset_password(id, by=me.user.id)
            return shown_user(request, me, id, desk.people.get(id), secret=Secret(shown_again, password))
        if text_of(form, "act") == "factor":
            desk.people.reset_factor(id, by=me.user.id)
            done = tongue.text("The second factor is removed; this person was signed out everywhere.")
            return frame.back(request, f"{_USERS}/{id}", {"text": done})
        try:
            if id == "new":
                user, password = desk.people.create(
                    email=email, name=name, roles_=chosen, brand_ids=brands, teams=teams, by=me.user.id,
                    language=me.preferences.language if me.preferences.language in ("it", "en") else "it",
                )  # fmt: skip
                desk.directory.forget()
                return shown_user(request, me, user.id, user, secret=Secret(shown_again, password))
            changes = Changes(
                name=name, roles=chosen, brand_ids=brands, teams=teams, disabled=bool(text_of(form, "disabled"))
            )
            desk.people.change(id, changes, version=int(text_of(form, "version") or 0), by=me.user.id)
        except (Invalid, Conflict) as error:
            typed = User(
                id, email, name, tuple(chosen), tuple(brands), tuple(teams), version=int(text_of(form, "version") or 0)
            )
            return shown_user(request, me, id, typed, errors={error.field or "name": error.message})
        desk.directory.forget()
        return frame.back(request, f"{_USERS}/{id}", {"text": tongue.text("Saved.")})

    @router.get(_CANNED, dependencies=[needs("settings:write", "tickets:read")])
    def canned(request: Request, me: Me) -> Response:
        tongue = frame.tongue(request, me)
        found = desk.clients.tickets.canned(me.person, brand_id=brand_of(me)).answers
        lines = [
            Item(f"{_CANNED}/{one.id}", one.title, f"/{one.shortcut} · {', '.join(tongue.word('language', k) for k, v in one.texts.items() if v)}")
            for one in found
        ]  # fmt: skip
        add = [Choice(f"{_CANNED}/new", tongue.text("New canned answer"))]
        about = tongue.text(
            "Typed as / in an answer. Variables in double braces are filled in; one without a value stops Send."
        )
        none = tongue.text("No canned answer yet.")
        return show_list(
            frame, request, me, _CANNED, tongue.text("Canned answers"), lines=lines, add=add, about=about, nothing=none
        )

    @router.get(_CANNED + "/{id}", dependencies=[needs("settings:write", "tickets:read")])
    def canned_form(request: Request, me: Me, id: str) -> Response:
        values: dict[str, str] = {}
        if id != "new":
            one = next((a for a in desk.clients.tickets.canned(me.person).answers if a.id == id), None)
            if one is None:
                raise NotFound(f"There is no canned answer {id}.")
            values = {f"text-{language}": text for language, text in one.texts.items()}
            values |= {
                "title": one.title,
                "shortcut": one.shortcut,
                "brand_id": one.brand_id,
                "version": str(one.version),
            }
        return shown_canned(request, me, id, values, {})

    def shown_canned(
        request: Request, me: SignedIn, id: str, values: dict[str, str], errors: dict[str, str]
    ) -> Response:
        tongue = frame.tongue(request, me)
        word = tongue.text
        brands = [Choice("", word("All brands")), *brand_choices(me, frozenset({values.get("brand_id", "")}))]
        fields = [
            Field(word("Title"), "title", values.get("title", ""), required=True),
            Field(
                word("Shortcut"), "shortcut", values.get("shortcut", ""), help=word("Typed after /, without spaces.")
            ),
            Field(word("Brand"), "brand_id", kind="choice", choices=brands),
        ]
        hint = "{{customer.name}} {{customer.first_name}} {{ticket.number}} {{ticket.subject}} {{agent.name}} {{brand.name}} {{order.number}}"
        fields += [
            Field(one.label, f"text-{one.value}", values.get(f"text-{one.value}", ""), kind="area", rows=3, help=hint if one.value == "it" else "")
            for one in languages(tongue, "")
        ]  # fmt: skip
        acts = [] if id == "new" else [Act("delete", word("Delete"))]
        return show_form(
            frame, request, me, _CANNED, values.get("title") or word("New canned answer"), action=f"{_CANNED}/{id}", fields=fields,
            version=values.get("version", "0"), errors=errors, acts=acts,
        )  # fmt: skip

    @router.post(_CANNED + "/{id}", dependencies=[needs("settings:write", "tickets:read")])
    def save_canned(request: Request, me: Me, form: Form, id: str) -> Response:
        tongue = frame.tongue(request, me)
        version = int(text_of(form, "version") or 0)
        if text_of(form, "act") == "delete":
            desk.clients.tickets.delete_canned(me.person, id=id, version=version)
            return frame.back(request, _CANNED, {"text": tongue.text("Deleted.")})
        values = {key: value for key, value in form.items() if isinstance(value, str)}
        texts = {one.value: values.get(f"text-{one.value}", "") for one in languages(tongue, "")}
        try:
            desk.clients.tickets.put_canned(
                me.person, id="" if id == "new" else id, brand_id=values.get("brand_id", ""), title=values.get("title", ""),
                shortcut=values.get("shortcut", "").lstrip("/"), texts={k: v for k, v in texts.items() if v.strip()}, version=version,
            )  # fmt: skip
        except (Invalid, Conflict) as error:
            return shown_canned(request, me, id, values, {error.field or "title": error.message})
        return frame.back(request, _CANNED, {"text": tongue.text("Saved.")})

    @router.get(_TOKENS, dependencies=[needs("users")])
    def tokens(request: Request, me: Me) -> Response:
        return shown_tokens(request, me, None, {})

    def shown_tokens(request: Request, me: SignedIn, secret: Secret | None, errors: dict[str, str]) -> Response:
        tongue = frame.tongue(request, me)
        word, now = tongue.text, desk.clock.now()
        live = [one for one in desk.people.tokens() if one.live(now)]
        scopes = [Choice(scope, scope) for scope in roles.SCOPES]
        lives = [Choice("365", word("a year")), Choice("30", word("30 days")), Choice("", word("without end"))]
        fields = [
            Field(word("Name"), "name", required=True, help=word("What uses it.")),
            Field(word("Scopes"), "scopes", kind="several", choices=scopes),
            Field(
                word("Brands"),
                "brand_ids",
                kind="several",
                choices=brand_choices(me, frozenset()),
                help=word("None chosen: all."),
            ),
            Field(word("Valid for"), "days", kind="choice", choices=lives),
        ]
        for one in live:
            used = tongue.ago(one.last_used_at) if one.last_used_at else word("never used")
            fields.append(Field(f"{one.name} ({', '.join(one.scopes)})", kind="heading", help=used))
        acts = [Act(f"revoke:{one.id}", word("Revoke %(name)s", name=one.name)) for one in live]
        return show_form(
            frame, request, me, _TOKENS, word("API tokens"), action=_TOKENS, fields=fields, secret=secret, errors=errors, acts=acts,
            save=word("Make a token"), back="/settings", back_label=word("Settings"),
        )  # fmt: skip

    @router.post(_TOKENS, dependencies=[needs("users")])
    def save_token(request: Request, me: Me, form: Form) -> Response:
        tongue = frame.tongue(request, me)
        act = text_of(form, "act")
        if act.startswith("revoke:"):
            desk.people.revoke_token(act.removeprefix("revoke:"), by=me.user.id)
            return frame.back(request, _TOKENS, {"text": tongue.text("Revoked: it opens nothing any more.")})
        life = _LIVES.get(text_of(form, "days"))
        try:
            _, secret = desk.people.create_token(
                name=text_of(form, "name"), scopes=[v for v in form.getlist("scopes") if isinstance(v, str)],
                brand_ids=[v for v in form.getlist("brand_ids") if isinstance(v, str)],
                expires_at=desk.clock.now() + life if life else None, by=me.user.id,
            )  # fmt: skip
        except AscoltoError as error:
            return shown_tokens(request, me, None, {error.field or "name": error.message})
        return shown_tokens(request, me, Secret(tongue.text("The token, shown this once:"), secret), {})

    return router


def _about(tongue: Tongue) -> str:
    return tongue.text("Roles say what people may do; brands and teams limit where.")


def _user_fields(tongue: Tongue, user: User, brands: list[Choice], *, new: bool) -> list[Field]:
    word = tongue.text
    chosen = [Choice(role, tongue.word("role", role), chosen=role in user.roles) for role in roles.ROLES]
    made = [
        Field(word("Name"), "name", user.name, required=True),
        Field(word("E-mail"), "email", user.email, "email", required=True)
        if new
        else Field(user.email, kind="heading"),
        Field(word("Roles"), "roles", kind="several", choices=chosen),
        Field(word("Brands"), "brand_ids", kind="several", choices=brands, help=word("None chosen: all.")),
        Field(word("Teams"), "teams", ", ".join(user.teams), help=word("Separate them with commas.")),
    ]
    if not new:
        made.append(Field(word("Disabled: may not sign in"), "disabled", user.disabled, kind="check"))
    return made
