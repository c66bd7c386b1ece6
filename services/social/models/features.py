"""Hashed features of a text for the tone model, for a whole batch at once in numpy; the fit and the use share them.

Three blocks a text: characters (2 to 5 inside words), words (1 and 2), and signs (hand-written word beginnings, emoji,
stretched words, capitals, marks). No vocabulary is kept: a feature is its hash.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.social.domain.text import fold
from services.social.models import lexicon

CHARACTER_BITS = 18
WORD_BITS = 17
SIGNS = 48
WIDTH = (1 << CHARACTER_BITS) + (1 << WORD_BITS) + SIGNS
LONGEST_TEXT = 2000  # what is angry says so within two thousand characters; the rest costs time only

_WORD_START = 1 << CHARACTER_BITS
_SIGN_START = _WORD_START + (1 << WORD_BITS)
_URL = re.compile(r"(?:https?://|www\.)\S+|\bhttps?\b", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w.])@[\w.-]+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_TOKEN = re.compile(r"[#@]?\w+|[^\w\s]{1,3}")
_HAPPY = re.compile(r"[:;=xX8][-'^o]?[)DdpP\]]|<3|\^_?\^|\(:")
_UNHAPPY = re.compile(r"[:;=][-'^o]?[(/\\\[|cC](?!/)|:'\(|\):|-_+-|>_<")
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_GLAD, _SAD = frozenset(lexicon.GLAD), frozenset(lexicon.SAD)


@dataclass(frozen=True, slots=True)
class Features:
    """Entries of a sparse matrix in text order: `values[k]` of feature `columns[k]` for text `rows[k]`."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float32]
    texts: int


class Beginnings:
    """Word beginnings of one language, looked up by the beginnings of a word from three letters on."""

    def __init__(self, listing: str) -> None:
        entries = [fold(entry) for entry in listing.split()]
        self._whole = frozenset(entry[:-1] for entry in entries if entry.endswith("$"))
        self._start = frozenset(entry for entry in entries if not entry.endswith("$"))

    def holds(self, word: str) -> bool:
        """Whether the folded word is listed whole or starts with a listed beginning."""
        if word in self._whole:
            return True
        return any(word[:length] in self._start for length in range(2, min(len(word), 12) + 1))


class Extractor:
    """Turns texts of one language into `Features`."""

    def __init__(self, language: str) -> None:
        self._positive = Beginnings(lexicon.POSITIVE[language])
        self._negative = Beginnings(lexicon.NEGATIVE[language])
        self._negation = Beginnings(lexicon.NEGATION[language])
        self._known: dict[str, int] = {}

    def extract(self, texts: Sequence[str]) -> Features:
        """Features of every text; each block has length one, so that no block drowns another."""
        cleaned, signs = [], np.zeros((len(texts), SIGNS), np.float32)
        tokens: list[list[str]] = []
        for row, text in enumerate(texts):
            short = text[:LONGEST_TEXT]
            plain = fold(_NUMBER.sub("0", _HANDLE.sub("@user", _URL.sub("http", short))))
            plain = _STRETCHED.sub(r"\1\1", plain)
            found = _TOKEN.findall(plain)
            tokens.append(found)
            cleaned.append(" " + " ".join(plain.split()) + " ")
            self._sign(signs[row], short, found)
        rows, columns, values = zip(_characters(cleaned), _words(tokens), _dense(signs), strict=True)
        return Features(
            np.concatenate(rows), np.concatenate(columns), np.concatenate(values).astype(np.float32), len(texts)
        )

    def _class_of(self, word: str) -> int:
        known = self._known.get(word)
        if known is None:
            known = self._positive.holds(word) + 2 * self._negative.holds(word) + 4 * self._negation.holds(word)
            if len(self._known) > 50_000:  # a cap, so that a stream of made-up words cannot fill the memory
                self._known.clear()
            self._known[word] = known
        return known

    def _sign(self, out: NDArray[np.float32], text: str, tokens: list[str]) -> None:
        good = bad = turned_good = turned_bad = 0
        last_good = last_bad = False
        negated = 0
        for token in tokens:
            kind = self._class_of(token.lstrip("#"))
            if kind & 1:
                turned_good += negated > 0
                good += negated <= 0
                last_good, last_bad = True, False
            if kind & 2 and not kind & 4:
                turned_bad += negated > 0
                bad += negated <= 0
                last_good, last_bad = False, True
            negated = 4 if kind & 4 else negated - 1
        glad = sum(character in _GLAD for character in text) + len(_HAPPY.findall(text))
        sad = sum(character in _SAD for character in text) + len(_UNHAPPY.findall(text))
        letters = sum(map(str.isalpha, text)) or 1
        loud = sum(map(str.isupper, text)) / letters
        balance = good + turned_bad * 0.5 - bad - turned_good
        size = max(len(tokens), 4)
        for place, value in enumerate((good, bad, turned_good, turned_bad, glad, sad)):
            out[place * 2] = value > 0
            out[place * 2 + 1] = min(value, 4) / 4
        out[12:24] = (
            balance >= 1, balance >= 2, balance <= -1, balance <= -2, balance / size * 3, last_good, last_bad,
            good > 0 and bad > 0, good == 0 and bad == 0, good / size * 3, bad / size * 3, max(-3, min(3, balance)) / 3,
        )  # fmt: skip
        out[24:36] = (
            _STRETCHED.search(text) is not None, "!" in text, "!!" in text, "?" in text, "??" in text or "?!" in text,
            "..." in text or "…" in text, loud > 0.5 and letters > 8, "http" in text, "@" in text[:1], "#" in text,
            '"' in text or "«" in text or "“" in text, len(tokens) < 8,
        )  # fmt: skip
        out[36:40] = len(tokens) > 20, ":" in text, "RT @" in text[:4], glad > 0 and bad > 0


