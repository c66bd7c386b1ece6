"""Named points where the process can be killed on purpose: what must survive a power cut is tested by one.

`ASCOLTO_CRASHPOINT=name:n` kills with SIGKILL at the n-th pass of `name`. Without it a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
import threading

POINTS = frozenset(
    {
        "intake.before_commit",
        "intake.after_commit",
        "intake.before_202",
        "intake.consume.before_commit",
        "intake.consume.after_commit",
        "intake.send.claimed",
        "intake.send.transmitting",
        "intake.send.after_wire",
        "move.after_page",
        "move.after_blobs",
        "move.before_report",
        "relay.before_publish",
        "relay.before_delete",
        "relay.after_delete",
        "tickets.consume.before_commit",
        "tickets.consume.after_commit",
        "social.before_commit",
        "social.after_commit",
        "social.consume.before_commit",
        "social.consume.after_commit",
        "search.consume.before_commit",
        "search.consume.after_commit",
        "search.before_index_commit",
        "search.after_index_commit",
    }
)


class CrashPoints:
    """Counts the passes of the one point that is armed."""

    def __init__(self, armed: str) -> None:
        name, _, count = armed.partition(":")
        if name and name not in POINTS:
            raise ValueError(f"ASCOLTO_CRASHPOINT={armed!r}: there is no point {name!r}.")
        self.name, self._left = name, int(count or 1)
        self._lock = threading.Lock()

    def pass_by(self) -> None:
        """Kills this process when the count is reached."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                for pid in (*_together, os.getpid()):
                    os.kill(pid, signal.SIGKILL)


_together: list[int] = []
_armed = CrashPoints(os.environ.get("ASCOLTO_CRASHPOINT", ""))  # read at import: it must cost nothing afterwards


def die_together(pid: int) -> None:
    """Kills that process too: a power cut takes all of them."""
    _together.append(pid)


def point(name: str) -> None:
    """Kills the process here when the environment asked for it."""
    if name == _armed.name:
        _armed.pass_by()
