"""The two sounds of the desk, computed: a rising pair of notes when somebody writes, a falling one for an alert."""

from __future__ import annotations

import functools
import io
import math
import wave

_RATE = 11_025  # per second; the notes stay far below half of it
_NOTE_S = 0.14
_FADE_S = 0.45
BELL, ALERT = (587.0, 784.0), (523.0, 392.0)  # Hz


@functools.cache
def tone(notes: tuple[float, ...]) -> bytes:
    """A WAV of 8 bits: one note after the other, each fading out."""
    length = int(_RATE * (_NOTE_S * len(notes) + _FADE_S))
    samples = bytearray(
        128 + round(28 * sum(_heard(note, at / _RATE - n * _NOTE_S) for n, note in enumerate(notes)))
        for at in range(length)
    )
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(_RATE)
        file.writeframes(bytes(samples))
    return made.getvalue()


def _heard(note: float, since_s: float) -> float:
    """How far the note swings `since_s` after it began: a soft start, then exponential decay."""
    if since_s < 0:
        return 0.0
    return math.sin(2 * math.pi * note * since_s) * min(1.0, since_s / 0.01) * math.exp(-9 * since_s)
