"""The header block of a mail read from its raw bytes: names, unfolded values, encoded words, ids, parameters.

Addresses are in `addresses.py`. Everything is linear in the size of the block, which is bounded.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote_to_bytes

from services.intake.mail import charsets, limits
from services.intake.mail.parsed import Unparsable

_NAME = re.compile(rb"([!-9;-~]{1,120})[ \t]*:")
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_ID = re.compile(r"<([^<>\s]{1,900})>")
_BARE_ID = re.compile(r"[^<>\s,;]{1,900}@[^<>\s,;]{1,250}")
_Q_BYTE = re.compile(rb"=([0-9A-Fa-f]{2})")
_PARAMETER = re.compile(r';\s*([!#$&+\-.^_`|~0-9A-Za-z]{1,60})(\*\d{0,3}\*?|)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;\s]*)')
_DATE = re.compile(
    r"(\d{1,2})[ -]+(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]+(\d{2,4})[ ,]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?\s*([+-]\d{4}|[A-Z]{1,5})?",
    re.IGNORECASE,
)
_MONTHS = {
    name: at
    for at, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "CET": 1, "CEST": 2, "MET": 1, "BST": 1, "JST": 9}  # fmt: skip


class Headers:
    """Header fields in order; names in lower case, values as raw bytes, unfolded."""

    def __init__(self, fields: list[tuple[str, bytes]]) -> None:
        self.fields = fields
        self._first: dict[str, bytes] = {}
        for name, value in fields:
            self._first.setdefault(name, value)

    def raw(self, name: str) -> bytes:
        """The first value as bytes; empty when absent."""
        return self._first.get(name, b"")

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self._first

    def get(self, name: str) -> str:
        """The first value, encoded words not decoded."""
        value = self._first.get(name)
        return "" if value is None else octets(value)

    def text(self, name: str) -> str:
        """The first value with encoded words decoded."""
        value = self._first.get(name)
        return "" if value is None else words(octets(value))

    def all(self, name: str) -> Iterator[str]:
        """Every value of a repeated field, in order."""
        if name not in self._first:
            return iter(())
        return (octets(value) for of, value in self.fields if of == name)

    def count(self, name: str) -> int:
        """How often the field is there."""
        return sum(of == name for of, _ in self.fields) if name in self._first else 0


def block(raw: bytes) -> bytes:
    """The header block, at most one byte more than its limit."""
    head = raw[: limits.HEADER_BYTES + 2]
    ends = [at for at in (head.find(b"\n\r\n"), head.find(b"\n\n"), head.find(b"\r\r") if b"\n" not in head else -1) if at >= 0]  # fmt: skip
    return head[: min(ends) + 1] if ends else head


def read(raw: bytes, *, bounded: bool = True) -> Headers:
    """The header fields of a mail. Lines that are no field are skipped.

    Raises `Unparsable` over the limits, unless `bounded` is false: then reading stops there.
    """
    head = block(raw)
    if bounded and len(head) > limits.HEADER_BYTES:
        raise Unparsable(f"the headers are larger than {limits.HEADER_BYTES // 1024} KiB")
    lines = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if bounded and len(lines) > limits.HEADER_LINES + 1:
        raise Unparsable(f"there are more than {limits.HEADER_LINES} header lines")
    fields: list[tuple[str, bytes]] = []
    parts: list[bytes] = []
    name = ""
    for line in lines[: limits.HEADER_LINES + 1]:
        if bounded and len(line) > limits.HEADER_LINE_BYTES:
            raise Unparsable(f"a header line is longer than {limits.HEADER_LINE_BYTES // 1024} KiB")
        if line[:1] in (b" ", b"\t"):
            if name:
                parts.append(line.strip(b" \t"))
            continue
        if name:
            fields.append((name, b" ".join(parts)))
            name = ""
        if match := _NAME.match(line):
            name = match.group(1).decode("ascii").lower()
            parts = [line[match.end() :].strip(b" \t")]
    if name:
        fields.append((name, b" ".join(parts)))
    return Headers(fields)


def octets(value: bytes) -> str:
    """A header value as text: UTF-8 (RFC 6532), else whatever its bytes look like. No NUL."""
    if value.isascii():
        text = value.decode("ascii")
        return text.replace("\x00", "") if "\x00" in text else text
    return charsets.decode(value)[0]


def words(value: str) -> str:
    """Decodes encoded words. Neighbours join without the space; a character split over two words is put together.

    Source: RFC 2047, sections 2 and 6.2; illegal ones inside quotes are decoded too.
    """
    if "=?" not in value:
        return value
    out: list[str] = []
    pending = b""
    charset = ""
    at = 0
    for match in _WORD.finditer(value):
        between = value[at : match.start()]
        label = match.group(1).partition("*")[0].lower()
        data = _word_bytes(match.group(2), match.group(3))
        if between.strip() or not at:
            out.append(_flush(pending, charset) + between)
            pending = b""
        elif label != charset:
            out.append(_flush(pending, charset))
            pending = b""
        pending += data
        charset = label
        at = match.end()
    out.append(_flush(pending, charset) + value[at:])
    return "".join(out)


def _flush(data: bytes, charset: str) -> str:
    return charsets.decode(data, charset)[0] if data else ""


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "bB":
        return lenient_base64(data)
    return _Q_BYTE.sub(lambda match: bytes.fromhex(match.group(1).decode()), data.replace(b"_", b" "))


def lenient_base64(data: bytes) -> bytes:
    """Decodes base64 with junk between and padding missing; what follows the first padding is another piece."""
    clean = re.sub(rb"[^A-Za-z0-9+/=]", b"", data)
    out = b""
    for piece in filter(None, re.split(rb"=+", clean)) if clean.count(b"=") <= 1000 else [clean.replace(b"=", b"")]:
        usable = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
        try:
            out += binascii.a2b_base64(usable + b"=" * (-len(usable) % 4))
        except binascii.Error:
            out += base64.b64decode(usable + b"==", validate=False)
    return out


def ids(value: str) -> tuple[str, ...]:
    """Message ids of a header, in order and without brackets; tolerates commas, missing brackets and broken folding."""
    found = _ID.findall(value)
    if not found:
        found = _BARE_ID.findall(value)
    return tuple(dict.fromkeys(one for one in found if one.strip("@.")))


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """The leading token of a header in lower case, and its parameters decoded.

    Continuations with holes are joined up to the hole. Source: RFC 2231, sections 3 to 4.1.
    """
    token, _, _rest = value.partition(";")
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in _PARAMETER.finditer(value[:16_384]):
        name, star, text = match.group(1).lower(), match.group(2), match.group(3)
        if text.startswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:])
        if not star:
            plain.setdefault(name, words(text))
        elif star == "*":
            pieces.setdefault(name, {})[0] = (text, True)
        else:
            number = star.strip("*")
            pieces.setdefault(name, {}).setdefault(int(number or 0), (text, star.endswith("*") and len(star) > 1))
    for name, numbered in pieces.items():
        plain[name] = _joined(numbered) or plain.get(name, "")
    return token.strip().lower(), plain


def _joined(numbered: dict[int, tuple[str, bool]]) -> str:
    charset = ""
    data = b""
    for at in range(len(numbered)):
        if at not in numbered:
            break
        text, encoded = numbered[at]
        if encoded and at == 0 and text.count("'") >= 2:
            charset, _language, text = text.split("'", 2)
        data += unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace")
    return charsets.decode(data, charset)[0]


def date(value: str) -> datetime | None:
    """The moment a Date header names, or None when it names none. Source: RFC 5322, section 3.3, and 4.3."""
    match = _DATE.search(value[:200])
    if not match:
        return None
    year = int(match.group(3))
    if year < 100:
        year += 2000 if year < 50 else 1900
    zone = (match.group(7) or "UTC").upper()
    minutes = 0
    if zone[0] in "+-":
        minutes = (int(zone[1:3]) * 60 + int(zone[3:5])) * (-1 if zone[0] == "-" else 1)
    else:
        minutes = _ZONES.get(zone, 0) * 60
    try:
        moment = datetime(
            year, _MONTHS[match.group(2).lower()], int(match.group(1)), int(match.group(4)), int(match.group(5)),
            min(int(match.group(6) or 0), 59), tzinfo=timezone(timedelta(minutes=minutes)),
        )  # fmt: skip
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
