"""What every client shares: one caller, one channel, moments as timestamps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.kit.rpc import Caller

if TYPE_CHECKING:
    from services.kit.principal import Person

R = TypeVar("R")
PAGE_S = 2.0  # a page waits no longer for one service


class Client:
    """Calls of one service on a person's behalf."""

    def __init__(self, caller: Caller, channel: grpc.Channel) -> None:
        self._caller, self._channel = caller, channel

    def _call(self, method: Callable[..., R], request: object, person: Person | None, timeout_s: float = PAGE_S) -> R:
        return self._caller.invoke(method, request, person=person, timeout_s=timeout_s)


def stamp(moment: datetime | None) -> Timestamp | None:
    """A moment for the wire; None stays unset."""
    if moment is None:
        return None
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def moment(owner: object, field: str) -> datetime | None:
    """The field of a message as an aware moment; None when it is unset."""
    if not owner.HasField(field):  # type: ignore[attr-defined]  # every message with a timestamp has it
        return None
    found: Timestamp = getattr(owner, field)
    return found.ToDatetime(tzinfo=UTC)
