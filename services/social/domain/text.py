"""How a post is made comparable: noise becomes tokens, case and accents go. Words of a post for terms and matching.

Signatures of near-duplicates are in `models.sketch` (they need numpy); matching of watches is in `domain.watch`.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from typing import Final

# "RT @name:" as old-style reposts begin; may be repeated ("RT @a: RT @b: …").
_REPOST = re.compile(r"^(?:\s*rt\s+@\w+\s*:?\s*)+", re.IGNORECASE)
# A web address with or without its scheme, up to the next space.
_URL = re.compile(r"(?:https?://|www\.)\S+|\bhttps?\b", re.IGNORECASE)
# A handle, Mastodon's `@name@host` and Bluesky's `@name.host` included; not the middle of a mail address.
_HANDLE = re.compile(r"(?<![\w.])@[\w.-]+(?:@[\w.-]+\w)?")
# A number with its separators: 12, 1.250,00, 10:30.
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# A word, or a hashtag or handle with its sign; apostrophes end a word (l'ordine is two).
_WORD = re.compile(r"[#@]?\w+", re.UNICODE)
_NO_WORD = re.compile(r"[^\w#@]")
_BLANK = re.compile(r"\s+")
_URL_TOKEN, _HANDLE_TOKEN, _NUMBER_TOKEN = "http", "@user", "0"
_SHORTEST_COMPARABLE = 12


class _Folding(dict[int, str]):
    """A table for `str.translate` that fills itself: one entry per character ever met (at most all of Unicode)."""

    def __missing__(self, point: int) -> str:
        decomposed = unicodedata.normalize("NFKD", chr(point))
        folded = "".join(part for part in decomposed if not unicodedata.combining(part)).casefold()
        self[point] = folded
        return folded


_FOLDING: Final = _Folding()  # a cache of a pure function, not state


def fold(text: str) -> str:
    """Text without case and accents: `Qualità` → `qualita`, `ß` → `ss`, full-width → ASCII. Folding twice changes nothing."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def is_old_repost(text: str) -> bool:
    """Whether the text begins with `RT @name`, the repost of people without a repost button."""
    return _REPOST.match(text) is not None


def normalise(text: str) -> str:
    """The comparable form: repost prefix stripped, addresses, handles and numbers as tokens, folded, single blanks."""
    plain = _REPOST.sub("", html.unescape(text) if "&" in text else text)
    plain = _URL.sub(_URL_TOKEN, plain)
    plain = _HANDLE.sub(_HANDLE_TOKEN, plain)
    plain = _NUMBER.sub(_NUMBER_TOKEN, plain)
    return _BLANK.sub(" ", fold(plain)).strip()


def split(text: str) -> list[str]:
    """Words as written, in order, hashtags and handles with their sign."""
    return _WORD.findall(text if text.isascii() else unicodedata.normalize("NFC", text))


def words(text: str) -> list[str]:
    """Folded words in order, hashtags and handles with their sign."""
    return [fold_word(word) for word in split(text)]


def fold_word(word: str) -> str:
    """A word of `split` folded; signs that folding brings in (a fraction's bar) are left out, and it is never empty."""
    folded = fold(word)
    return folded if folded.isalnum() else _NO_WORD.sub("", folded) or word


def content_key(normalised: str) -> str:
    """Hash of a normalised text: equal for exact reposts; empty where the text is too short to say anything.

    Two people who write "pessimi" have not copied each other, so texts under twelve letters have no key.
    """
    if sum(map(str.isalpha, normalised)) < _SHORTEST_COMPARABLE:
        return ""
    return hashlib.blake2b(normalised.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
