"""Crash points kill where they are told to, and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from services.kit.crash import POINTS, CrashPoints

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
