"""Customers' words as safe HTML: paragraphs, lists and links built by us from plain text; and names cleaned for lists."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

# Bidirectional controls, zero-width and other invisible characters: in a list they could reorder what stands beside them.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")
# An address ends before closing punctuation, which usually belongs to the sentence.
_LINK = re.compile(r"https?://[^\s<>\"']{1,2000}?(?=[.,;:!?)\]]*(?:\s|$|[<>\"']))", re.IGNORECASE)
_BULLET = re.compile(r"^\s*[-*•]\s+")
_SHOWN_URL = 60  # characters of an address that are shown; the whole is in the tip


def plain(text: str, limit: int = 300) -> str:
    """One line without invisible or control characters, for rows, titles and names."""
    cleaned = _CONTROL.sub(" ", _INVISIBLE.sub("", text.replace("\n", " ").replace("\t", " ")))
    cleaned = " ".join(cleaned.split())
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"


def visible(text: str) -> str:
    """Text in which what turns or hides other text is a dot; soft hyphens and joiners just go."""
    return _INVISIBLE.sub(lambda found: "" if found.group() in "\u00ad\u200d" else "·", text)


def _inline(text: str, marked: re.Pattern[str] | None) -> Markup:
    out: list[Markup] = []
    end = 0
    for link in _LINK.finditer(text):
        out.append(_marked(text[end : link.start()], marked))
        url = link.group()
        seen = visible(url)
        shown = seen if len(seen) <= _SHOWN_URL else seen[: _SHOWN_URL - 1] + "…"
        out.append(
            Markup('<a href="{}" rel="noopener noreferrer nofollow" target="_blank" title="{}">{}</a>').format(
                url, seen, shown
            )
        )
        end = link.end()
    out.append(_marked(text[end:], marked))
    return Markup("").join(out)


def _marked(text: str, words: re.Pattern[str] | None) -> Markup:
    text = visible(text)
    if words is None:
        return escape(text)
    out: list[Markup] = []
    end = 0
    for found in words.finditer(text):
        out += [escape(text[end : found.start()]), Markup("<mark>{}</mark>").format(found.group())]
        end = found.end()
    return Markup("").join([*out, escape(text[end:])])


def prose(text: str, words: Iterable[str] = (), *, whole: bool = False) -> Markup:
    """Paragraphs, line breaks, bullet lists and links; `words` are marked, `whole` only where they are no part of a longer one.

    Everything else is escaped. Text direction is found per paragraph.
    """
    found = [re.escape(word) for word in words if word.strip()]
    either = "|".join(sorted(found, key=len, reverse=True))
    marked = re.compile(rf"(?<!\w)(?:{either})(?!\w)" if whole else either, re.IGNORECASE) if found else None
    blocks: list[Markup] = []
    for block in re.split(r"\n[ \t]*\n+", _CONTROL.sub("", text.replace("\r\n", "\n")).strip("\n")):
        lines = block.split("\n")
        if len(lines) > 1 and all(_BULLET.match(line) for line in lines):
            items = Markup("").join(
                Markup("<li>{}</li>").format(_inline(_BULLET.sub("", line), marked)) for line in lines
            )
            blocks.append(Markup('<ul dir="auto">{}</ul>').format(items))
        elif block.strip():
            blocks.append(
                Markup('<p dir="auto">{}</p>').format(Markup("<br>").join(_inline(line, marked) for line in lines))
            )
    return Markup("").join(blocks)
