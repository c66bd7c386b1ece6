"""Rows of mentions: what was found, by which watches, as copy of which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow
from services.social.domain import mention as domain
from services.social.domain.mention import Tone
from services.social.store.rows import Mapper, micros, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One mention as stored; see `tables.MENTIONS`."""

    id: str
    source_id: str
    source: str
    external_id: str
    author_id: str = ""
    author_handle: str = ""
    author_name: str = ""
    followers: int = 0
    text: str = ""
    title: str = ""
    url: str = ""
    language: str = ""
    tone: int = 0
    confidence: float = 0.0
    negative: float = 0.0
    tone_corrected: int = 0
    conversation: str = ""
    repost_of: str = ""
    reposts: int = 0
    reach: int = 0
    occurred_us: int = 0
    seen_us: int = 0
    removed_us: int = 0
    watch_ids: tuple[str, ...] = ()
    brand_ids: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    state: str = "new"
    assignee: str = ""
    ticket_id: str = ""
    risk: float = 0.0
    rev: int = 0
    mode: int = 1


MENTIONS = Mapper("mentions", Mention)
TONES = (Tone.UNKNOWN, Tone.NEGATIVE, Tone.NEUTRAL, Tone.POSITIVE)  # by the number stored
_HALF_LIFE_S = 12 * 3600.0
_ALL = 1 << 62


def noun(row: Mention) -> domain.Mention:
    """The domain's mention of a row."""
    occurred, seen = moment(row.occurred_us), moment(row.seen_us)
    assert occurred is not None
    assert seen is not None
    return domain.Mention(
        id=row.id,
        source_id=row.source_id,
        source=row.source,
        external_id=row.external_id,
        author_id=row.author_id,
        author_handle=row.author_handle,
        author_name=row.author_name,
        text=row.text,
        title=row.title,
        url=row.url,
        occurred_at=occurred,
        seen_at=seen,
        followers=row.followers,
        language=row.language,
        tone=TONES[row.tone],
        confidence=row.confidence,
        negative=row.negative,
        tone_corrected=bool(row.tone_corrected),
        repost_of=row.repost_of,
        reposts=row.reposts,
        reach=row.reach,
        state=domain.State(row.state),
        assignee=row.assignee,
        ticket_id=row.ticket_id,
        matched=row.matched,
        removed_at=moment(row.removed_us),
    )


def with_noun(row: Mention, noun: domain.Mention) -> Mention:
    """The row after the domain changed its mention, with its place in the order by risk."""
    changed = replace(
        row,
        text=noun.text,
        title=noun.title,
        url=noun.url,
        author_id=noun.author_id,
        author_handle=noun.author_handle,
        author_name=noun.author_name,
        matched=noun.matched,
        tone=TONES.index(noun.tone),
        confidence=noun.confidence,
        negative=noun.negative,
        tone_corrected=int(noun.tone_corrected),
        state=noun.state.value,
        assignee=noun.assignee,
        ticket_id=noun.ticket_id,
        reposts=noun.reposts,
        reach=noun.reach,
        removed_us=micros(noun.removed_at) if noun.removed_at else 0,
    )
    return with_risk(changed)


def with_risk(row: Mention) -> Mention:
    """The row with its place in the order by risk.

    Risk halves each twelve hours for all alike, so its logarithm at the moment of the post, plus the post's time in
    half-lives, keeps the order without being written anew as time goes by.
    """
    plain = noun(row)
    fresh = domain.risk(plain, plain.occurred_at)
    return replace(row, risk=math.log2(max(fresh, 1e-12)) + row.occurred_us / 1e6 / _HALF_LIFE_S)


_KNOWN = Sql("SELECT external_id, id FROM mentions WHERE source_id = :source_id AND external_id IN (:ids...)")
_BY_IDS = MENTIONS.query("WHERE id IN (:ids...)")
_MATCH = Sql(
    "INSERT INTO matches (watch_id, occurred_us, mention_id) VALUES (:watch_id, :occurred_us, :mention_id) ON CONFLICT DO NOTHING"
)
_FIND_FOLDS = Sql("SELECT key, mention_id FROM folds WHERE key IN (:keys...) AND at_us >= :since_us")
_ADD_FOLD = Sql(
    "INSERT INTO folds (key, mention_id, at_us) VALUES (:key, :mention_id, :at_us) ON CONFLICT (key) DO UPDATE SET mention_id = excluded.mention_id, at_us = excluded.at_us WHERE folds.at_us < :since_us"
)
_DROP_FOLDS = Sql("DELETE FROM folds WHERE at_us < :before_us")
_COPIES = MENTIONS.query("WHERE repost_of = :id ORDER BY occurred_us LIMIT :limit")
_THREAD = MENTIONS.query(
    "WHERE conversation = :conversation AND source_id = :source_id AND id <> :id ORDER BY occurred_us LIMIT 50"
)
_SCAN = MENTIONS.query("WHERE rev > :after ORDER BY rev LIMIT :limit")
_COUNT = Sql("SELECT count(*) FROM mentions")
_OF_WATCH = MENTIONS.query(
    "JOIN matches ON matches.mention_id = mentions.id WHERE matches.watch_id = :watch_id AND matches.occurred_us >= :since_us AND matches.occurred_us < :until_us ORDER BY matches.occurred_us LIMIT :limit"
)
_EVIDENCE = MENTIONS.query(
    "JOIN alert_mentions ON alert_mentions.mention_id = mentions.id WHERE alert_mentions.alert_id = :alert_id ORDER BY alert_mentions.mention_id DESC LIMIT :limit"
)
_PER_HOUR = Sql(
    "SELECT (occurred_us - :since_us) / 3600000000, count(*) FROM matches WHERE watch_id = :watch_id AND occurred_us >= :since_us GROUP BY 1"
)
_ALERTS_PER_HOUR = Sql(
    "SELECT alert_mentions.alert_id, (mentions.occurred_us - :since_us) / 3600000000, count(*) FROM alert_mentions"
    " JOIN mentions ON mentions.id = alert_mentions.mention_id"
    " WHERE alert_mentions.alert_id IN (:alert_ids...) AND mentions.occurred_us >= :since_us GROUP BY 1, 2"
)
_NEWEST = MENTIONS.query("WHERE occurred_us < :before_us ORDER BY occurred_us DESC LIMIT :limit")


