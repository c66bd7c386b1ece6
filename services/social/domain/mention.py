"""What a mention is and what may happen to it: tone and its correction, state, folding of copies, order by risk.

Reading posts is the sources' matter; matching is `domain.watch`; alerts are `domain.alert`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.kit.errors import Conflict, Invalid


class Tone(StrEnum):
    """How a post speaks of us."""

    UNKNOWN = ""
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class State(StrEnum):
    """Where our handling of a mention stands."""

    NEW = "new"
    SEEN = "seen"
    MINE = "mine"
    ANSWERED = "answered"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Mention:
    """One post, comment or review found. `reach` counts followers over it and its copies; `negative` is a probability."""

    id: str
    source_id: str
    source: str
    external_id: str
    author_id: str
    author_handle: str
    text: str
    occurred_at: datetime
    seen_at: datetime
    author_name: str = ""
    title: str = ""
    followers: int = 0
    url: str = ""
    language: str = ""
    conversation: str = ""
    tone: Tone = Tone.UNKNOWN
    confidence: float = 0.0
    negative: float = 0.0
    tone_corrected: bool = False
    repost_of: str = ""
    reposts: int = 0
    reach: int = 0
    state: State = State.NEW
    assignee: str = ""
    ticket_id: str = ""
    watch_ids: tuple[str, ...] = ()
    brand_ids: tuple[str, ...] = ()
    alert_ids: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    removed_at: datetime | None = None
    version: int = 1
    ignored_because: str = field(default="", compare=False)


def see(mention: Mention) -> Mention:
    """Somebody looked at it: new becomes seen, anything else stays."""
    return _changed(mention, state=State.SEEN) if mention.state is State.NEW else mention


def take(mention: Mention, user_id: str) -> Mention:
    """It is now `user_id`'s to answer; taking one's own again changes nothing.

    Raises:
        Conflict: a colleague has it.
    """
    if mention.state is State.MINE and mention.assignee == user_id:
        return mention
    if mention.state is State.MINE and mention.assignee:
        raise Conflict(f"Mention {mention.id} is already taken by {mention.assignee}.", mention_id=mention.id)
    return _changed(mention, state=State.MINE, assignee=user_id)


def release(mention: Mention) -> Mention:
    """Nobody has it any more."""
    return _changed(mention, state=State.SEEN, assignee="") if mention.state is State.MINE else mention


def answer(mention: Mention) -> Mention:
    """It was answered; that is final, whoever ignores it later."""
    return mention if mention.state is State.ANSWERED else _changed(mention, state=State.ANSWERED)


def ignore(mention: Mention, reason: str) -> Mention:
    """It needs nothing from us, for a reason.

    Raises:
        Invalid: no reason. Conflict: it was answered already.
    """
    if not reason.strip():
        raise Invalid("Say why this mention needs no answer.", field="reason", mention_id=mention.id)
    if mention.state is State.ANSWERED:
        raise Conflict(f"Mention {mention.id} is answered already.", mention_id=mention.id)
    return _changed(mention, state=State.IGNORED, assignee="", ignored_because=reason.strip())


def correct_tone(mention: Mention, tone: Tone) -> Mention:
    """A person says what the tone is: kept for good, certain, and never overwritten by a model.

    Raises:
        Invalid: no tone is given.
    """
    if tone is Tone.UNKNOWN:
        raise Invalid("Choose negative, neutral or positive.", field="tone", mention_id=mention.id)
    if mention.tone_corrected and mention.tone is tone:
        return mention
    negative = 1.0 if tone is Tone.NEGATIVE else 0.0
    return _changed(mention, tone=tone, confidence=1.0, negative=negative, tone_corrected=True)


def link_ticket(mention: Mention, ticket_id: str) -> Mention:
    """It is handled on a ticket; the first one stays.

    Raises:
        Invalid: no ticket is named.
    """
    if not ticket_id:
        raise Invalid("Name the ticket.", field="ticket_id", mention_id=mention.id)
    if mention.ticket_id:
        return mention
    state = State.SEEN if mention.state is State.NEW else mention.state
    return _changed(mention, ticket_id=ticket_id, state=state)


def fold_copy(original: Mention, *, followers: int) -> Mention:
    """The original with one copy more, whose author has so many followers: once for content, all for reach."""
    return _changed(original, reposts=original.reposts + 1, reach=max(original.reach, original.followers) + followers)


def remove(mention: Mention, at: datetime) -> Mention:
    """It was deleted at its source: its words and its author's name are deleted here too; that it was there is kept."""
    if mention.removed_at is not None:
        return mention
    return _changed(
        mention, text="", title="", url="", matched=(), author_name="", author_handle="", author_id="", removed_at=at
    )


def risk(mention: Mention, now: datetime) -> float:
    """Order of the stream: tone × reach × speed, higher first; it halves every twelve hours.

    A post without followers still counts; ten times the reach adds as much as the post itself. Answered and ignored
    ones sink below all others.
    """
    age_h = max((now - mention.occurred_at).total_seconds(), 0.0) / 3600.0
    reach = 1.0 + math.log10(1.0 + max(mention.reach, mention.followers, 0))
    speed = 1.0 + math.log1p(mention.reposts / max(age_h, 0.25))
    tone = 0.05 + mention.negative
    settled = 0.01 if mention.state in (State.ANSWERED, State.IGNORED) else 1.0
    return float(tone * reach * speed * 0.5 ** (age_h / 12.0) * settled)


def _changed(mention: Mention, **changes: object) -> Mention:
    return replace(mention, version=mention.version + 1, **changes)  # type: ignore[arg-type] # checked by callers' tests
