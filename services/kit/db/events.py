"""From `Event` to outbox row: the envelope around each event, and the limit of its size."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ascolto.common.v1.envelope_pb2 import Envelope
from services.kit.db.sql import Sql
from services.kit.errors import Internal, Invalid
from services.kit.ids import new_ids
from services.kit.topics import PRODUCERS
from services.kit.uow import Event, Packed

MAX_EVENT_BYTES = 256 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCHEMA = 1

INSERT_OUTBOX = Sql(
    "INSERT INTO outbox (topic, key, kind, event_id, data, created_us)"
    " VALUES (:topic, :key, :kind, :event_id, :data, :created_us)"
)

OutboxRow = tuple[str, str, str, str, bytes, int]  # the values of `INSERT_OUTBOX`, in its order


def outbox_rows(events: Sequence[Event], producer: str, created_us: int, trace_id: str = "") -> list[OutboxRow]:
    """The rows of events, of the trace `trace_id` where they name none. Raises `Invalid` over 256 KB, `Internal` for a topic of another service."""
    ids = new_ids("evt", len(events))
    return [_row(event, event_id, producer, created_us, trace_id) for event, event_id in zip(events, ids, strict=True)]


def _row(event: Event, event_id: str, producer: str, created_us: int, trace_id: str) -> OutboxRow:
    topic, payload = event.topic, event.payload
    if PRODUCERS.get(topic, producer) != producer:
        raise Internal(f"{producer} may not write to {topic}, the topic of {PRODUCERS[topic]}.")
    envelope = Envelope()  # filled field by field: the constructor costs twice as much for each argument
    if isinstance(payload, Packed):
        kind, envelope.payload = payload
    else:
        kind, envelope.payload = payload.DESCRIPTOR.name, payload.SerializeToString()
    envelope.event_id = event_id
    envelope.kind = kind
    envelope.producer = producer
    envelope.aggregate_id = event.aggregate_id
    envelope.rev = event.rev
    envelope.brand_id = event.brand_id
    envelope.mode = event.mode  # type: ignore[assignment]  # the stubs want the contract's own enum
    envelope.cause_id = event.cause_id
    envelope.subject = event.subject
    envelope.trace_id = event.trace_id or trace_id
    envelope.schema = SCHEMA
    envelope.key = event.key
    if event.received_at is not None:
        passed = event.received_at - _EPOCH  # protobuf's own FromDatetime costs six times as much
        moment = envelope.received_at
        moment.seconds = passed.days * 86_400 + passed.seconds
        moment.nanos = passed.microseconds * 1000
    data = envelope.SerializeToString()
    if len(data) > MAX_EVENT_BYTES:
        raise Invalid(
            f"{kind} of {event.aggregate_id} has {len(data)} bytes, more than {MAX_EVENT_BYTES}: keep long bodies as blobs."
        )
    return topic, event.key, kind, event_id, data, created_us
