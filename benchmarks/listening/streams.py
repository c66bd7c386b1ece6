"""False alerts, recall and delay of the detector on synthetic streams: `python benchmarks/listening/streams.py`.

Poisson posts in five-minute bins over rates that are flat, daily (with quieter weekends), growing, or noisy (a gamma
factor that lasts two hours: real talk comes in waves); bursts last two hours, one a week at most. Seeds are fixed.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import NDArray

from services.social.domain.detector import Signal, Stream

BIN_S, WEEK = 300.0, 2016
KINDS = ("flat", "daily", "growing", "noisy")
BASES = (0.001, 0.01, 0.1, 1.0, 10.0)


def rates(base: float, kind: str, bins: int, rng: np.random.Generator) -> NDArray[np.float64]:
    at = np.arange(bins) * BIN_S
    if kind == "daily":
        weekend = np.where((at // 86400) % 7 >= 5, 0.6, 1.0)
        return np.asarray(base * (1 + 0.8 * np.sin(2 * np.pi * (at / 86400 - 0.3))) * weekend)
    if kind == "growing":
        return np.asarray(base * (1 + 2 * at / at[-1]))
    if kind == "noisy":
        return np.asarray(base * np.repeat(rng.gamma(4, 0.25, bins // 24 + 1), 24)[:bins])
    return np.full(bins, base)


def listen(rate: NDArray[np.float64], rng: np.random.Generator) -> tuple[list[Signal], int]:
    stream, signals = Stream(), []
    counts = rng.poisson(rate)
    for place, count in enumerate(counts.tolist()):
        start = place * BIN_S
        offsets = np.sort(rng.random(count)).tolist()
        signals.extend([stream.observe(start + offset * BIN_S) for offset in offsets])
        signals.append(stream.advance(start + BIN_S))
    return [signal for signal in signals if signal is not None], int(counts.sum())


def false_alerts(weeks: int, seeds: int) -> None:
    print("false alerts a stream and week after the first; alerts in the first week in brackets")
    print("posts a bin  " + "  ".join(f"{kind:>14}" for kind in KINDS))
    for base in BASES:
        cells = []
        for kind in KINDS:
            late = early = 0
            for seed in range(seeds):
                rng = np.random.default_rng(seed)
                raised = [s for s in listen(rates(base, kind, weeks * WEEK, rng), rng)[0] if s.kind == "raised"]
                early += sum(signal.at_s <= WEEK * BIN_S for signal in raised)
                late += sum(signal.at_s > WEEK * BIN_S for signal in raised)
            cells.append(f"{late / seeds / (weeks - 1):>8.3f} ({early:>2})")
        print(f"{base:<12g}" + "  ".join(f"{cell:>14}" for cell in cells), flush=True)


def recall(weeks: int) -> None:
    print("\nrecall and median delay in minutes, bursts of two hours")
    print("posts a bin  " + "  ".join(f"{size:>14}x" for size in (2, 5, 20)))
    for base in (0.1, 1.0, 10.0, 50.0):
        cells = []
        for size in (2, 5, 20):
            found, delays, number = 0, [], 0
            for kind in ("flat", "noisy"):
                rng = np.random.default_rng(int(base * 10) + size)
                rate = rates(base, kind, weeks * WEEK, rng)
                starts = [int((week + 0.5) * WEEK) for week in range(1, weeks)]
                for start in starts:
                    rate[start : start + 24] *= size
                raised = [s.at_s for s in listen(rate, rng)[0] if s.kind == "raised"]
                for start in starts:
                    hits = [at for at in raised if start * BIN_S <= at <= (start + 26) * BIN_S]
                    number += 1
                    found += bool(hits)
                    delays += [(hits[0] - start * BIN_S) / 60] if hits else []
            cells.append(f"{found / number:.2f} {np.median(delays) if delays else float('nan'):>6.1f} min")
        print(f"{base:<12g} " + "  ".join(f"{cell:>15}" for cell in cells), flush=True)


def cost() -> None:
    rng = np.random.default_rng(1)
    started = time.perf_counter()
    _, posts = listen(np.full(500, 300.0), rng)
    print(
        f"\n{(time.perf_counter() - started) / posts * 1e6:.1f} microseconds a post, {len(Stream().pack())} bytes a stream"
    )


if __name__ == "__main__":
    weeks = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    false_alerts(weeks, seeds=2)
    recall(min(weeks, 5))
    cost()
