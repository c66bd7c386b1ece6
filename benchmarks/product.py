"""Starts and stops what is measured: the product as an operator runs it, or the probe, each its own process."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
_READY_S = 240  # on a busy machine


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def get(url: str, token: str = "") -> tuple[int, bytes]:
    """Status and body of a GET."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (urllib.error.URLError, ConnectionError):
        return 0, b""


def wait_ready(url: str) -> float:
    """Seconds until the address answers 200."""
    began = time.perf_counter()
    while get(url)[0] != 200:
        if time.perf_counter() - began > _READY_S:
            raise TimeoutError(f"{url} was not ready in {_READY_S} s")
        time.sleep(0.02)
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Product:
    """A running installation."""

    url: str
    smtp: str
    token: str
    accounts: dict[str, str]
    process: subprocess.Popen[bytes]
    data: Path
    ready_s: float

    @property
    def hook(self) -> str:
        """Where contacts are posted."""
        return f"{self.url}/hooks/api/{self.accounts['api']}"

    def searchable(self) -> int:
        """Messages in the index."""
        for line in get(f"{self.url}/metrics")[1].decode().splitlines():
            if line.startswith("ascolto_search_documents{") and 'kind="message"' in line:
                return int(float(line.rpartition(" ")[2]))
        return 0

    def wait_searchable(self, count: int, timeout_s: float = 180) -> None:
        """Blocks until `count` messages are in the index."""
        until = time.perf_counter() + timeout_s
        while (found := self.searchable()) < count:
            if time.perf_counter() > until:
                raise TimeoutError(f"{found} of {count} messages are searchable after {timeout_s} s")
            time.sleep(0.1)


def command(*arguments: str, data: Path) -> str:
    """What a command of the product prints, run beside the process that holds the folder."""
    return _command(*arguments, environment=_environment(data))


def _environment(data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASCOLTO_")}
    return kept | {"ASCOLTO_DATA": str(data), "PYTHONPATH": f"{ROOT}:{ROOT / 'proto' / 'python'}"}


def _command(*arguments: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "services", *arguments], env=environment, cwd=ROOT, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


@lru_cache(maxsize=1)
def _installed() -> Path:
    """A fresh installation with a brand and a token, made once and copied for each measure."""
    folder = Path(tempfile.mkdtemp(prefix="ascolto-bench-installed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = _environment(folder)
    _command("init", "--brand", "Prova", "--email", "care@prova.example", environment=environment)
    made = _command("token", "create", "--name", "bench", "--scope", "admin", "--quiet", environment=environment)
    (folder / "bench-token").write_text(made)
    return folder


@contextlib.contextmanager
def product(data: Path, *, intake_alone: bool = False, under: Sequence[str] = ()) -> Iterator[Product]:
    """The product on a data folder (made ready if empty), until the block ends.

    `intake_alone` leaves out all other services: accounts are unknown then, tokens are those of the run before.
    `under` is a command that starts the product's and ends with it, such as a tracer.
    """
    http, smtp = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    environment = _environment(data) | {
        "ASCOLTO_HTTP": http,
        "ASCOLTO_SMTP": smtp,
        "ASCOLTO_LOG_LEVEL": "warning",
    }
    kept = data / "bench-token"
    if not kept.exists():
        shutil.copytree(_installed(), data, dirs_exist_ok=True)
    token = kept.read_text()
    module = ["benchmarks.park"] if intake_alone else ["services", "run"]
    with (data / "bench.log").open("ab") as log:
        starts = [*under, sys.executable, "-m", *module]
        process = subprocess.Popen(starts, env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        ready = wait_ready(f"http://{http}/readyz")
        accounts: dict[str, str] = {}
        if not intake_alone:
            accounts = _accounts(f"http://{http}", token)
        yield Product(f"http://{http}", smtp, token, accounts, process, data, ready)
    finally:
        _end(process, told=_first_child(process.pid) if under else process.pid)


def _accounts(url: str, token: str) -> dict[str, str]:
    """Their ids by channel. Raises `RuntimeError` with the answer when it is none."""
    status, answer = get(f"{url}/api/v1/operations/accounts", token)
    if status != 200:
        raise RuntimeError(f"The accounts were not told: {status} {answer[:300]!r}")
    return {item["channel"]: item["id"] for item in json.loads(answer)["items"]}


def _first_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@contextlib.contextmanager
def probe(folder: Path) -> Iterator[str]:
    """The probe's URL, until the block ends."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.probe", str(folder), str(port)], cwd=ROOT)
    try:
        wait_ready(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/"
    finally:
        _end(process, told=process.pid)


def _end(process: subprocess.Popen[bytes], *, told: int) -> None:
    os.kill(told, signal.SIGTERM)
    try:
        process.wait(25)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
