"""Runs a set of services until a signal: threads for workers, one HTTP port, an orderly end.

Order of the start: databases, calls, consumers, workers, HTTP, control socket. The end is the reverse, within 20 s.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from services.kit import log
from services.kit.app import Service, Worker
from services.kit.errors import Unavailable

_LONGEST_PAUSE_S = 30.0
_STOP_S = 15.0


class FolderLock:
    """One process owns a folder. `wait_s`: how long one that is ending is waited for."""

    def __init__(self, folder: Path, *, wait_s: float = 0.0) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # customers' words: for this user's eyes
            self._file: IO[str] = (folder / "lock").open("a+")
        except OSError as error:
            raise Unavailable(
                f"ASCOLTO_DATA={folder} cannot be written: {error.strerror}. Choose a folder this user may write to."
            ) from error
        until = time.monotonic() + wait_s
        while not self._taken():
            if time.monotonic() >= until:
                self._file.close()
                raise Unavailable(
                    f"Another Ascolto process runs on {folder}. Stop it first, or set ASCOLTO_DATA to another folder."
                )
            time.sleep(0.02)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Lets another process have the folder; the kernel does so when a process is killed."""
        self._file.close()


class Loop:
    """One worker on its own thread, begun again with back-off when it fails."""

    def __init__(self, worker: Worker, stop: threading.Event) -> None:
        self._worker, self._stop = worker, stop
        self._log = log.logger("runner")
        self.failures = 0
        self.last_error = ""
        self.thread = threading.Thread(target=self._run, name=worker.name, daemon=True)

    def prepare(self) -> None:
        """What can only fail by a wrong setting is tried before anything runs."""
        prepare = getattr(self._worker, "prepare", None)
        if prepare is not None:
            prepare()

    def _run(self) -> None:
        pause = 0.2
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self._worker.run(self._stop)
            except Exception as error:  # noqa: BLE001 (the edge of a loop: logged, counted, begun again)
                self.failures += 1
                self.last_error = f"{type(error).__name__}: {error}"
                self._log.exception("worker.failed", worker=self._worker.name, failures=self.failures)
                if time.monotonic() - begun > _LONGEST_PAUSE_S:
                    pause = 0.2
                self._stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                if not self._stop.is_set():
                    self._log.info("worker.ended", worker=self._worker.name)
                return


class Runner:
    """The threads of some services."""

    def __init__(self, services: Sequence[Service], workers: Sequence[Worker]) -> None:
        self._services = services
        self._stop = threading.Event()
        self.loops = [Loop(worker, self._stop) for worker in workers]

    def start(self) -> None:
        """Starts every worker's thread, once each that has a `prepare` was ready. Raises what that raises: a taken port."""
        for loop in self.loops:
            loop.prepare()
        for loop in self.loops:
            loop.thread.start()

    def stop(self) -> list[str]:
        """Asks every worker to end, waits 15 s in all; returns the names of those that did not."""
        self._stop.set()
        for service in self._services:
            for act in service.on_stop:
                act()
        deadline = time.monotonic() + _STOP_S
        for loop in self.loops:
            if loop.thread.ident is None:  # the start failed before it
                continue
            loop.thread.join(timeout=max(0.0, deadline - time.monotonic()))
        return [loop.thread.name for loop in self.loops if loop.thread.is_alive()]


def heed_signals() -> threading.Event:
    """An event set by SIGINT or SIGTERM from now on; a second one within the stop ends the process at once with status 130."""
    received = threading.Event()

    def note(_number: int, _frame: object) -> None:
        if received.is_set():
            os._exit(130)
        received.set()

    signal.signal(signal.SIGINT, note)
    signal.signal(signal.SIGTERM, note)
    return received
