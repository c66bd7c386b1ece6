"""Takes posts in: those a watch wants become mentions, with language and tone; copies are folded into their original.

Everything costly (matching, tone, likeness) happens before the transaction. What the burst detector makes of the
mentions is the work of `detect`, a consumer of the events written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.kit import crash
from services.kit.clock import Clock
from services.kit.ids import new_id
from services.kit.uow import Database, Event, Mode, Uow
from services.social.domain import mention as domain
from services.social.domain.text import content_key, normalise
from services.social.domain.watch import Post as WatchedPost
from services.social.ports import Scored, Scorer
from services.social.sources import Post
from services.social.store import config, mentions
from services.social.store.config import Gap, SourceRow
from services.social.store.mentions import Mention
from services.social.store.rows import LOCK, micros
from services.social.usecases.detect import miss
from services.social.usecases.watching import Compiled, Watching

_FOLD = timedelta(hours=72)
_STALE = timedelta(hours=24)  # what happened longer ago teaches the detector and alerts nobody
_TEXT = 20_000
_FUTURE = timedelta(minutes=5)

Seen = Callable[[Mention, Mode], Event]
# Mention id, normalised text, seconds since 1970 → the id of the original it nearly repeats, or "" (then it is remembered).
FindOriginal = Callable[[str, str, float], str]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one post."""

    external_id: str
    mention_id: str = ""
    duplicate: bool = False
    unmatched: bool = False


@dataclass(frozen=True, slots=True)
class Alike:
    """What a post may be a copy of: by its content's key, by the id of a mention it nearly repeats, by its source's word.

    Key and likeness are empty for a text too short to say anything.
    """

    key: str
    like: str
    repost_of: str  # an external id


@dataclass(frozen=True, slots=True)
class Ingest:
    """The use case with what it needs. `seen` and `scored` make events."""

    database: Database
    clock: Clock
    watching: Watching
    scorer: Scorer
    find_original: FindOriginal
    seen: Seen
    scored: Seen

    def __call__(
        self,
        source: SourceRow,
        posts: Sequence[Post],
        *,
        mode: Mode = Mode.LIVE,
        keep_all: bool = False,
        cursor: str | None = None,
        lost: bool = False,
    ) -> list[Taken]:
        """Stores what is wanted and new; answers post by post. `keep_all` keeps what no watch wants too.

        With `cursor` the source's place is stored in the same transaction; `lost` says that what was said between the
        last read and these posts can no longer be read. Idempotent by source and external id.
        """
        now = self.clock.now()
        with self.database.read() as reader:
            known = mentions.find_known(reader, source.id, [post.external_id for post in posts])
        first: dict[str, Post] = {}
        for post in posts:
            if post.external_id not in known:
                first.setdefault(post.external_id, post)
        fresh = self._prepare(source, list(first.values()), now, mode, keep_all=keep_all)
        alike = {row.id: self._alike(row, first[row.external_id].repost_of) for row in fresh}
        if fresh or cursor is not None:
            crash.point("social.before_commit")
            known |= self.database.write(_Storing(self, source, fresh, alike, now, cursor, lost))
            crash.point("social.after_commit")
        kept = {row.external_id: row.id for row in fresh}
        return [_taken(post, known, kept) for post in posts]

    def _prepare(
        self, source: SourceRow, posts: Sequence[Post], now: datetime, mode: Mode, *, keep_all: bool
    ) -> list[Mention]:
        compiled = self.watching.compiled()
        if compiled.needs_tone:
            scores = self._score(posts)
            wanted = [
                (post, score, self._match(compiled, source, post, score))
                for post, score in zip(posts, scores, strict=True)
            ]
            kept = [one for one in wanted if one[2] or keep_all]
        else:
            found = [(post, self._match(compiled, source, post, None)) for post in posts]
            chosen = [(post, match) for post, match in found if match or keep_all]
            scores = self._score([post for post, _ in chosen])
            kept = [(post, score, match) for (post, match), score in zip(chosen, scores, strict=True)]
        return [self._mention(source, compiled, post, score, match, now, mode) for post, score, match in kept]

    def _score(self, posts: Sequence[Post]) -> list[Scored]:
        return self.scorer.score([_whole(post) for post in posts], [post.language for post in posts])

    @staticmethod
    def _match(compiled: Compiled, source: SourceRow, post: Post, score: Scored | None) -> dict[str, tuple[str, ...]]:
        watched = WatchedPost(
            text=post.text,
            title=post.title,
            author=post.author_handle,
            language=score.language if score else post.language,
            source=source.kind,
            followers=post.followers,
            tone=mentions.TONES[score.tone].value if score else "",
            url=post.url,
        )
        return compiled.match(watched, source.id)

    @staticmethod
    def _mention(
        source: SourceRow,
        compiled: Compiled,
        post: Post,
        score: Scored,
        match: dict[str, tuple[str, ...]],
        now: datetime,
        mode: Mode,
    ) -> Mention:
        occurred = min(post.occurred_at, now + _FUTURE)
        brands = {compiled.watches[key].brand_id for key in match} - {""} or ({source.brand_id} - {""})
        stale = now - occurred > _STALE
        return Mention(
            id=new_id("men"),
            source_id=source.id,
            source=source.kind,
            external_id=post.external_id,
            author_id=post.author_id or post.author_handle,
            author_handle=post.author_handle,
            author_name=post.author_name,
            followers=max(0, post.followers),
            text=post.text[:_TEXT],
            title=post.title[:500],
            url=post.url,
            language=score.language,
            tone=score.tone,
            confidence=score.confidence,
            negative=score.negative,
            conversation=post.conversation,
            reach=max(0, post.followers),
            occurred_us=micros(occurred),
            seen_us=micros(now),
            watch_ids=tuple(sorted(match)),
            brand_ids=tuple(sorted(brands)),
            matched=tuple(dict.fromkeys(word for words in match.values() for word in words)),
            mode=(Mode.IMPORT if stale and mode is Mode.LIVE else mode).value,
        )

    def _alike(self, row: Mention, repost_of: str) -> Alike:
        plain = normalise(row.text)
        key = content_key(plain)
        like = self.find_original(row.id, plain, row.occurred_us / 1e6) if key else ""
        return Alike(f"{row.source}:{key}" if key else "", like, repost_of)

    def store(self, uow: Uow, work: _Storing) -> dict[str, str]:
        """Stores what is still new, in one transaction; returns what was known already, by external id."""
        uow.lock(LOCK)
        source, now = work.source, work.now
        known = mentions.find_known(uow, source.id, [row.external_id for row in work.fresh])
        new = [row for row in work.fresh if row.external_id not in known]
        since_us = micros(now - _FOLD)
        folding = _Folding(uow, source, new, work.alike, since_us)
        made = [folding.add(row) for row in new]
        changed = folding.originals()
        made = [changed.pop(row.id, row) for row in made]
        ordered = [mentions.with_risk(row) for row in made] + list(changed.values())
        revised = [replace(row, rev=rev) for row, rev in zip(ordered, uow.next_revs(len(ordered)), strict=True)]
        stored, rescored = revised[: len(made)], revised[len(made) :]
        mentions.add_mentions(uow, stored)
        mentions.save_mentions(uow, rescored)
        mentions.add_folds(uow, folding.held, at_us=micros(now), since_us=since_us)
        newest: dict[str, int] = {}
        for row in stored:
            for watch in row.watch_ids:
                newest[watch] = max(newest.get(watch, 0), row.occurred_us)
        config.matched(uow, newest)
        if stored:
            config.posted(uow, source.id, max(row.occurred_us for row in stored))
        if work.lost and source.last_success_us:
            until_us = min((row.occurred_us for row in stored), default=micros(now))
            config.add_gap(uow, Gap(source_id=source.id, from_us=source.last_success_us, until_us=until_us))
            miss(uow, source.kind, until_us)
        if work.cursor is not None:
            config.progress(uow, source.id, cursor=work.cursor, now_us=micros(now))
        uow.emit(*(self.seen(row, Mode(row.mode)) for row in stored))
        uow.emit(*(self.scored(row, Mode(row.mode)) for row in rescored))
        return known


