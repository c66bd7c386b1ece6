"""The tree of a mail walked once: which part is its text, which its HTML, which are files.

Bytes come from the Rust parser, transfer-decoded leaf by leaf; a leaf it cannot decode is decoded leniently here.
Source: RFC 2045 to 2049, 2387 (related), 3462 (report), 1847 (signed).
"""

from __future__ import annotations

import quopri
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message

from fast_mail_parser import DecodeError, ParseError, PyLazyMimePart, parse_email_tree

from services.intake.mail import charsets, limits, transfer
from services.intake.mail.headers import Headers, lenient_base64, octets, parameters, words
from services.intake.mail.lift import Lifted
from services.intake.mail.parsed import MailFile, Unparsable
from services.kit.spool import Spooled

_HIDDEN = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_REPORTS = frozenset({"message/delivery-status", "message/feedback-report", "message/global-delivery-status"})
_TEXT_BYTES = 4 * limits.TEXT_CHARS + 4  # more of a spooled text is not read: it would be cut in any charset
_REACTION = "text/vnd.google.email-reaction+json"


@dataclass(slots=True)
class Body:
    """What the walk found. `texts` and `htmls` are in reading order."""

    texts: list[str] = field(default_factory=list)
    htmls: list[str] = field(default_factory=list)
    files: list[MailFile] = field(default_factory=list)
    flags: dict[str, None] = field(default_factory=dict)
    report: str = ""
    original: bytes = b""
    calendar_reply: bool = False
    reaction: bytes = b""
    parts: int = 0


def read(raw: bytes, headers: Headers, lifted: Lifted | None = None) -> Body:
    """The body of a mail, whose large files may be in `lifted`.

    Raises `Unparsable` over the limits of depth and parts, or when no parser reads it.
    """
    body = Body()
    if len(raw) > limits.RAW_BYTES:
        raise Unparsable(f"the mail is larger than {limits.RAW_BYTES // 1024 // 1024} MiB")
    try:
        root = parse_email_tree(raw, mode="lazy")
    except ParseError as error:
        if "depth" in str(error) or "nest" in str(error) or "recursion" in str(error):
            raise Unparsable(f"parts are nested more than {limits.DEPTH} deep") from error
        body.flags["read leniently"] = None
        _Walk(raw, body, lifted).lenient(headers)
        return body
    _Walk(raw, body, lifted).node(root, headers, depth=0, alternative=False)
    return body


