"""A server's process: started in a session of its own with a log, remembered in a file, stopped only if it is still that one."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

STARTS_WITHIN_S = 180.0  # Elasticsearch needs 8 s on two idle cores, and a minute on busy ones
_STOPS_WITHIN_S = 30.0
_NOBODY = "nobody"


class Missing(Exception):
    """Something this machine lacks or a server that does not start; the message says what to do."""


def begun_at(pid: int) -> float:
    """When a process began, in seconds after the machine did."""
    machine = psutil.boot_time()  # asked first: the other is reckoned from it
    return float(psutil.Process(pid).create_time() - machine)


@dataclass(frozen=True, slots=True)
class Running:
    """A started process: its number, when it began (a number alone is soon another's), and where it answers."""

    pid: int
    began: float  # seconds after the machine itself: no clock that is set moves it
    url: str

    def alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            process = psutil.Process(self.pid)
            return bool(abs(begun_at(self.pid) - self.began) < 1.0 and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def save(self, file: Path) -> None:
        """Remembers it."""
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, file: Path) -> Running | None:
        """What was saved, if that process still runs."""
        try:
            running = cls(**json.loads(file.read_text()))
        except FileNotFoundError:
            return None
        return running if running.alive() else None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Asks the process to end, waits 30 s, then kills it with what it started."""
        if not self.alive():
            return
        process = psutil.Process(self.pid)
        children = process.children(recursive=True)
        process.send_signal(how)
        _, late = psutil.wait_procs([process], timeout=_STOPS_WITHIN_S)
        for one in (*late, *children):
            if one.is_running():
                one.kill()


@dataclass(frozen=True, slots=True)
class Started:
    """A process that does not answer yet."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    url: str

    def wait(self, ready: Callable[[], bool]) -> Running:
        """Returns when `ready` says so. Raises `Missing` with the end of the log when it ends before, or takes too long."""
        until = time.monotonic() + STARTS_WITHIN_S
        try:
            while not ready():
                if self.process.poll() is not None:
                    raise Missing(f"{self.name} ended with status {self.process.returncode}. {self._last_words()}")
                if time.monotonic() > until:
                    raise Missing(f"{self.name} did not answer within {STARTS_WITHIN_S:.0f} s. {self._last_words()}")
                time.sleep(0.1)
        except BaseException:
            self.process.kill()
            raise
        return Running(self.process.pid, begun_at(self.process.pid), self.url)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"Its log, {self.log}, ends:", *lines[-15:]])


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    url: str,
    environment: Mapping[str, str] | None = None,
    unprivileged: bool = False,
) -> Started:
    """Starts a server that outlives this command. `unprivileged`: as `nobody` where this user is root."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | dict(environment or {}),
            cwd="/",
            start_new_session=True,
            user=_NOBODY if unprivileged and is_root() else None,
            extra_groups=[] if unprivileged and is_root() else None,
        )
    return Started(name, process, log, url)


def run(command: Sequence[str | Path], what: str, *, environment: Mapping[str, str] | None = None) -> None:
    """Runs a command to its end, saying every ten seconds that it still does. Raises `Missing` with what it printed."""
    began = said = time.monotonic()
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | dict(environment or {}),
        text=True,
    ) as process:
        while True:
            try:
                printed, _ = process.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() - said >= 10:
                    said = time.monotonic()
                    say(f"  {what}: {said - began:.0f} s so far")
    if process.returncode:
        raise Missing(f"{what} failed with status {process.returncode}:\n{printed.strip()[-2000:]}")


def as_nobody(command: Sequence[str | Path]) -> None:
    """Runs a short command with the rights of the unprivileged servers. Raises `Missing` with what it printed."""
    dropped = {"user": _NOBODY, "extra_groups": list[str]()} if is_root() else {}
    done = subprocess.run(  # type: ignore[call-overload] # (the keywords are those of Popen)
        [str(word) for word in command], check=False, capture_output=True, text=True, cwd="/", **dropped
    )
    if done.returncode:
        raise Missing(f"{Path(command[0]).name} failed: {done.stderr.strip()[-2000:]}")


def own(folder: Path) -> Path:
    """Makes a folder that the unprivileged servers may write to."""
    folder.mkdir(parents=True, exist_ok=True)
    if is_root():
        import shutil

        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, _NOBODY)
    return folder


def is_root() -> bool:
    """Whether this user is root, whom PostgreSQL and Elasticsearch refuse."""
    return os.geteuid() == 0


def reachable(path: Path) -> bool:
    """Whether every user may come to a path: each folder on its way is open."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    listeners = [socket.socket() for _ in range(count)]
    try:
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def say(line: str) -> None:
    """Shows progress at once."""
    print(line, flush=True)
