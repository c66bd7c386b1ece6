"""Time as an argument: everything that asks for the hour takes a `Clock`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_SLIPS_S = 2.0  # less is how a clock is kept right all day


class Clock(Protocol):
    """Wall time for people and records; monotonic seconds for durations."""

    def now(self) -> datetime:
        """The present moment, UTC-aware."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, UTC-aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()


class SetBack:
    """Notices that the clock was set back: what was put off while it was ahead would wait for an hour that is far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_s = self._look()

    def _look(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    def seen(self) -> bool:
        """Whether it was, by more than a few seconds, since this was asked last."""
        before, self._ahead_s = self._ahead_s, self._look()
        return self._ahead_s < before - _SLIPS_S


class ManualClock:
    """A clock that stands still until `advance`: for tests."""

    def __init__(self, start: datetime = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """The moment set."""
        return self._now

    def monotonic(self) -> float:
        """Seconds advanced since the start."""
        return self._monotonic

    def advance(self, **by: float) -> None:
        """Moves both clocks on by a `timedelta`'s arguments."""
        step = timedelta(**by)
        self._now += step
        self._monotonic += step.total_seconds()

    def set(self, **by: float) -> None:
        """Sets the hour alone on, or back, by a `timedelta`'s arguments, as somebody who corrects a clock does."""
        self._now += timedelta(**by)
