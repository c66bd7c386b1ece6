"""An answer as bytes fit for the wire. Whatever the fields hold, no header, recipient or part is added by them.

Source: RFC 5322 (headers), 2045 to 2047 and 2231 (encoding), 3834 (automatic answers), 5321 section 4.5.3 (line length).
"""

from __future__ import annotations

import base64
import html as markup
import quopri
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from services.intake.mail import addresses
from services.intake.mail.parsed import Address, MailFile
from services.intake.mail.transfer import file_name
from services.kit.errors import Invalid

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*\Z")
_ID = re.compile(r"[!-;=?-~]{3,900}\Z")  # printable ASCII without angle brackets
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,100}\Z")
_LINE = 76
_KEPT = 20  # ids of a long References header, besides the first


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to send. Ids have no angle brackets. `automatic`: a machine's answer, marked as such."""

    sender: Address
    to: tuple[Address, ...]
    subject: str
    text: str
    message_id: str
    date: datetime
    reply_to: str = ""
    cc: tuple[Address, ...] = ()
    html: str = ""  # derived from the text when empty
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    files: tuple[MailFile, ...] = ()
    automatic: bool = False
    loop_mark: str = ""  # X-Loop: names this installation
    language: str = ""


def compose(letter: Letter) -> bytes:
    """The mail with CRLF line ends. Raises `Invalid` for an address that cannot stand on the wire, naming its field."""
    lines = [
        _header("From", mailbox(letter.sender, field="from")),
        _header("To", ", ".join(mailbox(one, field="to") for one in letter.to)),
    ]
    if letter.cc:
        lines.append(_header("Cc", ", ".join(mailbox(one, field="cc") for one in letter.cc)))
    if letter.reply_to:
        lines.append(_header("Reply-To", wire_address(letter.reply_to, field="reply_to")))
    lines += [
        unstructured("Subject", letter.subject),
        f"Date: {format_datetime(letter.date)}",
        f"Message-ID: <{_id(letter.message_id)}>",
    ]
    if parent := _ids((letter.in_reply_to,)):
        lines.append(f"In-Reply-To: {parent[0]}")
    if line := thread(letter.references, letter.in_reply_to):
        lines.append(_header("References", line))
    if re.fullmatch(r"[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{2,8})?", letter.language):
        lines.append(f"Content-Language: {letter.language}")
    if letter.automatic:
        lines += ["Auto-Submitted: auto-replied", "X-Auto-Response-Suppress: All", "Precedence: bulk"]
    if letter.loop_mark:
        lines.append(unstructured("X-Loop", letter.loop_mark))
    lines.append("MIME-Version: 1.0")
    return "\r\n".join(lines).encode("ascii") + b"\r\n" + _body(letter)


def envelope_recipients(letter: Letter) -> list[str]:
    """The addresses for RCPT: of To and Cc, each once, as they stand on the wire."""
    found = {wire_address(one.address, field="to").lower(): one.address for one in (*letter.to, *letter.cc)}
    return [wire_address(one, field="to") for one in found.values()]


def wire_address(address: str, *, field: str) -> str:
    """An `addr-spec` with its domain in ASCII (IDNA). Raises `Invalid` for anything else, line ends and lists included."""
    plain = address.strip()
    if not addresses.is_address(plain):
        raise Invalid(f"The address in {field} is not one e-mail address; correct it.", field=field)
    local, _, domain = plain.rpartition("@")
    try:
        wire = domain.encode("idna").decode("ascii") if not domain.isascii() else domain
    except UnicodeError as error:
        raise Invalid(f"The domain of the address in {field} cannot be used; correct it.", field=field) from error
    if not local.isascii():
        raise Invalid(
            f"The address in {field} has letters before the @ that mail servers refuse; correct it.", field=field
        )
    return f"{local}@{wire}"


def mailbox(one: Address, *, field: str) -> str:
    """`Name <address>` with the name quoted or encoded."""
    address = wire_address(one.address, field=field)
    name = " ".join(_CONTROL.sub(" ", one.name).split())[:200]
    if not name:
        return address
    if not name.isascii():
        return f"{encoded_words(name)} <{address}>"
    if _ATOM.match(name) and "=?" not in name:
        return f"{name} <{address}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>' if "=?" not in name else f"{encoded_words(name)} <{address}>"


def unstructured(name: str, value: str) -> str:
    """A free-text header, encoded where it must be and folded."""
    plain = " ".join(_CONTROL.sub(" ", value).split())[:2_000]
    needs = not plain.isascii() or "=?" in plain or any(len(word) > 900 for word in plain.split(" "))
    return _header(name, encoded_words(plain) if needs else plain)


