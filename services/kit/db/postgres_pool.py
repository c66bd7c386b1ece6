"""Connections to one PostgreSQL database: how they are made, how many there are, and how long they may take.

Nothing here waits for ever: connecting, waiting for a free one, a lock, a statement and a whole transaction are
bounded, the last by cutting the connection, since a server that is stopped answers nothing and closes nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, RawCursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from services.kit.db.postgres_types import adapt
from services.kit.errors import Invalid
from services.kit.uow import PoolUse

READ_S = 2.0

# A server that vanished without a word is noticed within 11 s, idle or not.
_WAY: dict[str, Any] = {
    "connect_timeout": 5,
    "target_session_attrs": "read-write",  # of several hosts, the one that is primary now
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 11_000,
    "client_encoding": "UTF8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a database. Writers and readers together are what one process takes of `max_connections`."""

    writers: int = 6
    bulk: int = 2  # of the writers, at most so many for bulk: people always find the others
    readers: int = 4
    waiting_jobs: int = 20_000  # beyond it `submit` raises `Unavailable`: back-pressure
    waiting_bulk: int = 1_000
    wait_s: float = 5.0  # for a connection
    bulk_wait_s: float = 30.0
    lock_s: float = 4.0
    statement_s: float = 8.0
    again_s: float = 8.0  # how long a write is begun again after clashes and lost connections
    transaction_s: float = 12.0  # then its connection is cut


def conninfo(url: str, service: str) -> str:
    """What libpq is given for a URL. Raises `Invalid` when it cannot be read; several hosts are tried in their order."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise Invalid(f"ASCOLTO_DATABASE is no PostgreSQL URL: {error}.", field="ASCOLTO_DATABASE") from error
    return make_conninfo(**_WAY | {"application_name": f"ascolto {service}"} | given)


class Pool:
    """A bounded pool, opened at first use."""

    def __init__(self, info: str, name: str, *, size: int, limits: Limits, reads: bool) -> None:
        self._limits, self._reads = limits, reads
        self._pool: ConnectionPool[Connection[Any]] = ConnectionPool(
            info,
            kwargs={"autocommit": True, "prepare_threshold": 1, "cursor_factory": RawCursor},
            min_size=1,
            max_size=size,
            open=False,
            configure=self._configure,
            name=name,
            timeout=limits.wait_s,
            num_workers=1,
            reconnect_timeout=60.0,
        )

    def _configure(self, connection: Connection[Any]) -> None:
        adapt(connection)
        connection.prepared_max = 500
        limits = self._limits
        statement_s, idle_s = (READ_S, READ_S) if self._reads else (limits.statement_s, limits.transaction_s)
        for name, value in {
            "statement_timeout": f"{statement_s * 1000:.0f}",
            "lock_timeout": f"{limits.lock_s * 1000:.0f}",
            "idle_in_transaction_session_timeout": f"{idle_s * 1000:.0f}",
            "synchronous_commit": "on",
            "default_transaction_isolation": "repeatable read" if self._reads else "read committed",
            "default_transaction_read_only": "on" if self._reads else "off",
            "jit": "off",  # compiling costs more than our statements run
        }.items():
            connection.execute("SELECT set_config($1, $2, false)", (name, value))

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection[Any]]:
        """A connection for a while. Raises psycopg's `PoolTimeout` when none comes free."""
        self._pool.open()
        connection = self._pool.getconn()
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def use(self, name: str) -> PoolUse:
        """How it is used. Source: https://www.psycopg.org/psycopg3/docs/advanced/pool.html#pool-stats."""
        told = self._pool.get_stats()
        return PoolUse(
            name,
            size=told.get("pool_size", 0),
            free=told.get("pool_available", 0),
            waiting=told.get("requests_waiting", 0),
            waits=told.get("requests_queued", 0),
            waited_s=told.get("requests_wait_ms", 0) / 1000,
            refused=told.get("requests_errors", 0),
        )

    def renew(self) -> None:
        """Replaces every connection, those in use when they come back: their server is gone."""
        self._pool.drain()

    def close(self) -> None:
        """Closes what is free now and the rest as it comes back."""
        self._pool.close()


class Watch:
    """Cuts connections whose transaction takes too long."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds
        self._turn = threading.Condition()
        self._until: dict[Connection[Any], float] = {}
        self._thread: threading.Thread | None = None
        self._asleep = self._used = self._closing = False

    @contextlib.contextmanager
    def over(self, connection: Connection[Any]) -> Iterator[None]:
        """Watches over a connection while inside."""
        with self._turn:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name=f"{self._name}-watch", daemon=True)
                self._thread.start()
            self._until[connection] = time.monotonic() + self._seconds
            self._used = True
            if self._asleep:  # while much happens it looks by itself: to wake it each time costs more than the look
                self._turn.notify()
        try:
            yield
        finally:
            with self._turn:
                self._until.pop(connection, None)

    def _run(self) -> None:
        with self._turn:
            while not self._closing:
                now = time.monotonic()
                for connection in [one for one, until in self._until.items() if until < now]:
                    del self._until[connection]
                    _cut(connection)
                self._asleep, self._used = not self._until and not self._used, False
                self._turn.wait(None if self._asleep else 0.5)

    def close(self) -> None:
        """Stops watching."""
        with self._turn:
            self._closing = True
            self._turn.notify()


def _cut(connection: Connection[Any]) -> None:
    """Ends the socket under a connection: the thread that waits on it is told that the server closed it."""
    with (
        contextlib.suppress(OSError, psycopg.OperationalError),  # closed by itself in this very moment
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as under,
    ):
        under.shutdown(socket.SHUT_RDWR)
