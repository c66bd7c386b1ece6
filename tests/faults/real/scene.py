"""One scenario: contacts come in over an installation on servers, something bad happens, and the oracle judges."""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.oracle import judge
from tests.faults.real.world import Distributed, Template, distributed
from tests.faults.traffic import Contact, Ledger, Traffic, plan
from tests.kitlib import wait_until

DRAIN_S = 120.0


@dataclass(slots=True)
class Scene:
    """What a scenario works with. `chance` is of its seed."""

    one: Distributed
    traffic: Traffic
    ledger: Ledger
    chance: random.Random
    contacts: list[Contact]
    began: float
    fed: int = 0

    def feed(self, count: int) -> None:
        """The next contacts of the seed's plan."""
        self.traffic.feed(self.contacts[self.fed : self.fed + count])
        self.fed += count

    def settled(self, deadline_s: float = DRAIN_S) -> None:
        """Returns when all that was fed is acknowledged."""
        wait_until(self.traffic.idle, deadline_s)

    def until(self, count: int, deadline_s: float = 60.0) -> None:
        """Returns when so many contacts are acknowledged."""
        wait_until(lambda: self.ledger.acks() >= count, deadline_s)

    def judged(self) -> list[str]:
        """Feeds what is left, repeats some of it as senders do, drains, stops and judges."""
        self.feed(len(self.contacts) - self.fed)
        self.settled()
        self.traffic.again(self.chance.sample(self.contacts, max(1, len(self.contacts) // 20)))
        self.settled()
        self.traffic.calm()
        self.one.drain(DRAIN_S)
        self.traffic.stop()
        assert self.one.product.stop() == 0
        return judge(self.one, self.ledger)


@contextlib.contextmanager
def scene(
    folder: Path, made: Template, seed: int, contacts: int, *, two: bool = False, defect: str = "", **settings: str
) -> Iterator[Scene]:
    """A running installation and its senders."""
    began, ledger = time.monotonic(), Ledger()
    with distributed(folder, made, two=two, defect=defect, **settings) as one:
        traffic = Traffic(one, ledger, seed)
        traffic.start()
        one.start()
        traffic.up.set()
        sys.stdout.write(f"\nseed {seed}: ready after {time.monotonic() - began:.0f} s, ")
        yield Scene(one, traffic, ledger, random.Random(f"scene-{seed}"), plan(seed, contacts), began)
        took = time.monotonic() - began
        sys.stdout.write(f"{len(ledger.acked)} contacts, {ledger.attempts} sent, {took:.0f} s in all\n")


Harm = Callable[[Scene], None]
