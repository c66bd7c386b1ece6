"""An HTTP CONNECT proxy before the brokers: it cuts connections, and loses acknowledgements of what the broker applied.

A proxy by protocol and not by port, since Kafka's clients go on to the address that the broker tells them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import Any

from services.kit.bus.kafka_cluster import Cluster

_PRODUCE = b"\0\0"  # the key of a produce request, after its length


@dataclass(eq=False)
class _Pair:
    client: socket.socket
    server: socket.socket
    doomed: bool = False

    def end(self) -> None:
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):  # ended already
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Proxy:
    """Listens on a port of its own and passes everything on, until told otherwise."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        self.away, self.lost, self._lose = False, 0, 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_acknowledgements(self, count: int) -> None:
        """The next `count` answers to produce requests are thrown away, and their connections cut."""
        self._lose = count

    def cut(self, *, away: bool) -> None:
        """Cuts every connection; while `away`, new ones are refused."""
        self.away = away
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.end()

    def close(self) -> None:
        """Ends it."""
        self._listener.close()
        self.cut(away=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):  # cut from either side
            asked = b""
            while b"\r\n\r\n" not in asked and (data := client.recv(4096)):
                asked += data
            if self.away or not asked:
                client.close()
                return
            host, _, port = asked.split()[1].decode().rpartition(":")
            pair = _Pair(client, socket.create_connection((host, int(port))))
            with self._lock:
                self._pairs.append(pair)
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=self._answer, args=(pair,), daemon=True).start()
            while data := client.recv(65536):
                if self._lose > 0 and data[4:6] == _PRODUCE:
                    self._lose -= 1
                    pair.doomed = True
                pair.server.sendall(data)
            pair.end()

    def _answer(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while data := pair.server.recv(65536):
                if pair.doomed:
                    self.lost += 1
                    break
                pair.client.sendall(data)
            pair.end()


def behind(url: str, proxy: Proxy) -> Cluster:
    """As `Cluster.of`, reached through `proxy`."""
    direct = Cluster.of(url)

    class Through(Cluster):
        @property
        def client(self) -> dict[str, Any]:
            return direct.client | {"proxy_url": f"http://127.0.0.1:{proxy.port}"}

    return Through(direct.servers, direct.prefix)
