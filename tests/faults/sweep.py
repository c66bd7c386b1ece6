"""One seed of the kill sweep: contacts come in while the process is killed, is started again, and is killed again."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.kit.crash import POINTS
from tests.faults.installation import Installation
from tests.faults.oracle import judge
from tests.faults.traffic import Ledger, Traffic, plan
from tests.kitlib import wait_until

PARTS = 3  # consecutive seeds that together meet every point
_LIFE_S = 10.0  # a point that is not met in this time is a random kill
# Commits of contacts are passed often; a post, an answer's wire and the index's commits, which gather much, seldom.
_PASSES = (("search.", 5), ("social.", 3), ("intake.send.", 4), ("intake.consume.", 4), ("", 20))
_ALL_S = 180.0
# What an installation without servers passes; a move has a sweep of its own.
EMBEDDED = sorted(point for point in POINTS if not point.startswith(("relay.", "move.")))
ON_SERVERS = sorted(point for point in POINTS if not point.startswith("move."))


@dataclass(slots=True)
class Outcome:
    """What a seed showed. `met` are the points at which the process died, `missed` those it did not pass often enough."""

    seed: int
    contacts: int = 0
    sent: int = 0
    replies: int = 0
    kills: int = 0
    met: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    ready_cpu_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def line(self) -> str:
        """For the report: one row of its table."""
        slowest = max(self.ready_s, default=0.0)
        return (
            f"| {self.seed} | {self.contacts} | {self.sent} | {self.replies} | {self.kills} | {len(self.met)} |"
            f" {slowest:.1f} | {self.wall_s:.0f} | {len(self.violations)} |"
        )


def points_of(seed: int, points: Sequence[str] = EMBEDDED) -> list[str]:
    """The crash points of a seed, each with the pass at which it kills; and kills at any moment (empty)."""
    chance = random.Random(f"points-{seed}")
    mine = points[seed % PARTS :: PARTS]
    most = [next(passes for prefix, passes in _PASSES if name.startswith(prefix)) for name in mine]
    armed = [f"{name}:{chance.randint(1, passes)}" for name, passes in zip(mine, most, strict=True)]
    armed += ["", ""]
    chance.shuffle(armed)
    return armed


def live_through(
    one: Installation, seed: int, armed: Sequence[str], *, contacts: int, drain_s: float = _ALL_S
) -> Outcome:
    """Runs a seed on an installation that was never started: so many lives as points, one more, and the judgement."""
    began = time.monotonic()
    outcome = Outcome(seed, contacts)
    chance = random.Random(f"kills-{seed}")
    everything = plan(seed, contacts)
    share = -(-contacts // (len(armed) + 1))
    ledger = Ledger()
    traffic = Traffic(one, ledger, seed)
    traffic.start()
    for place, point in enumerate(armed):
        traffic.feed(everything[place * share : (place + 1) * share])
        _one_life(one, traffic, point, outcome, 0.3 + 1.2 * chance.random())
    traffic.feed(everything[len(armed) * share :])
    _note_start(one, outcome, one.start())
    traffic.up.set()
    wait_until(traffic.idle, _ALL_S)
    traffic.again(chance.sample(everything, len(everything) // 20) + traffic.returning())
    wait_until(traffic.idle, _ALL_S)
    traffic.calm()
    try:
        one.drain(drain_s)
    except AssertionError as error:  # it is judged all the same
        outcome.violations.append(f"(8) {error}")
    traffic.stop()
    assert one.product.stop() == 0, one.log()[-2_000:]
    outcome.sent, outcome.replies = ledger.attempts, len(ledger.replies)
    outcome.violations += judge(one, ledger)
    outcome.wall_s = time.monotonic() - began
    return outcome


def _one_life(one: Installation, traffic: Traffic, point: str, outcome: Outcome, moment_s: float) -> None:
    """From a start to a kill: at the point, or, without one, after `moment_s`."""
    ready = one.start(point)
    _note_start(one, outcome, ready)
    traffic.up.set()
    end = time.monotonic() + (_LIFE_S if point else moment_s)
    wait_until(lambda: one.ended() or time.monotonic() > end, _LIFE_S + 5)
    traffic.up.clear()
    if one.ended():
        outcome.met.append(point)
    elif point:
        outcome.missed.append(point)
    if not one.ended():
        one.product.kill()
    outcome.kills += 1


def _note_start(one: Installation, outcome: Outcome, ready_s: float | None) -> None:
    if ready_s is not None:
        outcome.ready_s.append(ready_s)
        outcome.ready_cpu_s.append(one.spent_s())
