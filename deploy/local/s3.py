"""An S3 gateway over a folder: versitygw, built with Go."""

from __future__ import annotations

import secrets
import signal
import socket
from functools import partial
from pathlib import Path

from deploy.local import downloads, process
from deploy.local.process import Running

NAME = "s3"
VARIABLE = "TEST_S3_URL"
STOP = signal.SIGTERM
_MODULE, _VERSION = "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"


def fetch() -> Path:
    """The program."""
    return downloads.go_install(_MODULE, _VERSION, "versitygw")


def start(data: Path) -> Running:
    """Starts it on a free port of loopback, with keys made anew; the URL has no bucket: tests make their own."""
    program = fetch()
    (data / "buckets").mkdir(parents=True, exist_ok=True)
    (port,) = process.free_ports(1)
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    started = process.start(
        NAME,
        [program, "--port", f"127.0.0.1:{port}", "posix", data / "buckets"],
        log=data / "log",
        url=f"s3://{key}:{secret}@127.0.0.1:{port}/?tls=0",
        environment={"ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret},
    )
    return started.wait(partial(_answers, port))


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
