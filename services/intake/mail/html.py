"""Mail HTML made harmless, and read as text. Nothing that leaves here loads anything before a person asks for it.

`sanitise` is the only way mail HTML reaches people. `as_text` gives the text of mails without a text part, with what
the clients mark as quoted written as quoted lines, so that `quotes` sees one form only.
"""

from __future__ import annotations

import html
import re
import secrets
from functools import lru_cache
from urllib.parse import unquote

import nh3

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "address",
        "b",
        "bdi",
        "bdo",
        "big",
        "blockquote",
        "br",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "font",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "tt",
        "u",
        "ul",
        "var",
        "wbr",
    ]
)
_GONE = frozenset(
    [
        "script",
        "style",
        "title",
        "head",
        "noscript",
        "template",
        "iframe",
        "object",
        "embed",
        "svg",
        "math",
        "textarea",
        "select",
        "option",
    ]
)
_STYLES = frozenset(
    [
        "background-color",
        "border",
        "border-bottom",
        "border-collapse",
        "border-color",
        "border-left",
        "border-right",
        "border-spacing",
        "border-style",
        "border-top",
        "border-width",
        "color",
        "direction",
        "font",
        "font-family",
        "font-size",
        "font-style",
        "font-weight",
        "height",
        "letter-spacing",
        "line-height",
        "list-style-type",
        "margin",
        "margin-bottom",
        "margin-left",
        "margin-right",
        "margin-top",
        "max-width",
        "min-width",
        "padding",
        "padding-bottom",
        "padding-left",
        "padding-right",
        "padding-top",
        "text-align",
        "text-decoration",
        "text-indent",
        "text-transform",
        "unicode-bidi",
        "vertical-align",
        "white-space",
        "width",
        "word-break",
        "word-wrap",
    ]
)
_CELL = {"align", "valign", "width", "height", "bgcolor", "colspan", "rowspan", "nowrap", "dir"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "dir", "lang", "title", "align"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height", "border"},
    "table": {"border", "cellpadding", "cellspacing", "width", "bgcolor", "align"},
    "td": _CELL,
    "th": _CELL,
    "tr": {"align", "valign", "bgcolor"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "font": {"color", "size", "face"},
    "ol": {"start", "type"},
    "blockquote": {"type"},
}
_LINKS = {"http", "https", "mailto", "tel"}
_PICTURE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp);base64,[A-Za-z0-9+/=\s]*\Z", re.IGNORECASE)
# A colour function is the only one a mail needs; everything else with a bracket could fetch or compute.
_COLOUR = re.compile(r"\s*[a-z-]{1,40}\s*:\s*rgba?\([\d\s.,%/]{1,60}\)\s*(?:!important\s*)?\Z", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0]+")

# What the clients put around or before an answered mail. Source: the clients' own HTML, as collected in the fixtures.
_QUOTES = {
    "class": ("yahoo_quoted", "protonmail_quote", "zmail_extra", "tutanota_quote"),
    "id": ("divrplyfwdmsg", "appendonsend", "mail-editor-reference-message-container", "olk_src_body_section", "reply-intro", "ms-outlook-mobile-body-separator-line"),
}  # fmt: skip
_SIGNATURES = (
    "gmail_signature",
    "protonmail_signature_block",
    "moz-signature",
    "ms-outlook-mobile-signature",
    "signature",
)
QUOTE_STARTS = "\ue000"  # a line that says: what follows is quoted; `quotes` takes it out
_BLOCKS = frozenset(
    [
        "address",
        "blockquote",
        "center",
        "div",
        "dl",
        "dt",
        "dd",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "table",
        "tbody",
        "tr",
        "ul",
    ]
)
_TEXT_TAGS = frozenset({*_BLOCKS, "a", "br", "td", "th", "img", "span"})
_TOKEN = re.compile(r"<(/?)([a-z0-9]+)([^<>]*)>|([^<]+)")
_HREF = re.compile(r'href="([^"]*)"')
_SPACES = re.compile(r"[ \t\r\n\f\u200b\ufeff]+")
_BLANKS = re.compile(r"\n{3,}")


@lru_cache(maxsize=1)
def _remote_mark() -> str:
    """A scheme nobody outside this process can guess, so that it stands only where our filter put it."""
    return f"x-remote-{secrets.token_hex(16)}:"


def plain(text: str) -> str:
    """Text of an attribute as it stands in sanitised HTML, with its character references resolved."""
    return html.unescape(text)


def _filtered(tag: str, name: str, value: str) -> str | None:
    if name == "src" and tag == "img":
        address = _CONTROL.sub("", value)
        lower = address[:12].lower()
        if lower.startswith("cid:"):
            return f"cid:{unquote(address[4:])}"
        if lower.startswith("data:image") and _PICTURE.match(address):
            return address
        if lower.startswith(("http:", "https:")):
            return _remote_mark() + address
        return f"{_remote_mark()}https:{address}" if lower.startswith("//") else None
    if name == "style":
        return _style(value)
    if name == "href":
        return value if _CONTROL.sub("", value[:40]).partition(":")[0].lower() in _LINKS else None
    return value