def find_known(reader: Reader, source_id: str, external_ids: Sequence[str]) -> dict[str, str]:
    """Ids of mentions of a source that are stored already, by external id."""
    return {
        str(external): str(own)
        for external, own in reader.rows(_KNOWN, {"source_id": source_id, "ids": list(external_ids)})
    }


def find_mentions(reader: Reader, ids: Sequence[str]) -> dict[str, Mention]:
    """Mentions by id; unknown ones are left out."""
    return {row.id: row for row in map(MENTIONS.make, reader.rows(_BY_IDS, {"ids": list(ids)}))}


def add_mentions(uow: Uow, rows: Sequence[Mention]) -> None:
    """Stores new mentions and what found them."""
    uow.execute_many(MENTIONS.insert, [MENTIONS.params(row) for row in rows])
    uow.execute_many(
        _MATCH,
        [
            {"watch_id": watch, "occurred_us": row.occurred_us, "mention_id": row.id}
            for row in rows
            for watch in row.watch_ids
        ],
    )


def save_mentions(uow: Uow, rows: Sequence[Mention]) -> None:
    """Stores changed mentions."""
    uow.execute_many(MENTIONS.update, [MENTIONS.params(row) for row in rows])


def find_folds(reader: Reader, keys: Sequence[str], since_us: int) -> dict[str, str]:
    """Which mention holds a key of likeness, among those newer than `since_us`."""
    return {str(key): str(own) for key, own in reader.rows(_FIND_FOLDS, {"keys": list(keys), "since_us": since_us})}


def add_folds(uow: Uow, keys: Sequence[tuple[str, str]], *, at_us: int, since_us: int) -> None:
    """Remembers keys of likeness; one held by a mention newer than `since_us` stays with it."""
    uow.execute_many(
        _ADD_FOLD, [{"key": key, "mention_id": own, "at_us": at_us, "since_us": since_us} for key, own in keys]
    )


def drop_folds(uow: Uow, before_us: int) -> int:
    """Forgets keys of likeness that are too old."""
    return uow.execute(_DROP_FOLDS, {"before_us": before_us})


def list_copies(reader: Reader, mention_id: str, limit: int = 50) -> list[Mention]:
    """The copies folded into a mention, oldest first."""
    return [MENTIONS.make(row) for row in reader.rows(_COPIES, {"id": mention_id, "limit": limit})]


def list_thread(reader: Reader, mention: Mention) -> list[Mention]:
    """Other mentions of the same conversation at its source, oldest first."""
    if not mention.conversation:
        return []
    return [
        MENTIONS.make(row)
        for row in reader.rows(
            _THREAD, {"conversation": mention.conversation, "source_id": mention.source_id, "id": mention.id}
        )
    ]


def scan(reader: Reader, after: int, limit: int) -> tuple[list[Mention], int]:
    """Mentions by revision, and how many there are in all."""
    rows = [MENTIONS.make(row) for row in reader.rows(_SCAN, {"after": after, "limit": limit})]
    return rows, int((reader.row(_COUNT) or (0,))[0] or 0)


def list_of_watch(reader: Reader, watch_id: str, since_us: int, until_us: int, limit: int = 500) -> list[Mention]:
    """What a watch found in a span, oldest first."""
    found = reader.rows(_OF_WATCH, {"watch_id": watch_id, "since_us": since_us, "until_us": until_us, "limit": limit})
    return [MENTIONS.make(row) for row in found]


def list_evidence(reader: Reader, alert_id: str, limit: int = _ALL) -> list[Mention]:
    """The posts of an alert, last found first."""
    return [MENTIONS.make(row) for row in reader.rows(_EVIDENCE, {"alert_id": alert_id, "limit": limit})]


def per_hour(reader: Reader, watch_id: str, since_us: int) -> list[int]:
    """Matches in each of the 24 hours from `since_us` on."""
    counts = {
        int(hour or 0): int(count or 0)
        for hour, count in reader.rows(_PER_HOUR, {"watch_id": watch_id, "since_us": since_us})
    }
    return [counts.get(hour, 0) for hour in range(24)]


def alerts_per_hour(reader: Reader, alert_ids: Sequence[str], since_us: int) -> dict[str, list[int]]:
    """Posts of each alert in each of the 24 hours from `since_us` on; alerts without any are left out."""
    found: dict[str, list[int]] = {}
    for alert_id, hour, count in reader.rows(_ALERTS_PER_HOUR, {"alert_ids": list(alert_ids), "since_us": since_us}):
        hours = found.setdefault(str(alert_id), [0] * 24)
        hours[min(int(hour or 0), 23)] += int(count or 0)  # a post dated ahead is of the last hour
    return found


def list_newest(reader: Reader, before_us: int, limit: int) -> list[Mention]:
    """The newest mentions of all, newest first."""
    return [MENTIONS.make(row) for row in reader.rows(_NEWEST, {"before_us": before_us, "limit": limit})]
