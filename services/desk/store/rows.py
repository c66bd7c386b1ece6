"""Moments and JSON as they lie in rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from services.kit.uow import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime | None) -> int:
    """Microseconds since 1970; 0 for None."""
    return 0 if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment(value: Value) -> datetime | None:
    """The moment of a row; None for 0."""
    number = int(value or 0)
    return _EPOCH + number * _MICROSECOND if number else None


def a_moment(value: Value) -> datetime:
    """The moment of a row that always has one."""
    return _EPOCH + int(value or 0) * _MICROSECOND


def dump(value: Any) -> str:
    """JSON text for a row."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load(value: Value) -> Any:
    """The value of a row's JSON text."""
    return json.loads(str(value))


def texts(value: Value) -> tuple[str, ...]:
    """A row's JSON list of texts."""
    return tuple(str(item) for item in load(value))
