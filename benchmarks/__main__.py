"""`make bench`: every measure in turn, a table on the screen and in `results/`; exits with 1 when a floor is missed.

Names as arguments (`python -m benchmarks P1 P3`) run only those.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import intake, mail, memory, search
from benchmarks.report import Row, machine, table

RESULTS = Path(__file__).parent / "results" / "embedded.md"
MEASURES: dict[str, Callable[[], list[Row]]] = {
    "P1": intake.throughput,
    "P3": intake.latency,
    "P6": search.queries,
    "P7": search.reindex,
    "P8": mail.parsing,
    "P10": intake.stored,
    "P11": intake.waiting,
    "P13": memory.size,
    "P15": intake.fsyncs,
}


def main() -> int:
    """Runs what was asked for."""
    wanted = sys.argv[1:] or list(MEASURES)
    rows: list[Row] = []
    for name in wanted:
        began = time.perf_counter()
        print(f"{name} …", flush=True)
        rows += MEASURES[name]()
        print(f"{table(rows[-1:])}\n({time.perf_counter() - began:.0f} s)", flush=True)
    text = f"{machine()}\n\n{table(rows)}\n"
    print(text)
    if not sys.argv[1:]:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(
            f"# Embedded, one process\n\nMade by `make bench`; each figure beside the probe of the same run.\n\n{text}"
        )
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
