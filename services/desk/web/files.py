"""Files and customers' HTML, served so that nothing in them can act: attachments inert, HTML in a sandboxed frame.

Who may see the ticket may see its files; tickets decides that at every request.
"""

from __future__ import annotations

import base64
import html
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Response

from services.desk.usecases.writing import MAX_FILE_BYTES, safe_name
from services.desk.web import headers
from services.desk.web.deps import DeskOf, Form, Me, needs
from services.kit.errors import Invalid, NotFound

if TYPE_CHECKING:
    from services.desk.clients.messages import Blob, Interaction
    from services.desk.context import Desk
    from services.desk.usecases.sessions import SignedIn

router = APIRouter()

_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})  # types a browser only draws
_PLAIN = frozenset({*_SHOWN, "application/pdf", "text/plain", "text/csv", "message/rfc822"})
_INLINE_BYTES = 2 * 1024 * 1024  # of one picture inside a mail
_CID = re.compile(r"""(src\s*=\s*["']?)cid:([^"'\s>]+)""", re.IGNORECASE)  # src="cid:part1@example.com"
_REMOTE = re.compile(
    r"""(?:src|background)\s*=\s*["']?\s*(?:https?:)?//|url\(\s*["']?\s*(?:https?:)?//""", re.IGNORECASE
)
_FRAME = (
    '<!doctype html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
    '<base target="_blank"><style>body{{font-family:system-ui,sans-serif;margin:8px;background:#fff;color:#111;'
    'overflow-wrap:anywhere}}img{{max-width:100%}}</style></head><body dir="auto">{body}</body></html>'
)


def remote_count(body: str) -> int:
    """How many things a customer's HTML would fetch from elsewhere."""
    return len(_REMOTE.findall(body))


@router.get("/files/upload/{upload_id}", dependencies=[needs("tickets:write")])
def upload_file(desk: DeskOf, me: Me, upload_id: str) -> Response:
    """A file of one's own that is not sent yet."""
    found = desk.writing.uploads(me.user.id, [upload_id])
    if not found:
        raise NotFound("There is no such file.")
    return inert(desk.writing.bytes_of(found[0]), name=found[0].name, media_type=found[0].media_type)


@router.post("/files/upload", dependencies=[needs("tickets:write")])
async def add_upload(desk: DeskOf, me: Me, form: Form) -> dict[str, object]:
    """Keeps one file for an answer; answers its id, which goes into the draft."""
    file, ticket_id = form.get("file"), form.get("ticket_id", "")
    if file is None or isinstance(file, str) or not isinstance(ticket_id, str):
        raise Invalid("Choose a file.", field="file")
    if (file.size or 0) > MAX_FILE_BYTES:
        raise Invalid(f"A file has at most {MAX_FILE_BYTES // 1024 // 1024} MiB.", field="file")
    data = await file.read()
    return await _off_loop(
        desk, me, ticket_id=ticket_id, name=file.filename or "", media_type=file.content_type or "", data=data
    )


@router.get("/files/{ticket_id}/{interaction_id}/raw", dependencies=[needs("tickets:read")])
def raw(desk: DeskOf, me: Me, ticket_id: str, interaction_id: str) -> Response:
    """The contact as it arrived."""
    interaction = _interaction(desk, me, ticket_id, interaction_id)
    if not interaction.HasField("raw"):
        raise NotFound("Nothing was kept as it arrived.")
    name = "message.eml" if interaction.raw.media_type == "message/rfc822" else interaction.raw.name or "contact.txt"
    return inert(_bytes(desk, interaction.raw), name=name, media_type=interaction.raw.media_type)


@router.get("/files/{ticket_id}/{interaction_id}/text", dependencies=[needs("tickets:read")])
def whole_text(desk: DeskOf, me: Me, ticket_id: str, interaction_id: str) -> Response:
    """The whole text of a long message."""
    interaction = _interaction(desk, me, ticket_id, interaction_id)
    data = _bytes(desk, interaction.body) if interaction.HasField("body") else interaction.text.encode()
    return inert(data, name="message.txt", media_type="text/plain")


@router.get("/files/{ticket_id}/{interaction_id}/{place}", dependencies=[needs("tickets:read")])
def attachment(desk: DeskOf, me: Me, ticket_id: str, interaction_id: str, place: int) -> Response:
    """One attachment, counted from 0."""
    interaction = _interaction(desk, me, ticket_id, interaction_id)
    if not 0 <= place < len(interaction.attachments):
        raise NotFound("There is no such file.")
    blob = interaction.attachments[place]
    return inert(_bytes(desk, blob), name=blob.name, media_type=blob.media_type)


@router.get("/tickets/{ticket_id}/html/{interaction_id}", dependencies=[needs("tickets:read")])
def as_sent(desk: DeskOf, me: Me, ticket_id: str, interaction_id: str, remote: int = 0) -> Response:
    """A message as its writer sent it, for a sandboxed frame; remote pictures only with `remote=1`."""
    interaction = _interaction(desk, me, ticket_id, interaction_id)
    if not interaction.HasField("html"):
        raise NotFound("This message has no HTML.")
    body = _bytes(desk, interaction.html).decode("utf-8", "replace")
    body = _CID.sub(lambda match: match[1] + _picture(desk, interaction, match[2]), body)
    return Response(
        _FRAME.format(body=body),
        media_type="text/html",
        headers={
            "content-security-policy": headers.frame_policy(remote=remote == 1),
            "x-frame-options": "SAMEORIGIN",
            "referrer-policy": "no-referrer",
        },
    )


def inert(data: bytes, *, name: str, media_type: str) -> Response:
    """A download that no browser opens by itself."""
    shown = media_type if media_type in _PLAIN else "application/octet-stream"
    return Response(
        data,
        media_type=shown,
        headers={
            "content-disposition": f"attachment; filename*=UTF-8''{quote(safe_name(name), safe='')}",
            "content-security-policy": headers.FILE_POLICY,
        },
    )


async def _off_loop(
    desk: Desk, me: SignedIn, *, ticket_id: str, name: str, media_type: str, data: bytes
) -> dict[str, object]:
    from starlette.concurrency import run_in_threadpool

    def keep() -> dict[str, object]:
        ticket = desk.clients.tickets.rows(me.person, [ticket_id]).tickets
        if not ticket:
            raise NotFound(f"There is no ticket {ticket_id}.")
        upload = desk.writing.upload(me.user.id, ticket_id, name=name, media_type=media_type, data=data)
        return {
            "id": upload.id,
            "name": upload.name,
            "size": upload.size_bytes,
            "media_type": upload.media_type,
            "href": f"/files/upload/{upload.id}",
        }

    return await run_in_threadpool(keep)


def _interaction(desk: Desk, me: SignedIn, ticket_id: str, interaction_id: str) -> Interaction:
    ticket = desk.clients.tickets.get(me.person, id=ticket_id)
    for interaction in ticket.interactions:
        if interaction.id == interaction_id and not interaction.deleted:
            return interaction
    raise NotFound("There is no such message.")


def _bytes(desk: Desk, blob: Blob) -> bytes:
    return desk.blobs.get(blob.key) if blob.key else blob.inline


def _picture(desk: Desk, interaction: Interaction, content_id: str) -> str:
    """A picture of the mail itself as a data URI, so that the frame fetches nothing; empty when there is none."""
    wanted = html.unescape(content_id)
    for blob in interaction.attachments:
        if blob.content_id.strip("<>") == wanted and blob.media_type in _SHOWN and blob.size_bytes <= _INLINE_BYTES:
            return f"data:{blob.media_type};base64,{base64.b64encode(_bytes(desk, blob)).decode()}"
    return ""