class _Walk:
    def __init__(self, raw: bytes, body: Body, lifted: Lifted | None) -> None:
        self._raw = raw
        self._body = body
        self._lifted = lifted
        self._leaf = -1
        self._stdlib: list[Message] | None = None

    def node(self, part: PyLazyMimePart, headers: Headers, *, depth: int, alternative: bool) -> None:
        """One node and what is below it. `headers` are given for the root alone, whose raw bytes are known."""
        body = self._body
        body.parts += 1
        if body.parts > limits.PARTS:
            raise Unparsable(f"there are more than {limits.PARTS} parts")
        if depth > limits.DEPTH:
            raise Unparsable(f"parts are nested more than {limits.DEPTH} deep")
        kind = part.content_type.lower()
        if part.is_message:
            self._leaf += 1
            self._depth_below(part, depth)
            self._message(part, kind)
            return
        children = part.children
        if children or kind.startswith("multipart/"):
            for at, child in enumerate(children):
                if kind == "multipart/signed" and at and child.content_type.lower() in _HIDDEN:
                    self._leaf += 1
                    continue
                self.node(child, headers, depth=depth + 1, alternative=alternative or kind == "multipart/alternative")
            return
        self._leaf += 1
        self._take(part, kind)

    def _depth_below(self, part: PyLazyMimePart, depth: int) -> None:
        """Counts a chain of messages in messages without reading their bodies."""
        pending = [(part, depth)]
        while pending:
            node, at = pending.pop()
            if at > limits.DEPTH:
                raise Unparsable(f"parts are nested more than {limits.DEPTH} deep")
            for child in node.children:
                self._body.parts += 1
                if self._body.parts > limits.PARTS:
                    raise Unparsable(f"there are more than {limits.PARTS} parts")
                pending.append((child, at + 1))

    def _message(self, part: PyLazyMimePart, kind: str) -> None:
        content = self._bytes(part)
        inner = part.children[0].headers if part.children else {}
        subject = next((values[0] for name, values in inner.items() if name.lower() == "subject" and values), "")
        if not self._body.original:
            self._body.original = content[: limits.HEADER_BYTES]
        self._file(
            MailFile(
                name=f"{subject[:100]}.eml" if subject else "", media_type=kind or "message/rfc822", content=content
            )
        )

    def _take(self, part: PyLazyMimePart, kind: str) -> None:
        named = {name.lower(): values for name, values in part.headers.items()}
        declared = named.get("content-type", [""])[0]
        _token, options = parameters(declared) if declared else ("", {})
        disposition = (part.disposition or "").strip().lower()
        content = self._bytes(part)
        name = _name(part, options, named)
        is_text = kind in {"text/plain", "text/html"} or (not declared and kind in {"", "text/plain"})
        if is_text and disposition != "attachment" and not (name and kind == "text/plain" and disposition):
            self._text(content, kind, options)
        elif kind in _REPORTS:
            self._body.report = charsets.decode(content[:])[0].replace("\r\n", "\n")
        elif kind == "text/rfc822-headers" and not self._body.original:
            self._body.original = content[: limits.HEADER_BYTES]
        elif kind in _TNEF or name.lower() == "winmail.dat":
            self._tnef(content[:], name, kind)
        elif kind == _REACTION:
            self._body.reaction = content[:2_000]
        elif kind == "text/x-amp-html":
            pass
        elif kind in {"text/enriched", "text/richtext"} and not name:
            self._text(content, "text/plain", options)
        else:
            if kind == "text/calendar" and options.get("method", "").upper() == "REPLY":
                self._body.calendar_reply = True
            content_id = (part.content_id or "").strip("<> ")
            inline = bool(content_id) or (disposition == "inline" and kind.startswith("image/"))
            self._file(MailFile(name=name, media_type=kind, content=content, content_id=content_id, inline=inline))

    def _text(self, whole: bytes | Spooled, kind: str, options: dict[str, str]) -> None:
        content = whole[:_TEXT_BYTES] if isinstance(whole, Spooled) else whole
        label = options.get("charset", "")
        if not label and kind == "text/html":
            label = _meta_charset(content)
        text, told = charsets.decode(content, label)
        if not told:
            self._body.flags["charset was wrong or missing"] = None
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if kind == "text/html":
            if len(whole) > limits.HTML_BYTES:
                self._body.flags["the formatted text is too large to show"] = None
                self._file(MailFile(name="message.html", media_type="text/html", content=whole))
            else:
                self._body.htmls.append(text)
            return
        if options.get("format", "").lower() == "flowed":
            text = transfer.unflow(text, delsp=options.get("delsp", "").lower() == "yes")
        text, files = transfer.take_uuencoded(text)
        for one in files:
            self._file(one)
        if len(text) > limits.TEXT_CHARS:
            self._body.flags["the text was cut"] = None
            text = text[: limits.TEXT_CHARS]
        self._body.texts.append(text)

    def _tnef(self, content: bytes, name: str, kind: str) -> None:
        found = transfer.take_tnef(content)
        if found is None:
            self._body.flags["winmail.dat could not be read"] = None
            self._file(MailFile(name=name or "winmail.dat", media_type=kind, content=content))
            return
        text, html, files = found
        if html:
            self._body.htmls.append(charsets.decode(html, _meta_charset(html))[0])
        elif text.strip() and not any(one.strip() for one in self._body.texts):
            self._body.texts.append(text.replace("\x00", "").replace("\r\n", "\n"))
        for one in files:
            self._file(one)

    def _file(self, one: MailFile) -> None:
        files = self._body.files
        if len(files) >= limits.ATTACHMENTS:
            self._body.flags["further attachments are in the raw file only"] = None
            return
        name = transfer.file_name(one.name, one.media_type, len(files) + 1)
        media_type = (
            one.media_type if one.media_type.isascii() and "/" in one.media_type else "application/octet-stream"
        )
        files.append(MailFile(name=name, media_type=media_type[:120], content=one.content, content_id=one.content_id[:250], inline=one.inline))  # fmt: skip

    def _bytes(self, part: PyLazyMimePart) -> bytes | Spooled:
        try:
            content = part.content or b""
        except DecodeError:
            self._body.flags["a part was damaged"] = None
            content = self._leniently()
        return self._lifted.restored(content) if self._lifted else content

    def _leniently(self) -> bytes:
        """The present leaf's bytes by way of the standard library's tree, which keeps them encoded."""
        if self._stdlib is None:
            self._stdlib = [
                one for one in _stdlib_tree(self._raw).walk() if not one.get_content_type().startswith("multipart/")
            ]
        if self._leaf >= len(self._stdlib):
            return b""
        return _lenient_bytes(self._stdlib[self._leaf])

    def lenient(self, headers: Headers) -> None:
        """The whole mail by the standard library, when the Rust parser refuses it."""
        for one in _stdlib_tree(self._raw).walk():
            self._body.parts += 1
            if self._body.parts > limits.PARTS:
                raise Unparsable(f"there are more than {limits.PARTS} parts")
            kind = one.get_content_type()
            if one.is_multipart():
                continue
            _token, options = parameters(str(one.get("Content-Type", "")))
            content: bytes | Spooled = _lenient_bytes(one)
            if self._lifted:
                content = self._lifted.restored(_lenient_bytes(one))
            if (
                kind in {"text/plain", "text/html"}
                and "attachment" not in str(one.get("Content-Disposition", "")).lower()
            ):
                self._text(content, kind, options)
            else:
                name = parameters(str(one.get("Content-Disposition", "")))[1].get("filename", "") or options.get(
                    "name", ""
                )
                self._file(MailFile(name=name, media_type=kind, content=content))
        if not (self._body.texts or self._body.htmls or self._body.files or headers.fields):
            raise Unparsable("it is not a mail")


