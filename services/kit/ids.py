"""Opaque, prefixed, sortable ids: `tkt_` + UUIDv7 in 26 characters of Crockford's base 32, lower case."""

from __future__ import annotations

import os
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_lock = threading.Lock()
_last: list[int] = [0]


def new_id(prefix: str) -> str:
    """A fresh id such as `tkt_01k…`; ids of one process sort in the order they were made.

    Source: RFC 9562, section 5.7 (UUIDv7), with the 12 bits of `rand_a` as a sub-millisecond counter.
    """
    stamp = time.time_ns() // 250  # a quarter of a microsecond fits millisecond (48 bits) + rand_a (12 bits)
    with _lock:
        stamp = max(stamp, _last[0] + 1)
        _last[0] = stamp
    millisecond, fraction = divmod(stamp, 4000)
    value = (millisecond << 80) | (7 << 76) | (fraction << 64) | (2 << 62) | (int.from_bytes(os.urandom(8), "big") >> 2)
    return f"{prefix}_{_base32(value)}"


def _base32(value: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))