def _style(value: str) -> str | None:
    """Declarations that cannot fetch, escape or cover: no function but a colour, no backslash, no at-rule."""
    if not any(mark in value for mark in "(\\@"):
        return value
    kept = [part for part in value.split(";") if not any(mark in part for mark in "(\\@") or _COLOUR.match(part)]
    return ";".join(kept) or None


@lru_cache(maxsize=1)
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_TAGS),
        clean_content_tags=set(_GONE),
        attributes=_ATTRIBUTES,
        attribute_filter=_filtered,
        url_schemes={*_LINKS, "cid", "data", _remote_mark().rstrip(":")},
        url_relative="deny",
        filter_style_properties=set(_STYLES),
        link_rel=None,  # added afterwards: through the filter it would cost a call for every link
    )


def sanitise(markup: str) -> str:
    """HTML that runs nothing and loads nothing. A remote picture's address is moved to `data-remote-src`."""
    clean = _cleaner().clean(markup).replace("<a ", '<a rel="noopener noreferrer nofollow" ')
    mark = f'src="{_remote_mark()}'
    return clean.replace(mark, 'data-remote-src="') if mark in clean else clean


def _marked(_tag: str, name: str, value: str) -> str | None:
    lower = value[:200].lower()
    if name == "href":
        return value if lower.startswith(("http:", "https:", "mailto:")) else None
    if name == "type":
        return "quote" if lower == "cite" else None
    if any(lower.startswith(one) or f" {one}" in lower for one in _QUOTES.get(name, ())):
        return "mark"
    return "signature" if any(lower.startswith(one) or f" {one}" in lower for one in _SIGNATURES) else None


@lru_cache(maxsize=1)
def _reader() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_TEXT_TAGS),
        clean_content_tags=set(_GONE),
        attributes={"*": {"class", "id"}, "a": {"href"}, "blockquote": {"type"}, "img": {"alt"}},
        attribute_filter=lambda tag, name, value: value if name == "alt" else _marked(tag, name, value),
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def as_text(markup: str) -> str:
    """The text of a mail's HTML: blocks on lines of their own, list marks, quoted parts with `> `, links kept.

    The sanitiser's output is well formed, so one pass over its tags is enough.
    """
    writer = _Writer()
    for match in _TOKEN.finditer(_reader().clean(markup)):
        closing, tag, rest, text = match.groups()
        if text is not None:
            writer.text(html.unescape(text))
        elif closing:
            writer.close(tag)
        else:
            writer.open(tag, rest)
    return writer.done()


class _Writer:
    """Lines under way. A quoted block deepens the `>` of the lines in it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._depth = 0
        self._pre = 0
        self._href = ""
        self._linked: list[str] = []

    def text(self, text: str) -> None:
        if self._pre:
            first, *more = text.split("\n")
            self._line.append(first)
            for line in more:
                self._break(force=True)
                self._line.append(line)
            return
        text = _SPACES.sub(" ", text)
        if text == " " and not self._line:
            return
        self._line.append(text)
        if self._href:
            self._linked.append(text)

    def open(self, tag: str, rest: str) -> None:
        if tag == "br":
            self._break(force=True)
        elif tag in {"td", "th"} and self._line:
            self._line.append("  ")
        elif tag == "img" and 'alt="' in rest:
            self._line.append(html.unescape(rest.partition('alt="')[2].partition('"')[0]))
        elif tag == "a" and (found := _HREF.search(rest)):
            self._href, self._linked = html.unescape(found.group(1)), []
        elif tag in _BLOCKS:
            self._break()
            if tag == "p" or tag[0] == "h":
                self._blank()
            if tag == "li":
                self._line.append("- ")
            if tag == "blockquote":
                self._depth = min(self._depth + 1, 50)
            if tag == "pre":
                self._pre += 1
        if '="mark"' in rest and tag == "div":
            self._break()
            self._lines.append(QUOTE_STARTS)
        if '="signature"' in rest and tag in {"div", "table", "span", "p", "pre"}:
            self._break()
            self._lines.append(">" * self._depth + "-- ")

    def close(self, tag: str) -> None:
        if tag == "a" and self._href:
            label = "".join(self._linked).strip()
            bare = self._href.removeprefix("mailto:")
            if label and bare.rstrip("/") not in (label, f"https://{label}", f"http://{label}"):
                self._line.append(f" <{self._href[:500]}>")
            self._href = ""
        elif tag in _BLOCKS:
            self._break()
            if tag == "p":
                self._blank()
            if tag == "pre":
                self._pre = max(0, self._pre - 1)
            if tag == "blockquote":
                self._depth = max(0, self._depth - 1)

    def _break(self, *, force: bool = False) -> None:
        line = "".join(self._line).rstrip()
        self._line = []
        if line or force:
            self._lines.append((">" * self._depth + " " + line).rstrip() if self._depth else line)

    def _blank(self) -> None:
        if self._lines and self._lines[-1].strip("> "):
            self._lines.append(">" * self._depth)

    def done(self) -> str:
        self._break()
        return _BLANKS.sub("\n\n", "\n".join(line.replace("\xa0", " ") for line in self._lines)).strip("\n")
