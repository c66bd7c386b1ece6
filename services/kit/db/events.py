"""From `Event` to outbox row: the envelope around each event, and the limit of its size."""

from __future__ import annotations

from datetime import UTC, datetime

from ascolto.common.v1.envelope_pb2 import Envelope
from services.kit.db.sql import Sql
from services.kit.errors import Internal, Invalid
from services.kit.ids import new_id
from services.kit.topics import PRODUCERS
from services.kit.uow import Event, Mode

MAX_EVENT_BYTES = 256 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCHEMA = 1

INSERT_OUTBOX = Sql(
    "INSERT INTO outbox (topic, key, kind, event_id, data, created_us)"
    " VALUES (:topic, :key, :kind, :event_id, :data, :created_us)"
)

_MODES = {mode: mode.value for mode in Mode}  # `.value` of an enum is a slow property
OutboxRow = dict[str, str | int | bytes]


def outbox_row(event: Event, producer: str, created_us: int) -> OutboxRow:
    """The row of one event. Raises `Invalid` over 256 KB, `Internal` for a topic of another service."""
    if PRODUCERS.get(event.topic, producer) != producer:
        raise Internal(f"{producer} may not write to {event.topic}, the topic of {PRODUCERS[event.topic]}.")
    kind = event.payload.DESCRIPTOR.name
    event_id = new_id("evt")
    envelope = Envelope(
        event_id=event_id,
        kind=kind,
        producer=producer,
        aggregate_id=event.aggregate_id,
        rev=event.rev,
        mode=_MODES[event.mode],  # type: ignore[arg-type]  # the stubs want the enum's own type
        subject=event.subject,
        schema=SCHEMA,
        key=event.key,
        payload=event.payload.SerializeToString(),
    )
    if event.brand_id:  # what is empty is left out: the constructor pays for each argument it is given
        envelope.brand_id = event.brand_id
    if event.cause_id:
        envelope.cause_id = event.cause_id
    if event.trace_id:
        envelope.trace_id = event.trace_id
    if event.received_at is not None:
        passed = event.received_at - _EPOCH  # protobuf's own FromDatetime costs six times as much
        envelope.received_at.seconds = passed.days * 86_400 + passed.seconds
        envelope.received_at.nanos = passed.microseconds * 1000
    data = envelope.SerializeToString()
    if len(data) > MAX_EVENT_BYTES:
        raise Invalid(
            f"{kind} of {event.aggregate_id} has {len(data)} bytes, more than {MAX_EVENT_BYTES}: keep long bodies as blobs."
        )
    return {
        "topic": event.topic,
        "key": event.key,
        "kind": kind,
        "event_id": event_id,
        "data": data,
        "created_us": created_us,
    }