def _stdlib_tree(raw: bytes) -> Message:
    try:
        return message_from_bytes(raw, policy=policy.compat32)
    except (ValueError, LookupError, RecursionError) as error:
        raise Unparsable("no parser understands it") from error


def _lenient_bytes(part: Message) -> bytes:
    payload = part.get_payload()
    if not isinstance(payload, str):
        return b""
    data = (
        payload.encode("ascii", "surrogateescape") if payload.isascii() else payload.encode("utf-8", "surrogateescape")
    )
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding == "base64":
        return lenient_base64(data)
    return quopri.decodestring(data) if encoding == "quoted-printable" else data


def _name(part: PyLazyMimePart, options: dict[str, str], named: dict[str, list[str]]) -> str:
    """The file name, from the disposition first. The library decodes it, but by the declared charset alone."""
    value = named.get("content-disposition", [""])[0]
    found = parameters(value)[1].get("filename", "") if value else ""
    return found or options.get("name", "") or words(octets(part.filename.encode("utf-8", "surrogateescape")))


def _meta_charset(content: bytes) -> str:
    """The charset an HTML page names in its first kilobytes. UTF-7 is refused there: it would smuggle markup."""
    head = content[:2_048].lower()
    at = head.find(b"charset=")
    if at < 0:
        return ""
    label = (
        head[at + 8 : at + 48]
        .lstrip(b" \"'")
        .split(b'"')[0]
        .split(b"'")[0]
        .split(b">")[0]
        .split(b";")[0]
        .split(b"/")[0]
    )
    text = label.strip().decode("ascii", "ignore")
    return "" if "utf-7" in text or "unicode-1-1" in text or "utf-16" in text else text
