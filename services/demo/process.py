"""The product as its own process, for the check: started on free ports in a folder of its own, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

_READY_S = 180.0  # on a machine that does much else
_STOP_S = 20.0


@dataclass(slots=True)
class Product:
    """One installation. `environment` is what was set for it."""

    folder: Path
    http: str
    smtp: str
    smtp_out: str
    extra: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    program: tuple[str, ...] = ("services",)  # the module to run, and what it is given before `run`

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.http}"

    @property
    def edge_url(self) -> str:
        """Where its customers' side answers: forms, chat, hooks."""
        return self.url

    @property
    def environment(self) -> dict[str, str]:
        """Its settings, over the caller's environment without any other."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("ASCOLTO_")}
        return plain | {
            "ASCOLTO_DATA": str(self.folder / "data"),
            "ASCOLTO_HTTP": self.http,
            "ASCOLTO_SMTP": self.smtp,
            "ASCOLTO_SMTP_OUT": self.smtp_out,
            "ASCOLTO_LOG_LEVEL": "warning",
            **self.extra,
        }

    def command(self, *arguments: str) -> str:
        """Runs `ascolto …` to its end; returns what it printed. Raises `RuntimeError` with what it said when it failed."""
        done = subprocess.run(
            [sys.executable, "-m", "services", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"ascolto {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}"
            )
        return done.stdout.strip()

    def start(self) -> float:
        """Starts it; returns the seconds until it was ready."""
        began = time.monotonic()
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.program, "run"], env=self.environment, stdout=log, stderr=log
            )
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() - began > _READY_S:
                tail = (self.folder / "log.txt").read_text()[-2000:]
                raise RuntimeError(f"The product did not become ready: {tail}")
            time.sleep(0.02)
        return time.monotonic() - began

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a power cut."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code, which must be 0 within 20 s."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9


@dataclass(slots=True)
class Api:
    """The REST API with a token."""

    url: str
    token: str
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20))

    def call(self, method: str, path: str, *, expect: int = 200, **body: Any) -> Any:
        """One call; raises `AssertionError` with the answer when the status is another."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.client.request(method, f"{self.url}/api/v1{path}", headers=headers, **body)
        assert answer.status_code == expect, f"{method} {path} answers {answer.status_code}: {answer.text[:500]}"
        return answer.json() if answer.content else None

    def items(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            joiner = "&" if "?" in path else "?"
            page = self.call("GET", f"{path}{joiner}limit=200" + (f"&after={after}" if after else ""))
            found += page["items"]
            after = page["next"] or ""
            if not after:
                return found
