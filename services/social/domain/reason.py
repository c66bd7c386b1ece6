"""Why an alert speaks, in words: terms with lift against the usual, authors by reach, and the one sentence.

Source of the lift: Monroe, Colaresi, Quinn, Fightin' Words, Political Analysis 16(4), 2008 (log-odds with a prior).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.social.domain.text import words

_PRIOR_POSTS: Final = 200.0
_LEAST_Z: Final = 1.0
_STOP: Final = frozenset(
    """il lo la le gli un una uno di da in con su per tra fra che chi cui non piu come anche sono sei siamo hanno hai ha ho
    del della dei delle degli al alla ai alle dal dalla nel nella sul sulla mi ti si ci vi ne se ma o ed questo questa quello
    era essere stato stata fatto fare tutto tutti mio mia tuo suo the and for are was were with that this you your they not
    have has had but from its our out all can will just been than then them his her what when who how why der die das den dem
    des ein eine einen und oder nicht ist sind war ich du er sie es wir ihr mit von zu zum zur auf fur im an als auch noch
    nur aber wie was wenn mein euer les des une est pas pour que qui dans sur avec vous nous je tu ce cette son sa ses mon ma
    mes plus mais ou et ne on il elle sont ont aux par los las una uno unos del que por para con como pero mas este esta esto
    muy hay son fue ser han sin sobre mi tu su os um uma uns em no na nos nas do da dos das por para com como mas mais nao
    que foi ser tem ao aos seu sua voce ja http https www user via amp""".split()  # noqa: SIM905 -- a list of words reads as words
)


@dataclass(frozen=True, slots=True)
class Lift:
    """A term, in how many posts of the episode it stands, and how many times oftener than usual."""

    term: str
    count: int
    lift: float


@dataclass(frozen=True, slots=True)
class AuthorReach:
    """A public handle, its followers, and how many posts of the episode are theirs."""

    handle: str
    followers: int
    count: int


@dataclass(frozen=True, slots=True)
class Reason:
    """The pieces of the one sentence; `usual` and `usual_high` are posts a bin of `bin_minutes`."""

    count: int
    tone: str
    terms: tuple[str, ...]
    began_at: datetime
    until: datetime
    usual: float
    usual_high: float
    bin_minutes: int
    sources: tuple[str, ...]
    first_at: datetime


def terms_of(text: str, *, leave_out: frozenset[str] = frozenset()) -> set[str]:
    """Words and neighbouring pairs that can name a matter: no stop words, no numbers, none of `leave_out` (the query's)."""
    found: set[str] = set()
    before = ""
    for word in words(text):
        bare = word.lstrip("#@")
        if len(bare) < 3 or bare in _STOP or bare.isdigit() or bare in leave_out or word.startswith("@"):
            before = ""
            continue
        found.add(word)
        if before:
            found.add(f"{before} {word}")
        before = word
    return found


def lifts(
    texts: Iterable[str],
    usual: Mapping[str, int],
    usual_posts: int,
    *,
    leave_out: frozenset[str] = frozenset(),
    limit: int = 8,
) -> list[Lift]:
    """Terms the episode's posts share that the usual posts do not, most telling first.

    `usual` counts posts by term over `usual_posts` posts. A pair that explains its words replaces them. Ranked by the
    z-score of the log-odds, so a rare word met once does not lead.
    """
    counts: Counter[str] = Counter()
    posts = 0
    for text in texts:
        posts += 1
        counts.update(terms_of(text, leave_out=leave_out))
    ranked: list[tuple[float, Lift]] = []
    for term, count in counts.items():
        if count < 2 and posts > 3:
            continue
        base = usual.get(term, 0)
        share = (base + 0.5) / (usual_posts + _PRIOR_POSTS)
        prior = share * _PRIOR_POSTS
        here, there = count + prior, base + prior
        odds = math.log(here / max(posts + _PRIOR_POSTS - here, 0.5)) - math.log(
            there / max(usual_posts + _PRIOR_POSTS - there, 0.5)
        )
        z = odds / math.sqrt(1.0 / here + 1.0 / there)
        if z >= _LEAST_Z:
            ranked.append((z, Lift(term, count, round(count / posts / share, 1))))
    ranked.sort(key=lambda entry: (-entry[0] * (1.0 + 0.15 * entry[1].term.count(" ")), entry[1].term))
    chosen: list[Lift] = []
    for _, lift in ranked:
        if len(chosen) == limit:
            break
        if not any(_explains(other, lift) for other in chosen):
            chosen.append(lift)
    return chosen


def matter(posts: Sequence[tuple[str, Sequence[str]]], usual: Sequence[str]) -> list[Lift]:
    """What an episode is about: terms its posts share that the usual posts do not.

    A post is its text and the words by which its watch found it; those say nothing, since every post has them.
    """
    counts = Counter(term for text in usual for term in terms_of(text))
    return lifts([text for text, _ in posts], counts, len(usual), leave_out=query_words(posts))


def of_term(posts: Sequence[tuple[str, str, Sequence[str]]], term: str) -> tuple[str, ...]:
    """The ids of an episode's posts (id, text, the words it was found by) that `matter` counted for a term."""
    leave_out = query_words((text, matched) for _, text, matched in posts)
    return tuple(own for own, text, _ in posts if term in terms_of(text, leave_out=leave_out))


def query_words(posts: Iterable[tuple[str, Sequence[str]]]) -> frozenset[str]:
    """The words by which posts were found, as terms have them."""
    return frozenset(word for _, matched in posts for written in matched for word in _bare(written))


def _bare(written: str) -> list[str]:
    return [word.lstrip("#@") for word in words(written)]


def _explains(stronger: Lift, weaker: Lift) -> bool:
    left, right = set(stronger.term.split()), set(weaker.term.split())
    return bool(left & right) and (
        left >= right or right >= left or (len(left & right) > 0 and weaker.count <= stronger.count)
    )


def authors_by_reach(posts: Iterable[tuple[str, int]], *, limit: int = 5) -> list[AuthorReach]:
    """Authors (handle, followers a post) by followers, then by how often they wrote."""
    followers: dict[str, int] = {}
    count: Counter[str] = Counter()
    for handle, reach in posts:
        if handle:
            followers[handle] = max(followers.get(handle, 0), reach)
            count[handle] += 1
    ranked = sorted(followers, key=lambda handle: (-followers[handle], -count[handle], handle))
    return [AuthorReach(handle, followers[handle], count[handle]) for handle in ranked[:limit]]


def sentence(reason: Reason, *, language: str = "en") -> str:
    """The alert in one breath, in English or Italian; times are printed as they stand in `reason` (give local ones)."""
    italian = language == "it"
    kind = _TONES["it" if italian else "en"].get(reason.tone, "")
    start, end = f"{reason.began_at:%H:%M}", f"{reason.until:%H:%M}"
    joined = _joined([f"«{term}»" for term in reason.terms[:2]], "e" if italian else "and")
    sources = _joined(list(reason.sources[:2]), "e" if italian else "and")
    usual, high = _plain(reason.usual), _plain(math.ceil(reason.usual_high))
    if italian:
        about = f" su {joined}" if joined else ""
        noun = "menzione" if reason.count == 1 else "menzioni"
        if reason.count == 1 and kind:
            kind = kind[:-1] + "a"
        text = f"{reason.count} {noun}{kind and ' ' + kind}{about} tra le {start} e le {end}; di solito {usual} ogni "
        text += f"{_span(reason.bin_minutes, italian=True)}, di rado oltre {high}."
        text += f" Soprattutto {sources}." if sources else ""
        return f"{text} Prima: {reason.first_at:%H:%M}."
    about = f" about {joined}" if joined else ""
    noun = "mention" if reason.count == 1 else "mentions"
    text = f"{reason.count} {kind + ' ' if kind else ''}{noun}{about} between {start} and {end}; usual is {usual} per "
    text += f"{_span(reason.bin_minutes, italian=False)}, rarely over {high}."
    text += f" Mostly {sources}." if sources else ""
    return f"{text} First: {reason.first_at:%H:%M}."


_TONES: Final = {
    "en": {"negative": "negative", "neutral": "neutral", "positive": "positive"},
    "it": {"negative": "negative", "neutral": "neutre", "positive": "positive"},
}


def _joined(parts: Sequence[str], conjunction: str) -> str:
    return f" {conjunction} ".join(parts)


def _plain(number: float) -> str:
    return f"{number:.0f}" if number >= 9.5 or number == int(number) else f"{number:.1f}"


def _span(minutes: int, *, italian: bool) -> str:
    if minutes == 60:
        return "ora" if italian else "hour"
    return f"{minutes} minuti" if italian else f"{minutes} minutes"
