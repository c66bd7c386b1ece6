"""A row of results, the table, and the line that names the machine."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its floor. `ours` and `probe` are the medians it was made of; `at_most`: less is better.

    Where a figure is only shown, the floor is infinite and met.
    """

    id: str
    what: str
    value: float | None
    floor: float
    ours: float | None
    probe: float | None
    unit: str
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the floor is met; None when it was not measured."""
        if self.value is None:
            return None
        return self.value <= self.floor if self.at_most else self.value >= self.floor


def machine() -> str:
    """What it was measured on."""
    memory = next(
        (line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")), "0"
    )
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} cores ({names[0] if names else platform.machine()}), {int(memory) // 1024 // 1024} GiB, Python {platform.python_version()}, shared virtual machine"


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [
        "| id | measure | figure | floor | met | ours | probe | unit |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        met = {True: "yes", False: "NO", None: "not measured"}[row.met]
        sign = "≤" if row.at_most else "≥"
        bound, met = ("–", "–") if math.isinf(row.floor) else (f"{sign} {row.floor:g}", met)
        lines.append(
            f"| {row.id} | {row.what} | {_number(row.value)} | {bound} | {met} | {_number(row.ours)} | {_number(row.probe)} | {row.unit} |"
        )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
