"""The interpreter as a long-lived process of many threads wants it: memory, collector, how long a thread goes on."""

from __future__ import annotations

import ctypes
import gc
import sys

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_NEW_OBJECTS = 50_000  # between two looks for cycles: a batch of 200 contacts makes about as many, none in a cycle
_SWITCH_INTERVAL_S = 0.0005  # three busy threads delay a 1 ms ticker by 12 ms at p99, by 55 ms with Python's default


def share_arenas() -> None:
    """Lets all threads share two heaps: glibc gives nearly every thread its own, and each keeps what it once had.

    A hundred MiB of 350 (measured with 45 threads on two cores). Other C libraries have no such setting and no such heaps.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    set_option(_ARENA_MAX, 2)


def spare_collector() -> None:
    """What is loaded by now stays: the collector of cycles need not look at it again, nor at each small batch.

    With Python's own thresholds it took two thirds of the writers' time under load. Threads also give way sooner.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
