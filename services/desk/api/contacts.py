"""Contacts by machines: one or up to 100, answered after the commit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from services.desk.api import models
from services.desk.api.batch import items_of, refused
from services.desk.api.callers import ApiOf, Caller, desk_of_api, needs
from services.desk.api.route import ApiRoute
from services.desk.domain.roles import CONTACTS_WRITE
from services.desk.usecases.writing import safe_name
from services.desk.wire import others as wire
from services.kit.errors import KINDS, AscoltoError, Internal, Invalid
from services.kit.ids import new_id

if TYPE_CHECKING:
    from ascolto.common.v1.envelope_pb2 import Blob
    from ascolto.intake.v1.service_pb2 import Accepted, NewContact
    from services.desk.context import Desk

router = APIRouter(route_class=ApiRoute, tags=["contacts"])
INLINE_BYTES = (
    256 * 1024
)  # files, or texts, of one contact that travel inside the call; larger ones go by the blob store


@router.post("/contacts", status_code=202, dependencies=[needs(CONTACTS_WRITE)])
async def add_contact(request: Request, api: ApiOf, person: Caller, contact: models.Contact) -> models.Accepted:
    """Takes in one contact; a repeat of account and external_id answers `duplicate: true` and keeps the first."""
    message = await run_in_threadpool(new_contact, desk_of_api(request), contact)
    accepted = (await api.contacts.put(person, [message]))[0]
    await run_in_threadpool(forget_files, desk_of_api(request), [message])
    if accepted.error:
        raise refusal(accepted)
    return models.Accepted(id=accepted.id, duplicate=accepted.duplicate)


@router.post("/contacts:batch", status_code=202, dependencies=[needs(CONTACTS_WRITE)])
async def add_contacts(request: Request, api: ApiOf, person: Caller, contacts: models.Contacts) -> JSONResponse:
    """Takes in up to 100; answers `{items}` in their order, each `{id, duplicate}` or `{index, error, field}`."""
    desk = desk_of_api(request)
    read = await run_in_threadpool(items_of, models.Contact, contacts.items)
    good = [one for one in read if isinstance(one, models.Contact)]
    messages = await run_in_threadpool(lambda: [new_contact(desk, one) for one in good])
    taken = iter(await api.contacts.put(person, messages))
    await run_in_threadpool(forget_files, desk, messages)
    items = [
        refused(index, one.message, one.field) if isinstance(one, Invalid) else _item(index, next(taken))
        for index, one in enumerate(read)
    ]
    return JSONResponse({"items": items}, status_code=202)


def _item(index: int, answer: Accepted) -> dict[str, Any]:
    if answer.error:
        return refused(index, answer.error, answer.field)
    return {"id": answer.id, "duplicate": answer.duplicate}


def refusal(answer: Accepted) -> AscoltoError:
    """Why one contact was not taken in; an account that does not exist is a fault of the field."""
    kind = KINDS.get(answer.kind, Internal)
    if answer.kind in {"not_found", "invalid", ""}:
        kind = Invalid
    return kind(answer.error, field=answer.field)


def new_contact(desk: Desk, contact: models.Contact) -> NewContact:
    """The contact for intake; large files and long texts are stored first."""
    fields = {
        "account": contact.account,
        "external_id": contact.external_id,
        "conversation": contact.conversation,
        "email": contact.sender.email,
        "phone": contact.sender.phone,
        "name": contact.sender.name,
        "handle": contact.sender.handle,
        "subject": contact.subject,
    }
    message = wire.new_contact(fields, occurred_at=contact.occurred_at, attachments=files(desk, contact.attachments))
    if len(contact.text) + len(contact.html) <= INLINE_BYTES:
        message.text, message.html = contact.text, contact.html
        return message
    owner = new_id("upl")
    for name, text in (("text", contact.text), ("html", contact.html)):
        if text:
            key = f"desk/{owner}/{name}"
            desk.blobs.put(key, text.encode())
            getattr(message, f"{name}_blob").key = key
    return message


def forget_files(desk: Desk, messages: Sequence[NewContact]) -> None:
    """Deletes files handed over: intake has its own copy. What a crash leaves is swept after a day."""
    for message in messages:
        for blob in (*message.attachments, message.text_blob, message.html_blob):
            if blob.key:
                desk.blobs.delete(blob.key)


def files(desk: Desk, attachments: list[models.File]) -> list[Blob]:
    """Attachments as blobs: inline while they are small together, else by key."""
    by_key = sum(len(file.content_base64) for file in attachments) * 3 // 4 > INLINE_BYTES
    owner = new_id("upl")
    blobs = []
    for place, file in enumerate(attachments):
        data = file.data
        key = f"desk/{owner}/{place}" if by_key else ""
        if key:
            desk.blobs.put(key, data)
        blobs.append(
            wire.attachment(
                name=safe_name(file.name),
                media_type=file.bare_type,
                data=b"" if key else data,
                key=key,
                sha256=hashlib.sha256(data).hexdigest(),
                size=len(data),
            )
        )
    return blobs
