"""Scenarios 3 to 6 on real servers: the log or the index away, answers lost, members that come, go and sleep."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.real.scene import scene
from tests.faults.real.world import SEEDS, Template
from tests.kitlib import wait_until


@pytest.mark.parametrize("seed", SEEDS)
def test_an_acknowledgement_lost_on_the_way_doubles_nothing(tmp_path: Path, on_servers: Template, seed: int) -> None:
    with scene(tmp_path / "one", on_servers, seed, 300) as now:
        now.feed(50)
        now.settled()
        now.one.kafka.lose_acknowledgements(3)
        now.feed(250)
        now.settled()
        wait_until(lambda: now.one.kafka.lost >= 1, 30)
        assert now.judged() == [], f"seed {seed}"