def encoded_words(text: str) -> str:
    """RFC 2047 words of at most 75 characters, no character split over two."""
    words: list[str] = []
    piece = b""
    for character in text:
        data = character.encode("utf-8", "replace")
        if len(piece) + len(data) > 45:
            words.append(base64.b64encode(piece).decode("ascii"))
            piece = b""
        piece += data
    words.append(base64.b64encode(piece).decode("ascii"))
    return " ".join(f"=?utf-8?B?{word}?=" for word in words)


def thread(references: Sequence[str], parent: str) -> str:
    """The References header: oldest first, the first and the last twenty ids, the answered one at the end."""
    known = [one for one in _ids((*references,)) if one != f"<{parent}>"]
    known += _ids((parent,))
    kept = known if len(known) <= _KEPT + 1 else [known[0], *known[-_KEPT:]]
    return " ".join(kept)


def _ids(values: tuple[str, ...]) -> list[str]:
    plain = (one.strip().strip("<>") for one in values)
    return list(dict.fromkeys(f"<{one}>" for one in plain if len(one) <= 900 and _ID.match(one)))


def _id(value: str) -> str:
    if not _ID.match(value) or "@" not in value:
        raise Invalid("The Message-ID is not usable.", field="message_id")
    return value


def _header(name: str, value: str) -> str:
    """One header folded at its spaces into lines of at most 76 characters where a space allows it."""
    lines: list[str] = []
    line = f"{name}:"
    for word in value.split(" "):
        if len(line) + 1 + len(word) > _LINE and line != f"{name}:" and line.strip():
            lines.append(line)
            line = f" {word}"
        else:
            line += f" {word}"
    return "\r\n".join([*lines, line])


def _body(letter: Letter) -> bytes:
    text = letter.text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    rich = (letter.html or html_of(text)).replace("\x00", "")
    alternative = _multipart("alternative", [_text("plain", text), _text("html", rich)])
    if not letter.files:
        return alternative
    return _multipart("mixed", [alternative, *(_file(one, at) for at, one in enumerate(letter.files, 1))])


def html_of(text: str) -> str:
    """Plain text as a page: escaped, lines and paragraphs kept."""
    return f"<!DOCTYPE html><html><body>{paragraphs(text)}</body></html>"


def paragraphs(text: str) -> str:
    """Plain text as a piece of HTML."""
    return "".join(
        f"<p>{markup.escape(part).replace(chr(10), '<br>')}</p>" for part in text.split("\n\n") if part.strip()
    )


def _multipart(kind: str, parts: list[bytes]) -> bytes:
    boundary = f"=_{secrets.token_hex(16)}"  # 128 random bits: no content can hold it
    fence = f"--{boundary}".encode()
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(fence + b"\r\n" + part + b"\r\n" for part in parts) + fence + b"--\r\n"


def _text(kind: str, text: str) -> bytes:
    data = quopri.encodestring(text.encode("utf-8", "replace")).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return (
        f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
        + data
    )


def _file(one: MailFile, at: int) -> bytes:
    kind = one.media_type.lower()
    if not _TYPE.match(kind) or kind.startswith(("multipart/", "message/")):
        kind = "application/octet-stream"
    name = file_name(one.name, kind, at)
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)[:60] or "file"
    pieces = _continued(name)
    data = base64.encodebytes(bytes(one.content)).replace(b"\n", b"\r\n")
    head = f'Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n filename="{plain}"{pieces}\r\n'
    return head.encode("ascii") + b"\r\n" + data


def _continued(name: str) -> str:
    """`filename*`, in pieces where it is long. Source: RFC 2231, sections 3 and 4.1."""
    if name.isascii() and re.fullmatch(r"[A-Za-z0-9._ -]{1,60}", name):
        return ""
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    if len(encoded) <= 60:
        return f";\r\n filename*=UTF-8''{encoded}"
    pieces: list[str] = []
    rest = encoded
    while rest:
        cut = 54
        if "%" in rest[cut - 2 : cut]:
            cut = rest.rindex("%", 0, cut)  # a triplet stays whole
        pieces.append(rest[:cut])
        rest = rest[cut:]
    first, *more = pieces
    lines = [
        f";\r\n filename*0*=UTF-8''{first}",
        *(f";\r\n filename*{at}*={piece}" for at, piece in enumerate(more, 1)),
    ]
    return "".join(lines)
