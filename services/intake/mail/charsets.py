"""Bytes to text, whatever the label says. Nothing here raises on bad bytes.

Order: the declared charset (through the aliases of the wild), UTF-8, a detector, windows-1252 with replacements.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

# Labels seen in mail → the codec that reads what was really written.
_ALIASES = {
    "unicode-1-1-utf-7": "utf-7",
    "x-unknown": "",
    "unknown-8bit": "",
    "unknown": "",
    "default": "",
    "none": "",
    "binary": "",
    "8bit": "",
    "ansi": "cp1252",
    "x-ansi": "cp1252",
    "cp-850": "cp850",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso-8859_1": "cp1252",
    "iso_8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "l1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "hz-gb-2312": "hz",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "iso-2022-jp": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "big5": "big5hkscs",
    "x-windows-1252": "cp1252",
    "win-1252": "cp1252",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-mac-ce": "mac_latin2",
    "x-mac-cyrillic": "mac_cyrillic",
    "tis-620": "cp874",
    "iso-8859-11": "cp874",
    "iso-8859-9": "cp1254",
    "us-ascii": "ascii",
    "ansi_x3.4-1968": "ascii",
    "646": "ascii",
}
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.:+()-]{1,40}\Z")
_NOT_TEXT = frozenset({"base64", "bz2", "hex", "idna", "mbcs", "oem", "palmos", "punycode", "quopri", "rawunicodeescape", "rot13", "undefined", "unicodeescape", "uu", "zlib"})  # fmt: skip
_DETECT_BYTES = 16_384  # enough for a verdict; a whole book would cost seconds


@lru_cache(maxsize=256)
def _codec(label: str) -> str:
    """The codec for a charset label, or an empty string when none reads it."""
    name = label.strip(" \t\"'").lower().partition("*")[0]  # RFC 2231 allows a language after an asterisk
    name = _ALIASES.get(name, name)
    if not name or not _SAFE_NAME.match(name):
        return ""
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        squeezed = re.sub(r"[^a-z0-9]", "", name)
        try:
            found = codecs.lookup(re.sub(r"^(?:windows|cp|win|ibm|x)?(\d{3,4})$", r"cp\1", squeezed)).name
        except (LookupError, ValueError):
            return ""
    return "" if found.replace("-", "").replace("_", "") in _NOT_TEXT else found


def decode(data: bytes, label: str = "") -> tuple[str, bool]:
    """Text of `data`, and whether its label was right (absent counts as right when the bytes are UTF-8).

    NUL bytes are removed; U+FFFD stays where a byte could not be read. UTF-7 is used only when declared.
    """
    text, told = _decode(data, label)
    if "\x00" in text:
        text = text.replace("\x00", "")
    return text, told


def _decode(data: bytes, label: str) -> tuple[str, bool]:
    if (
        data.isascii()
        and b"\x1b" not in data
        and not label.lower().startswith(("utf-7", "unicode-1", "utf-16", "utf-32", "hz"))
    ):
        return data.decode("ascii"), True
    if data.startswith(codecs.BOM_UTF8):
        return data[3:].decode("utf-8", "replace"), True
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(data) % 2 == 0:
        return data.decode("utf-16", "replace"), True
    codec = _codec(label) if label else ""
    if codec.startswith(("utf-16", "utf-32")):
        return _wide(data, codec)
    if codec and codec not in {"ascii", "cp1252"}:
        try:
            return data.decode(codec), True
        except (UnicodeError, ValueError):
            pass
    try:
        return data.decode("utf-8"), codec in {"", "utf-8"}
    except UnicodeDecodeError:
        pass
    if codec == "cp1252":
        return data.decode("cp1252", "replace"), True
    if codec and codec != "ascii" and (repaired := _mostly(data, codec)) is not None:
        return repaired, False
    return _detected(data), False


def _wide(data: bytes, codec: str) -> tuple[str, bool]:
    """UTF-16 without a mark: the zero bytes of Latin letters tell the order."""
    if codec == "utf-16":
        codec = "utf-16-be" if data[:200:2].count(0) > data[1:200:2].count(0) else "utf-16-le"
    if b"\x00" not in data and codec.startswith("utf-16"):
        try:
            return data.decode("utf-8"), False  # labelled wide, written narrow
        except UnicodeDecodeError:
            pass
    return data.decode(codec, "replace"), True


def _mostly(data: bytes, codec: str) -> str | None:
    """The declared charset with a few unreadable bytes is still the right one; with many it is not."""
    text = data.decode(codec, "replace")
    bad = text.count("\ufffd")
    return text if bad * 20 <= len(text) else None


def _detected(data: bytes) -> str:
    """What a detector makes of the high bytes; windows-1252 when it has no opinion."""
    from charset_normalizer import from_bytes

    sample = data if len(data) <= _DETECT_BYTES else data[:_DETECT_BYTES]
    if len(sample) - len(sample.translate(None, bytes(range(128, 256)))) >= 8:  # fewer high bytes are no evidence
        best = from_bytes(sample, steps=4, chunk_size=512, threshold=0.3).best()
        if best is not None and best.encoding not in {"utf_7", "utf_16", "utf_32"}:
            return data.decode(best.encoding, "replace")
    return data.decode("cp1252", "replace")
