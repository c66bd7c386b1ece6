"""The one table between our errors and gRPC's, and how an error's fields travel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc

from services.kit import errors

KIND, FIELD, DETAIL, RETRY = "ascolto-kind", "ascolto-field", "ascolto-detail-bin", "ascolto-retry-after"

CODES: dict[str, grpc.StatusCode] = {
    "invalid": grpc.StatusCode.INVALID_ARGUMENT,
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "conflict": grpc.StatusCode.ABORTED,
    "rate_limited": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "internal": grpc.StatusCode.INTERNAL,
}
_KINDS = {code: kind for kind, code in CODES.items()} | {grpc.StatusCode.DEADLINE_EXCEEDED: "unavailable"}

Metadata = tuple[tuple[str, str | bytes], ...]


def trailing(error: errors.AscoltoError) -> Metadata:
    """What travels beside code and message."""
    pairs: list[tuple[str, str | bytes]] = [(KIND, error.kind)]
    if error.field:
        pairs.append((FIELD, error.field))
    if error.detail:
        pairs.append((DETAIL, error.detail))
    if error.retry_after_s:
        pairs.append((RETRY, f"{error.retry_after_s:.3f}"))
    return tuple(pairs)


def to_error(code: grpc.StatusCode, message: str, metadata: Iterable[Any]) -> errors.AscoltoError:
    """The error a servicer raised, as its caller gets it; codes we do not send become `Internal`."""
    fields = dict(metadata)
    kind = str(fields.get(KIND) or _KINDS.get(code, "internal"))
    detail = fields.get(DETAIL, b"")
    return errors.KINDS.get(kind, errors.Internal)(
        message,
        field=str(fields.get(FIELD, "")),
        detail=detail if isinstance(detail, bytes) else detail.encode(),
        retry_after_s=float(fields.get(RETRY, 0) or 0),
    )
