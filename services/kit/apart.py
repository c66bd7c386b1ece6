"""A service in a process of its own beside the main one: the same wiring, calls by gRPC over sockets, one command.

Python runs one thread at a time in a process; a service that burns processor time is taken out of the others' way.
`Apart` is the main process's side; `kit.alone` is what the child runs. The child's standard input is the bond between
them: `WAKE` says that something was committed, `END` asks it to stop, the end without it that the main process is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from services.kit import log
from services.kit.errors import Unavailable
from services.kit.rpc import network

if TYPE_CHECKING:
    from services.kit.config import Settings

WAKE, END = b"\0", b"."
_STOP_S = 8.0
_FIRST_START_S = 20.0  # readiness waits no longer: all but the service apart works without it
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0


class Apart:
    """The main process's side, a worker: starts the child, wakes it, starts it again when it dies, ends it."""

    def __init__(self, service: str, module: str, settings: Settings) -> None:
        self.name = f"{service}-process"
        self._service, self._module, self._settings = service, module, settings
        self._folder = Path(tempfile.mkdtemp(prefix="ascolto-"))  # the data folder's path may be too long for a socket
        self._began = time.monotonic()
        self._reached: grpc.Future[None] | None = None  # of the channel: what calls before it fails for a while
        self._child: subprocess.Popen[bytes] | None = None
        self._bond = threading.Lock()  # held to write and to close: a closed descriptor's number is soon another file's
        self._log = log.logger(service)

    def address(self, service: str) -> Path:
        """The socket of a service's calls."""
        return self._folder / f"{service}.sock"

    def connect(self) -> grpc.Channel:
        """A channel to the service apart."""
        channel = network.connect(self.address(self._service))
        self._reached = grpc.channel_ready_future(channel)
        return channel

    def pid(self) -> int:
        """The child's number, 0 while there is none."""
        child = self._child
        return child.pid if child is not None else 0

    def check_started(self) -> None:
        """Raises `Unavailable` while the first child has not answered yet; a later one's start holds nobody up."""
        reached = self._reached is None or self._reached.done()
        if not reached and time.monotonic() - self._began < _FIRST_START_S:
            raise Unavailable(f"The process of {self._service} is starting.")

    def prepare(self) -> None:
        """Starts the child, so that it gets ready while the others do."""
        self._began = time.monotonic()
        self._start()

    def run(self, stop: threading.Event) -> None:
        """Keeps a child running until `stop` is set, then ends it."""
        pause = _FIRST_PAUSE_S
        while not stop.is_set():
            child = self._child or self._start()
            began = time.monotonic()
            while not stop.is_set() and child.poll() is None:
                stop.wait(0.1)
            if child.poll() is not None:
                self._let_go(child)
                self._log.error("process.ended", service=self._service, status=child.returncode)
                lived = time.monotonic() - began > _LONGEST_PAUSE_S
                pause = _FIRST_PAUSE_S if lived else min(pause * 2, _LONGEST_PAUSE_S)
                stop.wait(pause)
        self._end()

    def wake(self) -> None:
        """Tells the child that something was committed; never blocks: in a full pipe it is told already."""
        with self._bond:
            if self._child is not None:
                self._say(self._child, WAKE)

    def close(self) -> None:
        """Ends the child, and removes the sockets."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ASCOLTO_")}
        if "ASCOLTO_CRASHPOINT" in os.environ:
            environment["ASCOLTO_CRASHPOINT"] = os.environ["ASCOLTO_CRASHPOINT"]
        child = subprocess.Popen(  # noqa: S603 (this interpreter, a module of ours)
            [sys.executable, "-m", self._module, str(self._folder)],
            env=environment | self._settings.to_env(),
            stdin=subprocess.PIPE,
            bufsize=0,
        )
        assert child.stdin is not None
        os.set_blocking(child.stdin.fileno(), False)
        self._child = child
        return child

    def _end(self) -> None:
        child = self._child
        if child is None:
            return
        self._let_go(child, END)
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._log.warning("process.late", service=self._service)
            child.kill()
            child.wait()

    def _let_go(self, child: subprocess.Popen[bytes], last_words: bytes = b"") -> None:
        with self._bond:
            if self._child is child:
                self._child = None
                self._say(child, last_words)
                assert child.stdin is not None
                child.stdin.close()

    @staticmethod
    def _say(child: subprocess.Popen[bytes], words: bytes) -> None:
        assert child.stdin is not None
        with contextlib.suppress(BlockingIOError, BrokenPipeError):  # full, so it is told already; gone
            os.write(child.stdin.fileno(), words)
