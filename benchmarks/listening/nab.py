"""Standard-profile NAB score of the tracks on a folder of labelled series: `python benchmarks/listening/nab.py FOLDER`.

The folder holds CSV files (timestamp, value) and `windows.json` (labelled windows by file). The first 15 % of a series
(at most 750 points) are probation. The threshold is the one best over all series, as the benchmark prescribes.
Source: Lavin, Ahmad, Evaluating real-time anomaly detection algorithms, ICMLA 2015.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from services.social.domain.detector import AGAIN_AT, FAST
from services.social.domain.track import Track

FALSE_POSITIVE, FALSE_NEGATIVE = 0.11, 1.0
THRESHOLDS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 30, 50)
CALM_BINS, ENDS_BELOW = 48, 1.0

Windows = list[tuple[int, int]]


def read(folder: Path) -> dict[str, tuple[list[float], Windows]]:
    labels = json.loads((folder / "windows.json").read_text(encoding="utf-8"))
    series = {}
    for name, spans in labels.items():
        if not (folder / name).exists():
            continue
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))[1:]
        times = [datetime.fromisoformat(row[0]) for row in rows]
        windows = [
            (
                next(place for place, at in enumerate(times) if at >= datetime.fromisoformat(first)),
                max(place for place, at in enumerate(times) if at <= datetime.fromisoformat(last)),
            )
            for first, last in spans
        ]
        series[name] = ([float(row[1]) for row in rows], windows)
    return series


def scores(values: list[float], unit: float) -> list[float]:
    """Mean score of the averaged settings before each value is learned, then the episode rule."""
    tracks = [Track(replace(setting, unit=unit)) for setting in FAST]
    spoken, peak, calm = [], 0.0, 0
    for value in values:
        score = 0.0
        for track in tracks:
            offset, slope = track.line()
            score += (offset + slope * value) / len(tracks)
            track.learn(value)
        said = 0.0
        if score < ENDS_BELOW:
            calm += 1
            peak = 0.0 if calm >= CALM_BINS else peak
        else:
            calm = 0
            if not peak or score > AGAIN_AT * peak:
                said = peak = score
        spoken.append(said)
    return spoken


def sigmoid(place: float) -> float:
    return 2 / (1 + math.exp(5 * place)) - 1


def score_series(said: list[float], windows: Windows, threshold: float) -> float:
    total, best = 0.0, [-FALSE_NEGATIVE] * len(windows)
    for place in range(min(int(0.15 * len(said)), 750), len(said)):
        if said[place] < threshold:
            continue
        inside = next((n for n, (first, last) in enumerate(windows) if first <= place <= last), None)
        if inside is not None:
            first, last = windows[inside]
            best[inside] = max(best[inside], sigmoid(-(last - place + 1) / (last - first + 1)) / sigmoid(-1.0))
            continue
        before = [(first, last) for first, last in windows if last < place]
        far = (place - before[-1][1]) / max(before[-1][1] - before[-1][0], 1) if before else math.inf
        total += FALSE_POSITIVE * (-1.0 if far > 3 else sigmoid(far))
    return total + sum(best)


def main(folder: Path) -> None:
    series = read(folder)
    number = sum(len(windows) for _, windows in series.values())
    for unit, name in ((0.0, "values"), (1.0, "counts")):
        said = {key: scores(values, unit) for key, (values, _) in series.items()}
        best = max(
            (100 * (sum(score_series(said[key], series[key][1], at) for key in series) + number) / (2 * number), at)
            for at in THRESHOLDS
        )
        print(f"read as {name}: {best[0]:.1f} at {best[1]} ({len(series)} series, {number} windows)")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
