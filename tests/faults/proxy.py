"""A TCP proxy before a real server: it cuts, refuses, delays, swallows, and loses answers to what the server applied.

With a `target` it leads there. Without one it is an HTTP CONNECT proxy, for Kafka's clients, which go on to the
address that the broker tells them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


def is_produce(data: bytes) -> bool:
    """Whether a request asks Kafka to append: its key, after its length, is 0."""
    return data[4:6] == b"\0\0"


def is_commit(data: bytes) -> bool:
    """Whether PostgreSQL is asked to commit."""
    return b"COMMIT" in data


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
    """Listens on a port of its own and passes everything on, until told otherwise. `lost` counts answers thrown away."""

    def __init__(self, target: str = "") -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._passing = threading.Event()
        self._passing.set()
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.away, self.delay_s, self.lost, self._lose = False, 0.0, 0, 0
        self._loses: Callable[[bytes], bool] = is_produce
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_acknowledgements(self, count: int, to: Callable[[bytes], bool] = is_produce) -> None:
        """The next `count` answers to such requests are thrown away, and their connections cut."""
        self._loses, self._lose = to, count

    def cut(self, *, away: bool) -> None:
        """Cuts every connection; while `away`, new ones are refused."""
        self.away = away
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.end()

    def swallow(self, *, on: bool) -> None:
        """While on, connections are taken and stay open, and nothing comes through: a server that hangs."""
        (self._passing.clear if on else self._passing.set)()

    def close(self) -> None:
        """Ends it."""
        self._listener.close()
        self._passing.set()
        self.cut(away=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> socket.socket:
        """Raises `OSError` when there is nobody, or the client said nothing."""
        asked = b""
        while not self._target and b"\r\n\r\n" not in asked:
            if not (data := client.recv(4096)):
                raise ConnectionResetError
            asked += data
        host, _, port = (self._target or asked.split()[1].decode()).rpartition(":")
        server = socket.create_connection((host, int(port)))
        if asked:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        return server

    def _serve(self, client: socket.socket) -> None:
        with contextlib.closing(client), contextlib.suppress(OSError):  # cut from either side
            if self.away:
                return
            pair = _Pair(client, self._connect(client))
            with self._lock:
                self._pairs.append(pair)
            threading.Thread(target=self._answer, args=(pair,), daemon=True).start()
            while data := client.recv(65536):
                with self._lock:
                    if self._lose > 0 and self._loses(data):
                        self._lose, pair.doomed = self._lose - 1, True
                self._passing.wait()
                pair.server.sendall(data)
            pair.end()

    def _answer(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            while data := pair.server.recv(65536):
                if pair.doomed:
                    self.lost += 1
                    break
                if self.delay_s:
                    time.sleep(self.delay_s)  # sleep: it is what a slow way does
                self._passing.wait()
                pair.client.sendall(data)
            pair.end()