def _characters(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Character sequences of 2 to 5 that do not cross a blank (it may be their first or last character)."""
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in texts], np.int64)
    row_of = np.repeat(np.arange(len(texts), dtype=np.int64), lengths)
    blank = points == 32
    mixed = (points + np.uint64(1)) * _PRIME
    mixed ^= mixed >> np.uint64(29)
    running, crossed = mixed, np.zeros(len(points), bool)
    keys = []
    for length in range(2, 6):
        if len(points) < length:
            break
        before = len(points) - length + 1
        crossed = crossed[:before] | (blank[length - 2 : length - 2 + before] if length > 2 else False)
        running = (running[:before] * np.uint64(0x100000001B3)) ^ mixed[length - 1 : length - 1 + before]
        hashed = (running * _PRIME) >> np.uint64(64 - CHARACTER_BITS)
        inside = (row_of[:before] == row_of[length - 1 : length - 1 + before]) & ~crossed
        inside &= ~(blank[:before] & blank[length - 1 : length - 1 + before])
        keys.append((row_of[:before][inside] << CHARACTER_BITS) | hashed[inside].astype(np.int64))
    return _counted(np.concatenate(keys) if keys else np.zeros(0, np.int64), CHARACTER_BITS, 0, len(texts))


def _words(tokens: Sequence[list[str]]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    keys: list[int] = []
    mask = (1 << WORD_BITS) - 1
    for row, found in enumerate(tokens):
        base, before = row << WORD_BITS, 0
        for token in found:
            code = zlib.crc32(token.encode("utf-8", "surrogatepass"))
            keys.append(base | ((code * 0x9E3779B1 >> 13) & mask))
            if before:
                keys.append(base | (((before * 31 ^ code) * 0x85EBCA77 >> 13) & mask))
            before = code
    return _counted(np.array(keys, np.int64), WORD_BITS, _WORD_START, len(tokens))


def _counted(
    keys: NDArray[np.int64], bits: int, start: int, texts: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Counts damped to 1 + ln(count), each text's block scaled to length one."""
    unique, counts = np.unique(keys, return_counts=True)
    rows, columns = unique >> bits, (unique & ((1 << bits) - 1)) + start
    values = 1.0 + np.log(counts)
    norms = np.sqrt(np.bincount(rows, values * values, minlength=texts))
    return rows, columns, values / norms[rows]


def _dense(signs: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    rows, columns = np.nonzero(signs)
    return rows.astype(np.int64), columns.astype(np.int64) + _SIGN_START, signs[rows, columns].astype(np.float64)
