"""Scenarios 2 and 10: the power is cut, with all that was not yet made durable gone; and a disk that takes its time.

`durable.c`, compiled with the machine's own compiler, copies each file in the moment in which it is made durable.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kitlib import wait_until

START = int(os.environ.get("START", "1"))
SEEDS = range(START, START + int(os.environ.get("SEEDS", "3")))
_CUTS = 60
pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to be preloaded."""
    compiler = shutil.which("cc")
    assert compiler, "A C compiler is needed: install one as `cc`."
    made = tmp_path_factory.mktemp("durable") / "durable.so"
    source = Path(__file__).with_name("durable.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


@dataclass
class Writer:
    """A process that writes, what it promised, and the files as a power cut would leave them."""

    process: subprocess.Popen[bytes]
    told: Path
    stable: Path

    def promised(self) -> dict[str, float]:
        """Ids, with the seconds that each took. A line that is not whole yet was not promised."""
        lines = self.told.read_text("ascii").rpartition("\n")[0].splitlines()
        return {line.split()[0]: float(line.split()[1]) for line in lines}

    def cut(self, folder: Path) -> tuple[set[str], set[str]]:
        """What was promised by now, and what a start after a power cut would find."""
        self.process.send_signal(signal.SIGSTOP)
        promised = set(self.promised())
        shutil.copytree(self.stable, folder)
        for copy in folder.iterdir():
            if not (self.stable.parent / "data" / copy.name).exists():
                copy.unlink()  # a journal whose removal made an earlier transaction durable
        self.process.send_signal(signal.SIGCONT)
        with contextlib.closing(sqlite3.connect(folder / "intake.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return promised, {row[0] for row in database.execute("SELECT id FROM things")}


@contextlib.contextmanager
def writing(folder: Path, preload: Path, *, pragma: str = "", **more: str) -> Iterator[Writer]:
    """A writer at work, killed at the end."""
    stable, told = folder / "stable", folder / "told"
    stable.mkdir()
    (folder / "data").mkdir()
    environment = os.environ | {"LD_PRELOAD": str(preload), "STABLE": str(stable), **more}
    command = [sys.executable, "-m", "tests.faults.durable_child", str(folder / "data"), *([pragma] if pragma else [])]
    with told.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, env=environment)
    writer = Writer(process, told, stable)
    try:
        wait_until(lambda: len(writer.promised()) > 100 or process.poll() is not None, 60)
        yield writer
    finally:
        process.kill()
        process.wait()


def lost(folder: Path, preload: Path, seed: int, pragma: str = "") -> int:
    """What cuts at many moments cost of what was promised."""
    chance, gone = random.Random(f"power-{seed}"), 0
    with writing(folder, preload, pragma=pragma) as writer:
        for number in range(_CUTS):
            time.sleep(chance.uniform(0.0, 0.05))  # sleep: the moment of the cut is the seed's
            promised, found = writer.cut(folder / f"cut-{number}")
            gone += len(promised - found)
            shutil.rmtree(folder / f"cut-{number}")
        assert len(writer.promised()) > 200
    return gone


@pytest.mark.parametrize("seed", SEEDS)
def test_a_power_cut_costs_nothing_that_was_promised(tmp_path: Path, preload: Path, seed: int) -> None:
    assert lost(tmp_path, preload, seed) == 0, f"seed {seed}"


def test_made_durable_less_often_the_same_cuts_cost_promises(tmp_path: Path, preload: Path) -> None:
    assert lost(tmp_path, preload, 1, pragma="synchronous=NORMAL") > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_slow_disk_more_is_committed_together_and_nobody_waits_for_ever(
    tmp_path: Path, preload: Path, seed: int
) -> None:
    slow_s = random.Random(f"slow-{seed}").choice((0.2, 0.5))
    with writing(tmp_path, preload, FSYNC_MS=f"{slow_s * 1000:.0f}") as writer:
        promised, found = writer.cut(tmp_path / "cut")
        took = sorted(writer.promised().values())

    assert promised <= found, f"seed {seed}"
    assert took[len(took) // 2] >= slow_s
    assert took[-1] <= 10 * slow_s + 2.0, took[-5:]  # own group, the one before, and a checkpoint
