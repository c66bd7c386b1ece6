"""Words as search sees them: folded, split where nothing is a letter or digit, and a guess at their language.

The index's tokenizers do the same in their own way; the relevance contract holds the two together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

LANGUAGES = ("it", "en", "de", "fr", "es", "pt")
_WORD = re.compile(r"[^\W_]+")  # runs of letters and digits
_SPECIAL = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "\u0131": "i", "ẞ": "ss"})
_LEAST_VOTES = 2
_LONGEST_RUN = 600  # letters of one run that are looked at

# Words without meaning of their own that tell one language from its neighbours; those shared by many are left out.
_FUNCTION_WORDS = {
    "it": "il lo gli della delle degli nel nella sono che non una ho hai abbiamo mio mia vostro perche anche ancora "
    "questo questa buongiorno grazie salve è più alla dal dalla",
    "en": "the and is are was were have has not you your my with this that for from it of been would please hello "
    "thanks which",
    "de": "der die das und ist nicht ich sie wir ein eine einen mit auf für von dem den mein meine bitte danke hallo "
    "wurde noch auch",
    "fr": "le les des est pas je vous nous une dans pour avec mon ma votre bonjour merci été sur cette ce qui mais "
    "toujours j ai n",
    "es": "el los las es una con para mi pero muy por del está he ha hola gracias este esta ustedes usted buenos "
    "todavía porque y",
    "pt": "o os um uma não com para meu minha mas muito do da dos das está foi obrigado obrigada olá bom dia ainda "
    "você vocês em ao",
}
_VOTES: dict[str, list[str]] = {}
for _language, _words in _FUNCTION_WORDS.items():
    for _word in _words.split():
        _VOTES.setdefault(_word, []).append(_language)


def composed(text: str) -> str:
    """The text in Unicode's composed form, so that an accent typed apart is the same letter."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """Lower case without accents; ß is ss."""
    lowered = text.lower()
    if lowered.isascii():
        return lowered
    parts = unicodedata.normalize("NFKD", lowered.translate(_SPECIAL))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def split(text: str) -> list[str]:
    """The folded words of a text, in order."""
    return [fold(word) for word in _WORD.findall(composed(text))]


def matches(text: str) -> Iterator[re.Match[str]]:
    """Its words, one after the other."""
    return _WORD.finditer(text)


def spans(text: str) -> list[tuple[int, int]]:
    """Where each word begins and ends."""
    return [match.span() for match in _WORD.finditer(text)]


def votes_of(run: str) -> tuple[str, ...]:
    """The languages that the words of a run without blanks speak for; one may be named more than once."""
    return tuple(language for word in _WORD.findall(run[:_LONGEST_RUN].lower()) for language in _VOTES.get(word, ()))


def elected(ballots: Iterable[tuple[str, ...]]) -> str:
    """The language whose small words a text is full of; empty when too few say so."""
    votes: dict[str, int] = {}
    for ballot in filter(None, ballots):
        for language in ballot:
            votes[language] = votes.get(language, 0) + 1
    if not votes:
        return ""
    best = max(votes, key=votes.__getitem__)
    most = votes.pop(best)
    return best if most >= _LEAST_VOTES and most > max(votes.values(), default=0) else ""


def distance(left: str, right: str, limit: int) -> int:
    """Edits (insert, delete, replace, swap of neighbours) from one word to the other; `limit + 1` when more.

    Source: optimal string alignment, as the index's own automaton counts.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    above = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        here = [row]
        for column, other in enumerate(right, 1):
            cost = 0 if letter == other else 1
            best = min(above[column] + 1, here[column - 1] + 1, above[column - 1] + cost)
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                best = min(best, before[column - 2] + 1)
            here.append(best)
        if min(here) > limit:
            return limit + 1
        before, above = above, here
    return min(above[-1], limit + 1)


def has_digit(word: str) -> bool:
    """Whether a word holds a digit, and so has no other forms."""
    return any(map(str.isdigit, word))


def typos_allowed(word: str) -> int:
    """How many edits a word may be off: one from four letters on, two from eight; none with a digit in it."""
    if has_digit(word):
        return 0
    return 2 if len(word) >= 8 else 1 if len(word) >= 4 else 0
