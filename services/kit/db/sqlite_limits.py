"""Bounds of a SQLite database, with the reasons for their values."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a database. `strict` makes a function over its budget fail: tests set it, production only logs."""

    group_jobs: int = 100
    group_s: float = 0.010
    waiting_jobs: int = 20_000  # beyond it a write raises `Unavailable`: back-pressure
    waiting_bulk: int = 1_000
    bulk_patience_s: float = 0.2  # bulk that waited longer gets one place in a group of people's writes
    warn_s: float = 0.002
    budget_s: float = 0.020
    budget_row_s: float = 0.001  # a function that declares `rows` may take this much for each, if that is more
    strict: bool = False
    busy_s: float = 5.0
    # 48 MiB of write-ahead log: a commit of one contact adds some 40 KB, and who waits for a commit waits for the
    # checkpoint too; the longer apart, the fewer wait, and the more pages are written once.
    checkpoint_pages: int = 12_000
    truncate_bytes: int = 64 * _MIB
    idle_s: float = 1.0
    readers: int = 8
    max_pages: int = 0  # tests of the full disk; 0 sets none
