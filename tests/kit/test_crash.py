"""Crash points kill where they are told to, and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.kit.crash import POINTS, CrashPoints
from services.kit.db.sql import Sql
from tests.kitlib import make_kit_database

PASSES = "from services.kit import crash\nfor n in range(4):\n    crash.point('intake.after_commit')\n    print(n, flush=True)"


def passes(armed: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASCOLTO_CRASHPOINT": armed}
    return subprocess.run([sys.executable, "-c", PASSES], env=environment, capture_output=True, text=True, check=False)


def test_the_process_is_killed_at_the_pass_asked_for() -> None:
    killed = passes("intake.after_commit:3")

    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.split() == ["0", "1"]


def test_another_point_kills_nothing() -> None:
    assert passes("intake.before_commit:1").returncode == 0


def test_a_point_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no point"):
        CrashPoints("nowhere:1")
    assert "tickets.consume.before_commit" in POINTS


@pytest.mark.parametrize(
    "point",
    ["intake.before_commit", "intake.after_commit", "tickets.consume.before_commit", "tickets.consume.after_commit"],
)
def test_what_was_promised_before_a_kill_takes_effect_once(point: str, tmp_path: Path) -> None:
    promised: set[str] = set()
    for number, armed in enumerate((f"{point}:1", f"{point}:3", "")):
        run = subprocess.run(
            [sys.executable, "-m", "tests.kit.crash_child", str(tmp_path), "10"],
            env={**os.environ, "ASCOLTO_CRASHPOINT": armed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        promised |= set(run.stdout.split()) - {"done"}
        assert run.returncode == (-signal.SIGKILL if number < 2 else 0), run.stderr

    tickets = make_kit_database(tmp_path, "tickets")
    with tickets.read() as reader:
        seen = [str(row[0]) for row in reader.rows(Sql("SELECT body FROM things ORDER BY id"))]
    tickets.close()
    assert promised == {str(number) for number in range(10)}
    assert seen == [str(number) for number in range(10)]
