"""Domain ↔ contract, and the list of what this service produces and consumes. The only place that builds messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ascolto.social.v1 import events_pb2 as events
from ascolto.social.v1 import service_pb2 as pb
from services.kit import topics
from services.kit.errors import Invalid
from services.kit.uow import Event, Mode
from services.social.sources import Field, Post, kinds
from services.social.store.alerts import Alert, Happening
from services.social.store.config import Notifier, SourceRow, Watch
from services.social.store.mentions import Mention

PRODUCES = {
    topics.MENTIONS: frozenset({"MentionSeen", "MentionScored", "MentionRemoved"}),
    topics.ALERTS: frozenset({"AlertRaised", "AlertChanged"}),
}
CONSUMES = {
    topics.MENTIONS: frozenset({"MentionSeen"}),
}

_OLDEST = datetime(2006, 1, 1, tzinfo=UTC)  # no source of ours is older


def stamp(at_us: int) -> Timestamp | None:
    """A timestamp; None for 0, which leaves the field unset."""
    if not at_us:
        return None
    made = Timestamp()
    made.FromMicroseconds(at_us)
    return made


def micros(at: Timestamp) -> int:
    """Microseconds since 1970 UTC; 0 when unset."""
    return at.ToMicroseconds()


def mention(row: Mention, *, alert_ids: Sequence[str] = ()) -> events.Mention:
    """A mention as others see it; a removed one has lost its text."""
    gone = bool(row.removed_us)
    return events.Mention(
        id=row.id,
        source_id=row.source_id,
        source=row.source,
        external_id=row.external_id,
        author_id=row.author_id,
        author_handle="" if gone else row.author_handle,
        author_name="" if gone else row.author_name,
        followers=row.followers,
        text="" if gone else row.text,
        title="" if gone else row.title,
        url=row.url,
        language=row.language,
        tone=events.Tone.Name(row.tone),  # type: ignore[arg-type]  # protobuf takes an enum's name or number
        confidence=row.confidence,
        negative=row.negative,
        repost_of=row.repost_of,
        reposts=row.reposts,
        reach=row.reach,
        occurred_at=stamp(row.occurred_us),
        seen_at=stamp(row.seen_us),
        watch_ids=row.watch_ids,
        brand_ids=row.brand_ids,
        state=row.state,
        assignee=row.assignee,
        ticket_id=row.ticket_id,
        alert_ids=alert_ids,
        tone_corrected=bool(row.tone_corrected),
        removed=gone,
        rev=row.rev,
        can_reply=(kind := kinds().get(row.source)) is not None and kind.can_reply,
        conversation=row.conversation,
        matched=row.matched,
        removed_at=stamp(row.removed_us),
    )


def alert(row: Alert) -> events.Alert:
    """An alert as others see it."""
    return events.Alert(
        id=row.id,
        number=row.number,
        watch_id=row.watch_id,
        watch_name=row.watch_name,
        brand_id=row.brand_id,
        source=row.source,
        tone=events.Tone.Name(row.tone),  # type: ignore[arg-type]  # as above
        state=row.state,
        severity=row.severity,
        owner=row.owner,
        raised_at=stamp(row.raised_us),
        updated_at=stamp(row.updated_us),
        began_at=stamp(row.began_us),
        ended_at=stamp(row.ended_us),
        count=row.count,
        usual=row.usual,
        usual_high=row.usual_high,
        peak=row.peak,
        score=row.score,
        reach=row.reach,
        terms=row.terms,
        sources=row.sources,
        first_mention_id=row.first_mention_id,
        cause=row.cause,
        muted_until=stamp(row.muted_until_us),
        mute_reason=row.mute_reason,
        ticket_ids=row.ticket_ids,
        version=row.version,
        rev=row.rev,
        claimed_at=stamp(row.claimed_us),
        answered_at=stamp(row.answered_us),
        resolved_at=stamp(row.resolved_us),
        bin_minutes=row.bin_minutes,
        negative_count=row.count,
        parent_id=row.parent_id,
    )


def mention_seen(row: Mention, mode: Mode) -> Event:
    """A mention was found."""
    return _mention_event(events.MentionSeen(mention=mention(row)), row, mode)


def mention_scored(row: Mention, mode: Mode) -> Event:
    """A mention changed."""
    return _mention_event(events.MentionScored(mention=mention(row)), row, mode)


def mention_removed(row: Mention, mode: Mode) -> Event:
    """A mention is gone at its source."""
    return _mention_event(events.MentionRemoved(mention=mention(row)), row, mode)


def _mention_event(payload: Any, row: Mention, mode: Mode) -> Event:
    return Event(
        topics.MENTIONS,
        f"{row.source_id}:{row.author_id}",
        row.id,
        row.rev,
        payload,
        brand_id=row.brand_ids[0] if row.brand_ids else "",
        received_at=datetime.fromtimestamp(row.seen_us / 1e6, UTC),
        mode=mode,
    )


def alert_raised(row: Alert) -> Event:
    """An alert is new."""
    return Event(topics.ALERTS, row.id, row.id, row.rev, events.AlertRaised(alert=alert(row)), brand_id=row.brand_id)


def alert_changed(row: Alert, act: str, by: str = "") -> Event:
    """An alert changed, by whose act."""
    payload = events.AlertChanged(alert=alert(row), act=act, by=by)
    return Event(topics.ALERTS, row.id, row.id, row.rev, payload, brand_id=row.brand_id)


def post(item: pb.NewMention) -> Post:
    """A mention handed over. Raises `Invalid` naming the field at fault."""
    if not item.external_id or len(item.external_id) > 500:
        raise Invalid("A mention needs an external_id of at most 500 characters.", field="external_id")
    if not item.text.strip():
        raise Invalid("A mention needs a text.", field="text")
    if not item.author_handle:
        raise Invalid("A mention needs its author's handle.", field="author.handle")
    if not item.HasField("occurred_at"):
        raise Invalid("A mention needs occurred_at.", field="occurred_at")
    occurred = item.occurred_at.ToDatetime(UTC)
    if occurred < _OLDEST:
        raise Invalid("occurred_at is before 2006.", field="occurred_at")
    return Post(
        external_id=item.external_id,
        text=item.text,
        occurred_at=occurred,
        author_id=item.author_id or item.author_handle,
        author_handle=item.author_handle,
        author_name=item.author_name,
        followers=item.followers,
        url=item.url,
        language=item.language,
        repost_of=item.repost_of,
        conversation=item.conversation,
        title=item.title,
    )


def watch(row: Watch, *, per_hour: Sequence[int] = (), lint: str = "") -> pb.Watch:
    """A watch with its last 24 hours."""
    return pb.Watch(
        id=row.id,
        name=row.name,
        brand_id=row.brand_id,
        query=row.query,
        source_ids=row.source_ids,
        alerting=bool(row.alerting),
        version=row.version,
        last_match_at=stamp(row.last_match_us),
        per_hour=per_hour,
        lint=lint,
        matches_24h=sum(per_hour),
    )


def source(row: SourceRow) -> pb.Source:
    """A source without its secrets."""
    kind = kinds().get(row.kind)
    return pb.Source(
        id=row.id,
        kind=row.kind,
        name=row.name,
        state=row.state if row.enabled else "off",
        last_error=row.last_error,
        last_success_at=stamp(row.last_success_us),
        retry_at=stamp(row.retry_us),
        settings=json.loads(row.settings),
        secrets_set=row.secret_names,
        can_reply=kind is not None and kind.can_reply,
        version=row.version,
        last_post_at=stamp(row.last_post_us),
        brand_id=row.brand_id,
        fields=[field(one) for one in kind.fields] if kind else (),
    )


def field(one: Field) -> pb.SourceField:
    """A field of a source's settings."""
    return pb.SourceField(name=one.name, label=one.label, secret=one.secret, default=one.default, required=one.required)


def notifier(row: Notifier) -> pb.Notifier:
    """A notifier without its secret."""
    return pb.Notifier(
        id=row.id,
        kind=row.kind,
        target=row.target,
        on=bool(row.enabled),
        version=row.version,
        last_error=row.last_error,
        last_success_at=stamp(row.last_success_us),
        brand_id=row.brand_id,
        min_severity=row.min_severity,
    )


def happening(row: Happening) -> pb.Happening:
    """A line of an alert's timeline."""
    return pb.Happening(at=stamp(row.at_us), act=row.act, by=row.by, detail=row.detail)
