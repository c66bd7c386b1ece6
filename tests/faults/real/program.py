"""All services in one process over servers, Kafka reached through the proxy `FAULTS_KAFKA`. Run as `python -m …program [DEFECT] run`.

`DEFECT` is one of `tests.faults.broken`. The file that `FAULTS_CLOCK` names says by how many seconds the hour is wrong.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from services import __main__ as program
from services.kit.application import Application
from services.kit.bus.kafka_cluster import Cluster
from services.kit.clock import SystemClock
from services.kit.errors import Unavailable
from tests.faults.broken import DEFECTS

_PROXY = os.environ["FAULTS_KAFKA"]
_REACH_S = 2.0
_direct = cast("property", Cluster.__dict__["client"])


def _client(self: Cluster) -> Mapping[str, Any]:
    return _direct.__get__(self) | {"proxy_url": f"http://{_PROXY}"}


def _reach(self: Cluster) -> None:
    """As the real one: Kafka is there when the proxy leads to it."""
    host, _, port = _PROXY.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=_REACH_S) as way:
            way.sendall(f"CONNECT {self.servers[0]} HTTP/1.1\r\n\r\n".encode())
            if way.recv(64):
                return
    except OSError as error:
        raise Unavailable(f"Kafka at {self} is away: {error}.") from error
    raise Unavailable(f"Kafka at {self} is away: nobody behind the proxy.")


def _wire(app: Application, *, apart: bool = False) -> Application:
    return _plain_wire(app)


def _set_clock(shift: Path) -> None:
    """Every hour that is asked for is wrong from now on; what lasts so many seconds does so still."""
    now, time_s, time_ns = SystemClock.now, time.time, time.time_ns

    def wrong_by() -> float:
        return float(shift.read_text("ascii"))

    def shifted(self: SystemClock) -> datetime:
        return now(self) + timedelta(seconds=wrong_by())

    SystemClock.now = shifted  # type: ignore[method-assign]  # a machine whose clock is set while we run
    time.time = lambda: time_s() + wrong_by()
    time.time_ns = lambda: time_ns() + int(wrong_by() * 1e9)


if __name__ == "__main__":
    if path := os.environ.get("FAULTS_CLOCK"):
        _set_clock(Path(path))
    _plain_wire = program.wire
    program.wire = _wire
    Cluster.client = property(_client)  # type: ignore[assignment,misc]  # the way through the proxy
    Cluster.reach = _reach  # type: ignore[method-assign]  # as above
    if sys.argv[1] in DEFECTS:
        DEFECTS[sys.argv.pop(1)]()
    sys.exit(program.main())
