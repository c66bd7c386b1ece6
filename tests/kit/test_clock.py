"""A clock that is corrected is noticed; one that merely runs is not."""

from __future__ import annotations

from services.kit.clock import ManualClock, SetBack


def test_a_clock_set_back_is_seen_once_and_time_that_passes_never() -> None:
    clock = ManualClock()
    set_back = SetBack(clock)

    clock.advance(days=3)
    assert not set_back.seen()
    clock.set(hours=1)
    assert not set_back.seen()
    clock.set(hours=-1)
    assert set_back.seen()
    assert not set_back.seen()
    clock.set(seconds=-1)  # a clock kept right
    assert not set_back.seen()
