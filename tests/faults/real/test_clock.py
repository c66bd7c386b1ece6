"""Scenario 11 on real servers: the machine's clock is set an hour and a day ahead and back while contacts come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.real.scene import Scene, scene
from tests.faults.real.world import SEEDS, Template

_HOUR, _DAY = 3600.0, 86400.0
_ORDERED = """
SELECT count(*) FROM interactions AS one JOIN interactions AS other USING (ticket_id)
WHERE one.direction = 1 AND other.direction = 1 AND one.seq < other.seq AND one.id > other.id
    AND one.account_id = other.account_id
"""


def _set(shift: Path, seconds: float) -> None:
    """At once: no reader finds half a number."""
    made = shift.with_suffix(".new")
    made.write_text(str(seconds), "ascii")
    made.replace(shift)


def _escalated(now: Scene) -> int:
    """Alerts on which the product called for more help by itself."""
    return int(now.one.store.rows("social", "SELECT count(*) FROM alerts WHERE state = 'escalated'")[0][0])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clock_set_ahead_and_back_loses_doubles_and_escalates_nothing(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    shift = tmp_path / "clock"
    _set(shift, 0.0)
    with scene(tmp_path / "one", on_servers, seed, 300, FAULTS_CLOCK=str(shift)) as now:
        steps = [_HOUR, -_HOUR, _DAY, -_DAY]
        now.chance.shuffle(steps)
        for step in steps:
            now.feed(30)
            now.settled()
            _set(shift, step)
            now.feed(30)
            now.settled()
            _set(shift, 0.0)

        assert now.judged() == [], f"seed {seed}"
        assert _escalated(now) == 0
        assert now.one.store.rows("tickets", _ORDERED) == [(0,)]  # ids of one process go on growing
