"""The contact form's pages: shown, sent with or without JavaScript or as JSON, thanked for.

No third party: a signed token (2 s to 24 h old) with the submission's id in it, a field people do not see, and a
limit per address. What looks like spam is taken in and marked, never lost.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from services.intake.domain.brand import Brand
from services.intake.domain.channel import Account
from services.intake.domain.contact import Accepted, RawContact
from services.intake.ports import Unparsable
from services.intake.web import http
from services.intake.web.pages import RateLimit, Shared, secure
from services.kit.errors import AscoltoError, Forbidden, Invalid, NotFound, RateLimited

MAX_BODY = 28 * 1024 * 1024  # 20 MB of files in base64
_YOUNG_S = 2
_OLD_S = 24 * 3600
_FIELDS = ("email", "name", "order", "topic", "message")
_CHANNEL = "webform"


@dataclass(frozen=True, slots=True)
class _Token:
    submission_id: str
    age_s: float


class FormPages:
    """See the module."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._limit = RateLimit(shared.settings.form_per_hour, 3600.0)

    async def answer(self, brand: Brand, rest: str, scope: Scope, receive: Receive, send: Send) -> None:
        """One request below `contact`."""
        account = self._shared.account(brand, _CHANNEL)
        if account is None:
            raise NotFound("This shop has no contact form.")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        asked = query.get("lang", [""])[0]
        if rest == "contact/thanks" and scope["method"] == "GET":
            await self._thanks(brand, scope, send, asked, query.get("ref", [""])[0][:20])
        elif account.state != "on":
            await self._closed(brand, account, scope, send, asked)
        elif rest == "contact/token" and scope["method"] == "GET":
            await http.respond_json(send, 200, {"t": self.token(account)})
        elif rest != "contact":
            raise NotFound("There is no such page.")
        elif scope["method"] == "POST":
            await self._post(brand, account, scope, receive, send)
        else:
            await self._show(brand, account, scope, send, asked=asked)

    def token(self, account: Account) -> str:
        """A token for one showing of the form; the submission's id is part of it."""
        claim = f"{secrets.token_hex(16)}.{int(self._shared.clock.now().timestamp() * 1000)}"
        return f"{claim}.{self._sign(account, claim)}"

    def _sign(self, account: Account, claim: str) -> str:
        return self._shared.keys.sign("form-token", f"{account.id}.{claim}".encode()).hex()[:40]

    def _read_token(self, account: Account, token: str) -> _Token:
        claim, _, signature = token.rpartition(".")
        submission, _, at = claim.partition(".")
        if not hmac.compare_digest(self._sign(account, claim).encode(), signature.encode()) or not at.isdigit():
            raise Forbidden("The form's token is forged or missing; load the page again.", field="t")
        return _Token(submission, self._shared.clock.now().timestamp() - int(at) / 1000)

    async def _post(self, brand: Brand, account: Account, scope: Scope, receive: Receive, send: Send) -> None:
        kind = http.header(scope, b"content-type").partition(b";")[0].strip().lower()
        as_json = kind == b"application/json"
        origin = http.header(scope, b"origin").decode("latin-1")
        if origin and origin != "null" and not self._allows(brand, scope, origin):
            raise Forbidden("This page may not send this form.", field="origin")
        body = await http.read_body(scope, receive, MAX_BODY)
        fields, files = _from_json(body) if as_json else await _from_form(scope, body)
        language, words = self._shared.words(brand, scope, asked=str(fields.get("language", "")))
        try:
            accepted = await self._accept(account, fields, files, language, http.peer(scope))
        except AscoltoError as error:
            if as_json:
                raise
            await self._again(brand, account, scope, send, fields, words, error)
            return
        reference = accepted.id[-8:].upper()
        if as_json:
            await http.respond_json(
                send,
                202,
                {"reference": reference, "status": "received", "id": accepted.id, "duplicate": accepted.duplicate},
            )
            return
        place = f"/c/{brand.slug}/contact/thanks?{urlencode({'ref': reference, 'lang': language})}"
        await http.respond(send, 303, b"", b"text/plain", headers=[(b"location", place.encode()), *secure(brand)])

    def _allows(self, brand: Brand, scope: Scope, origin: str) -> bool:
        host = http.header(scope, b"host").decode("latin-1")
        return origin in brand.origins or origin.partition("://")[2] == host

    async def _accept(
        self, account: Account, fields: dict[str, Any], files: list[dict[str, str]], language: str, peer: str
    ) -> Accepted:
        token = self._read_token(account, str(fields.get("t", "")))
        if token.age_s > _OLD_S:
            raise Forbidden("The page was open for more than a day.", field="expired")
        if token.age_s < _YOUNG_S:
            raise Forbidden("The form was sent faster than anybody writes.", field="fast")
        if not self._limit.allows(peer):
            raise RateLimited("Too many forms from this address.", retry_after_s=600.0)
        body = msgspec.json.encode(
            {name: fields[name] for name in (*_FIELDS, "page") if fields.get(name)}
            | {
                "submission_id": token.submission_id,
                "email": fields.get("email", ""),
                "message": fields.get("message", ""),
                "language": language,
                "trap": str(fields.get("hp_website", ""))[:200],
                "files": files,
            }
        )
        raw = RawContact(
            account.id, token.submission_id, body, "application/json", received_at=self._shared.clock.now()
        )
        acceptor = self._shared.acceptor
        found = await asyncio.to_thread(
            self._shared.directory.channels[account.channel].parse, raw, account, budget_s=1.0
        )
        prepared = await asyncio.to_thread(acceptor.prepared, raw, account, found)
        return (await asyncio.wrap_future(acceptor.submit([prepared])))[0]

    # --- pages ---

    async def _show(  # noqa: PLR0913 (what the page needs)
        self,
        brand: Brand,
        account: Account,
        scope: Scope,
        send: Send,
        *,
        asked: str = "",
        status: int = 200,
        values: dict[str, str] | None = None,
        errors: dict[str, str] | None = None,
        token: str = "",
    ) -> None:
        language, words = self._shared.words(brand, scope, asked=asked)
        opens = self._shared.opens(brand, words)
        promise = words["hours"].format(n=max(1, brand.first_response_minutes // 60))
        lead = words["lead_closed"].format(opens=opens) if opens else words["lead_open"].format(promise=promise)
        await self._shared.page(
            send,
            "contact.html",
            status,
            brand,
            language=language,
            words=words,
            lead=lead,
            title=account.setting("title") or words["title"],
            token=token or self.token(account),
            values=values or dict.fromkeys(_FIELDS, ""),
            errors=errors or {},
            ways=[way for way in self._shared.ways(brand) if way["kind"] != "form"],
        )

    async def _again(
        self,
        brand: Brand,
        account: Account,
        scope: Scope,
        send: Send,
        fields: dict[str, Any],
        words: dict[str, str],
        error: AscoltoError,
    ) -> None:
        """The form as it was sent, with what is wrong beside it; nothing has to be typed again."""
        known = {
            "email": words["error_email"],
            "message": words["too_long"] if fields.get("message") else words["error_message"],
            "topic": words["error_topic"],
            "files": words["error_files"],
            "expired": words["error_token"],
            "t": words["error_token"],
            "fast": words["error_fast"],
        }
        text = words["error_rate"] if error.kind == "rate_limited" else known.get(error.field, words["error_down"])
        place = error.field if error.field in {*_FIELDS, "files"} else "form"
        status = 422 if isinstance(error, Unparsable | Invalid) else http.STATUS.get(error.kind, 500)
        values = {name: str(fields.get(name, ""))[:20_000] for name in _FIELDS}
        await self._show(
            brand,
            account,
            scope,
            send,
            asked=str(fields.get("language", "")),
            status=status,
            values=values,
            errors={place: text},
            token=self._still_good(account, str(fields.get("t", ""))),
        )

    def _still_good(self, account: Account, token: str) -> str:
        """The token the form was sent with, while it holds: whoever mends a word need not wait again; else empty."""
        try:
            return token if self._read_token(account, token).age_s <= _OLD_S else ""
        except Forbidden:
            return ""

    async def _thanks(self, brand: Brand, scope: Scope, send: Send, asked: str, reference: str) -> None:
        language, words = self._shared.words(brand, scope, asked=asked)
        shown = reference if reference.isalnum() else ""
        await self._shared.page(send, "thanks.html", 200, brand, language=language, words=words, reference=shown)

    async def _closed(self, brand: Brand, account: Account, scope: Scope, send: Send, asked: str) -> None:
        language, words = self._shared.words(brand, scope, asked=asked)
        await self._shared.page(
            send,
            "closed.html",
            503,
            brand,
            language=language,
            words=words,
            note=account.off_message,
            ways=self._shared.ways(brand),
        )


def _from_json(body: bytes) -> tuple[dict[str, Any], list[dict[str, str]]]:
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("The body is not a JSON object.", field="body") from error
    known = {*_FIELDS, "t", "language", "page", "hp_website", "files"}
    for name in fields:
        if name not in known:
            raise Invalid(f"There is no field {name[:40]!r}.", field=name[:40])
    files = fields.pop("files", None) or []
    return fields, files


async def _from_form(scope: Scope, body: bytes) -> tuple[dict[str, Any], list[dict[str, str]]]:
    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    fields: dict[str, Any] = {}
    files = []
    try:
        async with Request(scope, whole).form(max_files=11, max_fields=30, max_part_size=1024 * 1024) as form:
            for name, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    fields[name] = value
                elif value.filename:
                    data = base64.b64encode(await value.read()).decode()
                    files.append({"name": value.filename[:300], "content_base64": data})
    except (MultiPartException, ValueError, AscoltoError) as error:
        raise Invalid("The form's body cannot be read.", field="files") from error
    return fields, files
