"""`make bench`: every measure in turn, a table on the screen and in `results/`; exits with 1 when a floor is missed.

Names as arguments (`python -m benchmarks P1 P3`) run only those.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks import intake, mail, memory, search
from benchmarks.report import Row, machine, table

RESULTS = Path(__file__).parent / "results" / "embedded.md"
MEASURES: dict[str, Callable[[], list[Row]]] = {
    "P1": intake.throughput,
    "P3": intake.latency,
    "P8": mail.parsing,
    "P13": memory.size,
    "P15": intake.fsyncs,
    "P6": search.queries,
    "P7": search.reindex,
    "P10": intake.stored,
    "P11": intake.waiting,
}


def main() -> int:
    """Runs what was asked for."""
    wanted = sys.argv[1:] or list(MEASURES)
    rows: list[Row] = []
    for name in wanted:
        began = time.perf_counter()
        print(f"{name} …", flush=True)
        found = _measured(name)
        rows += found
        print(f"{table(found)}\n({time.perf_counter() - began:.0f} s)", flush=True)
        if not sys.argv[1:]:  # after each: what was measured is kept when the rest is interrupted
            _keep(rows)
    print(f"{machine()}\n\n{table(rows)}")
    return int(any(row.met is not True for row in rows))


def _measured(name: str) -> list[Row]:
    """One measure's rows; one that fails is a row that says so, and the others are measured all the same."""
    try:
        return MEASURES[name]()
    except Exception as error:  # noqa: BLE001 (shown as what it is, and the run ends with 1)
        traceback.print_exc()
        return [Row(name, f"failed: {type(error).__name__}", None, 0, None, None, "")]


def _keep(rows: list[Row]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    head = "# Embedded, one process\n\nMade by `make bench`; each figure beside the probe of the same run."
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    RESULTS.write_text(f"{head}\n\n{machine()}; load at the end {load}.\n\n{table(rows)}\n")


if __name__ == "__main__":
    sys.exit(main())