class _Folding:
    """Finds the original of each copy of a batch: by the source's own word, by the same content, by likeness."""

    def __init__(
        self, uow: Uow, source: SourceRow, new: Sequence[Mention], alike: Mapping[str, Alike], since_us: int
    ) -> None:
        self._uow, self._alike = uow, alike
        named = [alike[row.id].repost_of for row in new if alike[row.id].repost_of]
        self._named = mentions.find_known(uow, source.id, named) if named else {}
        self._exact = mentions.find_folds(uow, [alike[row.id].key for row in new], since_us)
        wanted = {*self._named.values(), *self._exact.values(), *(alike[row.id].like for row in new)} - {""}
        self._rows = mentions.find_mentions(uow, sorted(wanted))
        self._nouns: dict[str, domain.Mention] = {}  # of originals that got a copy here
        self.held: list[tuple[str, str]] = []

    def add(self, row: Mention) -> Mention:
        """The row, as a copy of its original where it has one."""
        mark = self._alike[row.id]
        self._named.setdefault(row.external_id, row.id)
        original = self._root(self._named.get(mark.repost_of, "") or self._exact.get(mark.key, "") or mark.like)
        if original is None or original.id == row.id:
            self._rows[row.id] = row
            if mark.key:
                self._exact[mark.key] = row.id
                self.held.append((mark.key, row.id))
            return row
        noun = self._nouns.get(original.id) or mentions.noun(original)
        self._nouns[original.id] = domain.fold_copy(noun, followers=row.followers)
        self._rows[row.id] = copy = replace(row, repost_of=original.id)
        return copy

    def originals(self) -> dict[str, Mention]:
        """Originals as their copies changed them, by id."""
        return {own: mentions.with_noun(self._rows[own], noun) for own, noun in self._nouns.items()}

    def _root(self, own: str) -> Mention | None:
        row = self._find(own)
        return self._find(row.repost_of) if row is not None and row.repost_of else row

    def _find(self, own: str) -> Mention | None:
        if own and own not in self._rows:
            self._rows |= mentions.find_mentions(self._uow, [own])
        return self._rows.get(own)


@dataclass(frozen=True, slots=True)
class _Storing:
    """The transaction, with the number of its rows, by which the writer's budget grows."""

    ingest: Ingest
    source: SourceRow
    fresh: Sequence[Mention]
    alike: Mapping[str, Alike]
    now: datetime
    cursor: str | None
    lost: bool

    @property
    def rows(self) -> int:
        return max(1, len(self.fresh))

    def __call__(self, uow: Uow) -> dict[str, str]:
        return self.ingest.store(uow, self)


def _whole(post: Post) -> str:
    return f"{post.title}. {post.text}" if post.title and not post.text.startswith(post.title) else post.text


def _taken(post: Post, known: dict[str, str], kept: dict[str, str]) -> Taken:
    if post.external_id in known:
        return Taken(post.external_id, known[post.external_id], duplicate=True)
    if post.external_id in kept:
        known[post.external_id] = kept[post.external_id]  # the same post again in this batch is a repeat
        return Taken(post.external_id, kept[post.external_id])
    return Taken(post.external_id, unmatched=True)
