"""Removes a service's blobs that no row names, a day after they were stored: what a crash left between blob and row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from services.kit import log
from services.kit.blobs import Blobs, sweep
from services.kit.clock import Clock

_EVERY_S = 3600.0
_AFTER = timedelta(hours=24)
KnownOwners = Callable[[Sequence[str]], Collection[str]]


class BlobSweeper:
    """The worker. Keys are `<service>/<owner>/<part>`; `known(owners)` says which owners have a row."""

    def __init__(self, service: str, blobs: Blobs, clock: Clock, known: KnownOwners) -> None:
        self.name = f"{service}.blobs"
        self._prefix, self._blobs, self._clock, self._known = f"{service}/", blobs, clock, known
        self._log = log.logger(service)

    def run(self, stop: threading.Event) -> None:
        """Sweeps each hour."""
        while not stop.wait(_EVERY_S):
            self.run_once()

    def run_once(self) -> int:
        """Sweeps now; returns how many blobs went."""
        gone = sweep(self._blobs, self._prefix, before=self._clock.now() - _AFTER, used=self._used)
        if gone:
            self._log.info("blobs.swept", count=gone)
        return gone

    def _used(self, keys: Collection[str]) -> Collection[str]:
        owners = {key: key.split("/")[1] for key in keys}
        known = set(self._known(sorted(set(owners.values()))))
        return [key for key, owner in owners.items() if owner in known]
