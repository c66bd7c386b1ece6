"""All services in one process over servers, Kafka reached through the proxy `FAULTS_KAFKA`. Run as `python -m …program [DEFECT] run`.

`DEFECT` is one of `tests.faults.broken`.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from typing import Any, cast

from services import __main__ as program
from services.kit.application import Application
from services.kit.bus.kafka_cluster import Cluster
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


if __name__ == "__main__":
    _plain_wire = program.wire
    program.wire = _wire
    Cluster.client = property(_client)  # type: ignore[assignment,misc]  # the way through the proxy
    Cluster.reach = _reach  # type: ignore[method-assign]  # as above
    if sys.argv[1] in DEFECTS:
        DEFECTS[sys.argv.pop(1)]()
    sys.exit(program.main())
