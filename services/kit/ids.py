"""Opaque, prefixed, sortable ids: `tkt_` + UUIDv7 in 26 characters of Crockford's base 32, lower case."""

from __future__ import annotations

import os
import struct
import threading
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # two digits a step: half the time
_CHANCE = struct.Struct(">Q")
_30_BITS = (1 << 30) - 1
_LAST_MS = 253_402_300_799_000  # end of the year 9999, the last that `datetime` knows
_POOL_BYTES = 4096  # asked of the system at once: each asking costs a system call, and the interpreter's lock with it
_lock = threading.Lock()
_last: list[int] = [0]
_pool = bytearray()
os.register_at_fork(after_in_child=_pool.clear)  # a child draws its own


def new_id(prefix: str) -> str:
    """A fresh id such as `tkt_01k…`; ids of one process sort in the order they were made.

    Source: RFC 9562, section 5.7 (UUIDv7), with the 12 bits of `rand_a` as a sub-millisecond counter.
    """
    return new_ids(prefix, 1)[0]


def new_ids(prefix: str, count: int) -> list[str]:
    """So many at once, in order: the hour, the lock and the randomness are asked for but once."""
    stamp = time.time_ns() // 250  # a quarter of a microsecond fits millisecond (48 bits) + rand_a (12 bits)
    with _lock:
        stamp = max(stamp, _last[0] + 1)
        _last[0] = stamp + count - 1
        chance = _draw(8 * count)
    made = []
    for number, (drawn,) in enumerate(_CHANCE.iter_unpack(chance), stamp):
        millisecond, fraction = divmod(number, 4000)
        high, low = (millisecond << 16) | (7 << 12) | fraction, (2 << 62) | (drawn >> 2)
        made.append(f"{prefix}_{_base32(high << 64 | low)}")
    return made


def fresh_bytes(size: int) -> bytes:
    """So many bytes of the system's randomness, fit for tokens; each is handed out once."""
    with _lock:
        return _draw(size)


def _draw(size: int) -> bytes:
    if len(_pool) < size:
        _pool.extend(os.urandom(max(size, _POOL_BYTES)))
    cut = len(_pool) - size
    drawn = bytes(_pool[cut:])
    del _pool[cut:]
    return drawn


def made_at(made: str) -> datetime:
    """The moment, to the millisecond, at which `new_id` made this id; the epoch for an id of another make."""
    digits = made.rpartition("_")[2][:10]  # 130 bits, two of them padding, the next 48 the milliseconds
    if len(digits) < 10 or not set(digits) <= set(_ALPHABET):
        return datetime.fromtimestamp(0, UTC)
    value = 0
    for digit in digits:
        value = value << 5 | _ALPHABET.index(digit)
    return datetime.fromtimestamp(min(value, _LAST_MS) / 1000, UTC)


def first_at(prefix: str, moment: datetime) -> str:
    """The least id that `new_id` could make at `moment`: a bound for ranges of ids."""
    return f"{prefix}_{_base32(int(moment.timestamp() * 1000) << 80)}"


def _base32(value: int) -> str:
    p = _PAIRS  # cut into numbers of 30 bits first, which Python shifts faster than one of 130
    a, b, c, d = value >> 90, value >> 60 & _30_BITS, value >> 30 & _30_BITS, value & _30_BITS
    return (
        f"{p[a >> 30]}{p[a >> 20 & 1023]}{p[a >> 10 & 1023]}{p[a & 1023]}{p[b >> 20]}{p[b >> 10 & 1023]}{p[b & 1023]}"
        f"{p[c >> 20]}{p[c >> 10 & 1023]}{p[c & 1023]}{p[d >> 20]}{p[d >> 10 & 1023]}{p[d & 1023]}"
    )
