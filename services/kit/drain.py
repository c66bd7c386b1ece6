"""Works off what waits in the log, without taking anything in and without sending: before a move, after a restore."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from services.kit.backends import COPIES
from services.kit.errors import Unavailable

if TYPE_CHECKING:
    from services.kit.application import Application
    from services.kit.consume import Consumer

_PATIENCE_S = 60.0  # with what does not move
_LOOK_S = 0.1


def drain(app: Application, said: Callable[[str], None]) -> None:
    """Runs the consumers of `app`, which is wired and not started, until no event waits; copies are left out.

    Raises `Unavailable`, naming what waits, when nothing has moved for a minute.
    """
    consumers = [one for name, each in app.consumers.items() if name not in COPIES for one in each]
    log_workers = app.log_workers()
    relays = [worker for worker in log_workers if hasattr(worker, "waiting")]
    feeders = [
        worker
        for service in app.services.values()
        for worker in service.workers
        if getattr(worker, "feeds_consumers", False)
    ]
    with _running([*consumers, *log_workers, *feeders]) as pause:
        before, moved_at = -1, time.monotonic()
        while waiting := _waiting(consumers, relays):
            if (now := sum(waiting.values())) != before:
                before, moved_at = now, time.monotonic()
            elif time.monotonic() - moved_at > _PATIENCE_S:
                raise Unavailable(f"This waits and cannot be worked off: {', '.join(sorted(waiting))}.")
            said(f"{now} events wait")
            pause.wait(_LOOK_S)


def _waiting(consumers: list[Consumer], relays: list[Any]) -> dict[str, int]:
    """How much waits where. Outboxes are asked first: what leaves one meanwhile is seen in the log."""
    found = {relay.name: relay.waiting() for relay in relays}
    for _ in range(2):  # what a group emits while others are asked, they have read when asked again
        for one in consumers:
            for lag in one.lags():
                key = f"{lag.group} on {lag.topic}" + (f" ({lag.paused})" if lag.paused else "")
                found[key] = found.get(key, 0) + lag.end - lag.position
    found |= {relay.name: found[relay.name] + relay.waiting() for relay in relays}
    return {name: count for name, count in found.items() if count}


@contextlib.contextmanager
def _running(workers: list[Any]) -> Iterator[threading.Event]:
    stop = threading.Event()
    threads = [threading.Thread(target=one.run, args=(stop,), name=one.name, daemon=True) for one in workers]
    for thread in threads:
        thread.start()
    try:
        yield threading.Event()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
