"""Mentions, alerts, accounts, health and dead letters as JSON; contacts and mentions from JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ascolto.common.v1 import operations_pb2 as operations
from ascolto.common.v1.envelope_pb2 import MODE_LIVE, Blob
from ascolto.intake.v1.service_pb2 import Account, NewContact
from ascolto.social.v1 import events_pb2 as social
from ascolto.social.v1.service_pb2 import NewMention
from services.desk.clients.base import stamp
from services.desk.clients.operations import Part
from services.desk.clients.tickets import TONES
from services.desk.wire.tickets import when


def mention(message: social.Mention) -> dict[str, Any]:
    """One mention."""
    return {
        "id": message.id,
        "source": message.source,
        "source_id": message.source_id,
        "external_id": message.external_id,
        "author": {
            "handle": message.author_handle,
            "name": message.author_name or None,
            "followers": message.followers,
        },
        "title": message.title or None,
        "text": message.text,
        "url": message.url or None,
        "lang": message.language or None,
        "tone": TONES.get(message.tone),
        "confidence": round(message.confidence, 4),
        "repost_of": message.repost_of or None,
        "reposts": message.reposts,
        "reach": message.reach,
        "state": message.state,
        "assignee": message.assignee or None,
        "ticket_id": message.ticket_id or None,
        "alerts": list(message.alert_ids),
        "watches": list(message.watch_ids),
        "brands": list(message.brand_ids),
        "removed": message.removed,
        "can_reply": message.can_reply,
        "occurred_at": when(message, "occurred_at"),
        "seen_at": when(message, "seen_at"),
    }


def alert(message: social.Alert) -> dict[str, Any]:
    """One alert."""
    return {
        "id": message.id,
        "number": message.number,
        "watch": {"id": message.watch_id, "name": message.watch_name},
        "brand": message.brand_id,
        "source": message.source,
        "tone": TONES.get(message.tone),
        "state": message.state,
        "severity": message.severity,
        "owner": message.owner or None,
        "count": message.count,
        "negative_count": message.negative_count,
        "usual": message.usual,
        "usual_high": message.usual_high,
        "peak": message.peak,
        "score": message.score,
        "reach": message.reach,
        "terms": list(message.terms),
        "sources": list(message.sources),
        "cause": message.cause or None,
        "muted_until": when(message, "muted_until"),
        "mute_reason": message.mute_reason or None,
        "ticket_ids": list(message.ticket_ids),
        "first_mention": message.first_mention_id or None,
        "parent": message.parent_id or None,
        "version": message.version,
        "began_at": when(message, "began_at"),
        "raised_at": when(message, "raised_at"),
        "updated_at": when(message, "updated_at"),
        "claimed_at": when(message, "claimed_at"),
        "answered_at": when(message, "answered_at"),
        "resolved_at": when(message, "resolved_at"),
        "ended_at": when(message, "ended_at"),
    }


def account(message: Account) -> dict[str, Any]:
    """One account, as operations see it."""
    return {
        "id": message.id,
        "channel": message.channel,
        "address": message.address,
        "brand": message.brand_id,
        "state": message.state,
        "last_success_at": when(message, "last_success_at"),
        "last_error": message.last_error or None,
        "last_error_at": when(message, "last_error_at"),
        "last_in_at": when(message, "last_in_at"),
        "last_out_at": when(message, "last_out_at"),
    }


def health(parts: Sequence[Part[operations.HealthResponse]]) -> dict[str, Any]:
    """Every service's part; one that does not answer is `ready: false` with its reason."""
    services = [_service(part) for part in parts]
    return {
        "ready": all(service["ready"] for service in services),
        "oldest_unprocessed_s": max((service["oldest_unprocessed_s"] for service in services), default=0.0),
        "dead_letters": sum(service["dead_letters"] for service in services),
        "services": services,
    }


def _service(part: Part[operations.HealthResponse]) -> dict[str, Any]:
    value = part.value or operations.HealthResponse(service=part.service)
    return {
        "service": part.service,
        "ready": part.value is not None and value.ready,
        "error": part.error or None,
        "version": value.version or None,
        "checks": [
            {"name": check.name, "ok": check.ok, "detail": check.detail, "latency_ms": check.latency_ms}
            for check in value.checks
        ],
        "lags": [
            {
                "group": lag.group,
                "topic": lag.topic,
                "position": lag.position,
                "end": lag.end,
                "age_s": lag.age_s,
                "paused": lag.paused or None,
            }
            for lag in value.lags
        ],
        "stages": [
            {
                "name": stage.name,
                "in": stage.in_count,
                "out": stage.out_count,
                "waiting": stage.waiting,
                "failing": stage.failing,
                "oldest_s": stage.oldest_s,
            }
            for stage in value.stages
        ],
        "dead_letters": value.dead_letters,
        "oldest_unprocessed_s": value.oldest_unprocessed_s,
        "disk_free_bytes": value.disk_free_bytes,
        "disk_used_bytes": value.disk_used_bytes,
        "instance": value.instance or None,
        "outbox": {"rows": value.outbox.rows, "oldest_s": value.outbox.oldest_s} if value.HasField("outbox") else None,
        "leases": [{"name": one.name, "holder": one.holder, "left_s": one.left_s} for one in value.leases],
        "pools": [
            {
                "name": one.name,
                "size": one.size,
                "free": one.free,
                "waiting": one.waiting,
                "waits": one.waits,
                "waited_s": one.waited_s,
                "refused": one.refused,
            }
            for one in value.pools
        ],
    }


def dead_letter(service: str, message: operations.DeadLetter) -> dict[str, Any]:
    """One dead letter; its id names the service, so that it can be replayed by id alone."""
    return {
        "id": f"{service}.{message.id}",
        "service": service,
        "group": message.group,
        "topic": message.topic,
        "offset": message.offset,
        "event_id": message.event_id,
        "kind": message.kind,
        "key": message.key,
        "aggregate_id": message.aggregate_id,
        "reason": message.reason,
        "reason_kind": message.reason_kind,
        "last_reason": message.last_reason or None,
        "attempts": message.attempts,
        "first_at": when(message, "first_at"),
        "last_at": when(message, "last_at"),
    }


def attachment(*, name: str, media_type: str, data: bytes = b"", key: str = "", sha256: str, size: int) -> Blob:
    """A file on its way in or out, inline or by its blob's key."""
    return Blob(key=key, inline=data, name=name, media_type=media_type, size_bytes=size, sha256=sha256)


def new_contact(fields: dict[str, str], *, occurred_at: datetime | None, attachments: Sequence[Blob]) -> NewContact:
    """A contact for intake."""
    message = NewContact(occurred_at=stamp(occurred_at), attachments=attachments, mode=MODE_LIVE)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def new_mention(fields: dict[str, str], *, followers: int, occurred_at: datetime) -> NewMention:
    """A mention for social."""
    return NewMention(**fields, followers=followers, occurred_at=stamp(occurred_at))
