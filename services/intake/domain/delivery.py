"""The sending of one answer: its states, which may follow which, when a failure is tried again. No clock, no wire."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from services.kit.errors import Conflict

RETRY_FOR_S = 48 * 3600
_FIRST_WAIT_S = 5.0
_LONGEST_WAIT_S = 3600.0


class State(enum.Enum):
    """Where a delivery stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    TRANSMITTING = "transmitting"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    BOUNCED = "bounced"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


FOLLOWS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.CLAIMED, State.CANCELLED, State.FAILED}),
    State.CLAIMED: frozenset({State.QUEUED, State.TRANSMITTING, State.FAILED}),
    State.TRANSMITTING: frozenset({State.QUEUED, State.SENT, State.DELIVERED, State.FAILED, State.UNKNOWN}),
    State.SENT: frozenset({State.DELIVERED, State.READ, State.BOUNCED}),
    State.DELIVERED: frozenset({State.READ, State.BOUNCED}),
    State.READ: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),  # by a person
    State.BOUNCED: frozenset({State.QUEUED}),  # by a person
    State.UNKNOWN: frozenset({State.SENT, State.DELIVERED, State.BOUNCED, State.QUEUED, State.FAILED}),
    State.CANCELLED: frozenset(),
}
HOLDS_LANE = (State.QUEUED, State.CLAIMED, State.TRANSMITTING, State.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One answer and its sending. `rev` grows with every change; times are microseconds."""

    id: str
    reply_id: str
    ticket_id: str
    brand_id: str
    account_id: str
    channel: str
    conversation: str
    lane: str
    state: State = State.QUEUED
    external_id: str = ""
    error: str = ""
    attempts: int = 0
    due_us: int = 0
    requested_us: int = 0
    changed_us: int = 0
    failed_recipients: tuple[str, ...] = ()
    recipient: str = ""
    automatic: bool = False
    rev: int = 0
    epoch: int = 0
    claim_ends_us: int = 0
    request: bytes = b""


def may_follow(before: State, after: State) -> bool:
    """Whether a delivery in `before` may come to be in `after`."""
    return after in FOLLOWS[before]


def wait_s(attempts: int, *, share: float, asked_s: float = 0.0) -> float:
    """Seconds before the next attempt: doubling from 5 s to an hour, spread by `share` (0 to 1), never under `asked_s`.

    Source: the schedule of Standard Webhooks is of the same order (5 s … 24 h).
    """
    doubled = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(max(attempts - 1, 0), 12))
    return max(asked_s, doubled * (0.75 + 0.5 * share))


def gives_up(*, requested_us: int, now_us: int) -> bool:
    """Whether trying again has lasted long enough: 48 h."""
    return now_us - requested_us >= RETRY_FOR_S * 1_000_000


def resolved(state: State, decision: str) -> State:
    """The state after a person's decision. Raises `Conflict` when the state does not ask for one."""
    choices = {"retry": State.QUEUED, "mark_sent": State.SENT, "give_up": State.FAILED}
    after = choices[decision]
    if state is State.FAILED and decision == "give_up":
        return state
    asks = state is State.UNKNOWN or (state in (State.FAILED, State.BOUNCED) and decision == "retry")
    if not asks or not may_follow(state, after):
        raise Conflict(f"The answer is {state.value}: {decision} is not possible now.")
    return after
