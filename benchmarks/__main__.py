"""`make bench`: every measure in turn, a table on the screen and in `results/`; exits with 1 when a floor is missed.

`embedded` or `distributed` as the first argument runs that alone, names after it (`embedded P1 P3`) only those of it; P5 is
measured with P3.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks import distributed, intake, live, mail, memory, search
from benchmarks.report import Row, machine, table

RESULTS = Path(__file__).parent / "results"
MEASURES: dict[str, Callable[[], Iterable[Row]]] = {
    "P1": intake.throughput,
    "P3": intake.latency,
    "P8": mail.parsing,
    "P13": memory.size,
    "P15": intake.fsyncs,
    "P6": search.queries,
    "P7": search.reindex,
    "P10": intake.stored,
    "P11": intake.waiting,
    "P12": live.during,
}
SUITES: dict[str, tuple[str, dict[str, Callable[[], Iterable[Row]]]]] = {
    "embedded": ("# Embedded, one process", MEASURES),
    "distributed": ("# Distributed: PostgreSQL, Kafka, Elasticsearch, S3", {"all": distributed.measure}),
}


def main() -> int:
    """Runs what was asked for."""
    suites = sys.argv[1:2] or list(SUITES)
    missed = [name for name in suites if not _run(name, sys.argv[2:])]
    return int(bool(missed))


def _run(suite: str, names: Sequence[str]) -> bool:
    """One suite; whether every floor is met."""
    head, measures = SUITES[suite]
    if unknown := set(names) - measures.keys():
        sys.exit(f"{suite} has no measure {', '.join(sorted(unknown))}; there are: {', '.join(measures)}.")
    rows: list[Row] = []
    for name in names or measures:
        began = time.perf_counter()
        print(f"{suite} {name} …", flush=True)
        for row in _measured(name, measures[name]):
            rows.append(row)
            print(table([row]).splitlines()[-1], f"({time.perf_counter() - began:.0f} s)", flush=True)
            if not names:  # after each: what was measured is kept when the rest is interrupted
                _keep(RESULTS / f"{suite}.md", head, rows)
    print(f"{machine()}\n\n{table(rows)}")
    return all(row.met for row in rows)


def _measured(name: str, measure: Callable[[], Iterable[Row]]) -> Iterator[Row]:
    """A measure's rows; one that fails is a row that says so, and the others are measured all the same."""
    try:
        yield from measure()
    except Exception as error:  # noqa: BLE001 (shown as what it is, and the run ends with 1)
        traceback.print_exc()
        yield Row(name, f"NOT MEASURED, {type(error).__name__}: {str(error)[:200]}", None, 0, None, None, "")


def _keep(path: Path, head: str, rows: Sequence[Row]) -> None:
    path.parent.mkdir(exist_ok=True)
    made = "Made by `make bench`; each figure beside the probe of the same run."
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    path.write_text(f"{head}\n\n{made}\n\n{machine()}; load at the end {load}.\n\n{table(rows)}\n")


if __name__ == "__main__":
    sys.exit(main())
