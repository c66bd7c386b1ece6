"""Scenario 1 on real servers: two whole instances, one of them killed again and again at every named point."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.faults.real.world import SEEDS, Template, distributed
from tests.faults.sweep import ON_SERVERS, live_through, points_of


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_or_doubled_wherever_one_of_two_instances_is_killed(
    tmp_path: Path, on_servers: Template, seed: int
) -> None:
    armed = points_of(seed, ON_SERVERS)
    with distributed(tmp_path / "one", on_servers, two=True) as one:
        outcome = live_through(one, seed, armed, contacts=int(os.environ.get("CONTACTS", "500")))
    sys.stdout.write(f"\n{outcome.line()} met {outcome.met} missed {outcome.missed}\n")
    assert outcome.violations == [], f"seed {seed}"
    assert outcome.kills == len(armed)
    assert len(outcome.met) >= len(armed) // 2, f"seed {seed} met only {outcome.met}"


@pytest.mark.parametrize(
    ("defect", "armed", "rule"),
    [
        ("early-position", ["tickets.consume.before_commit:2", "tickets.consume.before_commit:3"], "(2)"),
        ("skipped-outbox", [], "(2)"),
        ("skipped-inbox", [], "(3)"),
    ],
)
def test_a_rule_left_out_is_found_on_servers_too(
    tmp_path: Path, on_servers: Template, defect: str, armed: list[str], rule: str
) -> None:
    """The negative controls: an offset stored before the work, an outbox passed over, an inbox passed over."""
    with distributed(tmp_path / "one", on_servers, defect=defect) as one:
        outcome = live_through(one, 7, armed, contacts=200, drain_s=30.0)
    assert any(found.startswith(rule) for found in outcome.violations), outcome
