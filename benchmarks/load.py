"""A cheap HTTP/1.1 client on asyncio: keep-alive connections, closed loop or a fixed rate. Loopback only, bounded in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

Body = Callable[[int], bytes]


@dataclass(slots=True)
class Outcome:
    """What the client saw. Latencies in seconds, in the order of the answers."""

    began: float = 0.0
    ended: float = 0.0
    accepted: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """Latency below which `share` of the answers came, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Connection:
    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, head: bytes, body: bytes) -> int:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        assert self._reader is not None
        self._writer.write(head % len(body) + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lower = answer.lower()
        at = lower.find(b"content-length:")
        if at >= 0:
            length = int(lower[at + 15 : lower.index(b"\r\n", at)])
            if length:
                await self._reader.readexactly(length)
        return int(answer[9:12])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


async def _drive(
    urls: Sequence[str],
    headers: dict[str, str],
    body: Body,
    *,
    connections: int,
    seconds: float,
    rate: float,
    first: int,
) -> Outcome:
    places = [urlsplit(url) for url in urls]
    assert all(place.hostname in {"127.0.0.1", "localhost"} for place in places), "load goes to loopback only"
    lines = [f"POST {places[0].path} HTTP/1.1", f"Host: {places[0].netloc}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = ("\r\n".join([*lines, "Content-Length: %d", "", ""])).encode()
    outcome = Outcome(began=time.perf_counter())
    until = outcome.began + seconds
    number = first - 1

    async def one(place: SplitResult) -> None:
        nonlocal number
        connection = _Connection(place.hostname or "", place.port or 80)
        try:
            while True:
                number += 1
                mine = number
                due = outcome.began + (mine - first) / rate if rate else time.perf_counter()
                if max(due, time.perf_counter()) >= until:
                    return
                if due > time.perf_counter():
                    await asyncio.sleep(due - time.perf_counter())
                sent = due if rate else time.perf_counter()
                status = await connection.post(head, body(mine))
                outcome.latencies.append(time.perf_counter() - sent)
                if status == 202:
                    outcome.accepted += 1
                else:
                    outcome.refused += 1
        finally:
            connection.close()

    await asyncio.gather(*(one(places[turn % len(places)]) for turn in range(connections)))
    outcome.ended = time.perf_counter()
    return outcome


def drive(
    url: str | Sequence[str],
    headers: dict[str, str],
    body: Body,
    *,
    connections: int,
    seconds: float,
    rate: float = 0.0,
    first: int = 0,
) -> Outcome:
    """Posts `body(n)` for n from `first` on, by turns to several instances of one path. `rate` 0: as fast as answers come; else so many a second, lateness counted."""
    assert seconds <= 120, "load is bounded in time"
    urls = [url] if isinstance(url, str) else url
    return asyncio.run(_drive(urls, headers, body, connections=connections, seconds=seconds, rate=rate, first=first))
