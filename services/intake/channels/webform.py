"""Web contact form: question, suggestion or complaint, answered by e-mail.

The page that shows it is `web/form.py`; here is what one submission means.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from services.intake.domain.channel import Account, Capabilities, Outbound, Receipt, SettingField, Step
from services.intake.domain.contact import Attachment, Identity, Inbound, RawContact, Threading
from services.intake.ports import NotSent, Tools, Unparsable

TOPICS = ("question", "suggestion", "complaint")
MAX_FILES = 10
MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_TEXT = 20_000
_ADDRESS = re.compile(r"[^@\s<>,;\"()\\]{1,64}@[A-Za-z0-9.-]{1,253}\.[A-Za-z0-9-]{2,63}")  # one plain address
_LINE = {**dict.fromkeys([*range(32), 127, 0x2028, 0x2029], " ")}  # what could end a header's line
_LINKS = re.compile(r"https?://")
_MANY_LINKS = 6
_SNIFFED = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
)

Short = Annotated[str, msgspec.Meta(max_length=300)]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    name: Short
    content_base64: str


class _Form(msgspec.Struct, forbid_unknown_fields=True):
    submission_id: Annotated[str, msgspec.Meta(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    message: str
    email: Short
    name: Short = ""
    order: Short = ""
    topic: str = "question"
    language: Short = ""
    page: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    trap: str = ""
    files: list[_File] = []


_DECODER = msgspec.json.Decoder(_Form)
_FIELD = re.compile(r"`\$?\.?([a-z_]+)")  # msgspec: `field` or `$.field`


class WebformChannel:
    """See the module."""

    id = "webform"
    capabilities = Capabilities(
        threading=Threading.ALWAYS_NEW,
        replies_by="email",
        acknowledge_by="email",
        letters=True,
        html=False,
        subject=True,
        max_attachments=MAX_FILES,
        max_attachment_bytes=MAX_FILE_BYTES,
        undo_s=10,
    )
    fields = (SettingField("title", "Title of the page (empty: the usual question)"),)

    def parse(self, raw: RawContact, account: Account, *, budget_s: float) -> Sequence[Inbound]:
        """One submission, one inbound. Raises `Unparsable` with the field at fault; never anything else."""
        del account, budget_s
        try:
            form = _DECODER.decode(bytes(raw.body))
        except msgspec.ValidationError as error:
            found = _FIELD.search(str(error))
            field = found[1] if found else "body"
            raise Unparsable(f"{field}: {error}.", field=field) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unparsable(f"The submission is not valid JSON: {error}.") from error
        email = form.email.strip()
        if not _ADDRESS.fullmatch(email):
            raise Unparsable("This is not an e-mail address we could answer.", field="email")
        if not form.message.strip():
            raise Unparsable("The message is empty.", field="message")
        if len(form.message) > MAX_TEXT:
            raise Unparsable(f"The message has more than {MAX_TEXT} characters.", field="message")
        if form.topic not in TOPICS:
            raise Unparsable(f"The topic is one of {', '.join(TOPICS)}.", field="topic")
        name = form.name.translate(_LINE).strip()
        text = form.message.replace("\r\n", "\n").replace("\x00", "").strip()
        return [
            Inbound(
                event_key=form.submission_id,
                external_id=form.submission_id,
                sender=Identity("email", email.lower(), name),
                subject=_subject(text),
                text=text,
                topic=form.topic,
                order_number=form.order.translate(_LINE).strip()[:60],
                language=form.language[:2].lower(),
                locale=form.language[:20],
                attachments=_files(form.files),
                suspicious=bool(form.trap) or len(_LINKS.findall(text)) >= _MANY_LINKS,
            )
        ]

    def send(self, outbound: Outbound, account: Account) -> Receipt:
        """Raises `NotSent`: answers to a form go by e-mail."""
        del outbound, account
        raise NotSent("A form is answered by e-mail; the brand has no e-mail account.", retry=False, account=True)

    def test(self, account: Account) -> Sequence[Step]:
        """Says where the form is."""
        return [Step("page", ok=True, detail=f"/c/{account.brand_slug}/contact")]


def sniffed(data: bytes) -> str:
    """The media type by the first bytes; never one a browser would run."""
    return next((kind for start, kind in _SNIFFED if data.startswith(start)), "application/octet-stream")


def _files(given: Sequence[_File]) -> tuple[Attachment, ...]:
    if len(given) > MAX_FILES:
        raise Unparsable(f"At most {MAX_FILES} files can be sent.", field="files")
    files = []
    for one in given:
        try:
            data = base64.b64decode(one.content_base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Unparsable("A file is not valid base64.", field="files") from error
        name = one.name.translate(_LINE).replace("\\", "/").rpartition("/")[2].strip(". ")[:120] or "file"
        files.append(Attachment(name, sniffed(data), data))
    if sum(len(file.data) for file in files) > MAX_FILE_BYTES:
        raise Unparsable("The files are larger than 20 MB together.", field="files")
    return tuple(files)


def _subject(text: str) -> str:
    line = text.partition("\n")[0].strip()
    return line if len(line) <= 80 else line[:79].rstrip() + "…"


def build(tools: Tools) -> WebformChannel:
    """The channel."""
    del tools
    return WebformChannel()
