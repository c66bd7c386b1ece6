"""What hides in a body: uuencoded files in plain text, winmail.dat, flowed lines; and safe file names."""

from __future__ import annotations

import binascii
import re
from pathlib import PurePosixPath
from typing import Any

from services.intake.mail import limits
from services.intake.mail.parsed import MailFile

_BEGIN = re.compile(r"^begin(?:-base64)? [0-7]{3,4} (.{1,255})$", re.MULTILINE)
_UNSAFE = re.compile('[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"*:<>?|\\\\/]')
_EXTENSIONS = {
    "text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics", "message/rfc822": ".eml", "image/jpeg": ".jpg",
    "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/svg+xml": ".svg", "application/pdf": ".pdf",
    "message/delivery-status": ".txt", "text/rfc822-headers": ".txt", "text/vcard": ".vcf",
}  # fmt: skip


def file_name(name: str, media_type: str, at: int) -> str:
    """A name without path, control characters or direction overrides, at most 255 bytes, never empty."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = " ".join(_UNSAFE.sub("", last).split()).lstrip(".").strip() or ""
    if not clean:
        clean = f"file-{at}{_EXTENSIONS.get(media_type, '.bin')}"
    if len(clean.encode("utf-8", "replace")) > limits.FILE_NAME_BYTES:
        suffix = PurePosixPath(clean).suffix[:20]
        room = limits.FILE_NAME_BYTES - len(suffix.encode("utf-8", "replace"))
        clean = clean.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") + suffix
    return clean


def unflow(text: str, *, delsp: bool) -> str:
    """Joins soft-broken lines. Source: RFC 3676, sections 4.2 to 4.4."""
    out: list[str] = []
    depth_before = -1
    soft = False
    for line in text.split("\n"):
        stripped = line.lstrip(">")
        depth = len(line) - len(stripped)
        stripped = stripped.removeprefix(" ")
        if soft and depth == depth_before and stripped != "-- ":
            out[-1] += stripped
        else:
            out.append(">" * depth + (" " if depth else "") + stripped)
        soft = stripped.endswith(" ") and stripped != "-- "
        if soft and delsp:
            out[-1] = out[-1][:-1]
        depth_before = depth
    return "\n".join(out)


def take_uuencoded(text: str) -> tuple[str, list[MailFile]]:
    """Text without its uuencoded blocks, and the files that were in them. A block that does not decode stays text."""
    if "\nbegin" not in text and not text.startswith("begin"):
        return text, []
    files: list[MailFile] = []
    out: list[str] = []
    at = 0
    while match := _BEGIN.search(text, at):
        end = text.find("\nend", match.end())
        if end < 0 or len(files) >= 50:
            break
        body = text[match.end() + 1 : end + 1]
        content = _uudecode(body) if "base64" not in match.group(0)[:13] else None
        if content is None:
            out.append(text[at : end + 4])
        else:
            out.append(text[at : match.start()])
            name = file_name(match.group(1), "application/octet-stream", len(files) + 1)
            files.append(MailFile(name=name, media_type="application/octet-stream", content=content))
        at = end + 4
    out.append(text[at:])
    return "".join(out), files


def _uudecode(body: str) -> bytes | None:
    content = bytearray()
    for line in body.split("\n"):
        if not line.strip() or line[0] == "`":
            continue
        data = line.rstrip("\r").encode("utf-8", "replace")
        wanted = (((data[0] - 32) & 63) * 4 + 5) // 3
        try:
            content += binascii.a2b_uu(data)
        except binascii.Error:
            try:
                content += binascii.a2b_uu(data[: wanted or 1])  # trailing characters some encoders add
            except binascii.Error:
                return None
    return bytes(content)


def take_tnef(data: bytes) -> tuple[str, bytes, list[MailFile]] | None:
    """Text, HTML and files of a winmail.dat; None when it cannot be read (it then stays an attachment)."""
    from tnefparse import tnef as library

    reader: Any = library.TNEF
    try:
        tnef = reader(data, do_checksum=False)
        text = tnef.body or ""
        html = tnef.htmlbody or b""
        files = [
            MailFile(
                name=file_name(str(one.long_filename() or one.name or ""), "application/octet-stream", at),
                media_type="application/octet-stream",
                content=bytes(one.data or b""),
            )
            for at, one in enumerate(tnef.attachments[: limits.ATTACHMENTS], 1)
        ]
    except Exception:  # noqa: BLE001 (the library raises whatever its structs raise; the file is kept as it came)
        return None
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return str(text), html if isinstance(html, bytes) else str(html).encode(), files
