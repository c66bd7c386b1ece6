"""Waking others: each commit's topics go out as NOTIFY, and `listen` hears those of every process.

They are sent after the commit, by one thread that joins what came meanwhile: a NOTIFY inside the transaction makes all
commits of the cluster wait for each other (measured, 8 writers: 530 commits/s inside, 1,830 with none). A process
that dies between the two wakes nobody, so who listens also looks by itself now and then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg

from services.kit import log
from services.kit.db.postgres_errors import lost
from services.kit.db.postgres_pool import Pool

CHANNEL = "outbox"
_LOOK_S = 1.0  # between looks at `stop`
_SPACE_S = 0.02  # between two NOTIFY: each is a transaction of its own, and wakes every listener of the database
_LONGEST_PAUSE_S = 10.0


class Waker:
    """Tells other processes of commits. Best effort: what is committed stays so, whoever cannot be woken."""

    def __init__(self, service: str, pool: Pool) -> None:
        self._service, self._pool = service, pool
        self._turn = threading.Condition()
        self._topics: set[str] = set()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._log = log.logger(service)

    def tell(self, topics: frozenset[str]) -> None:
        """Sends them soon."""
        with self._turn:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name=f"{self._service}-waker", daemon=True)
                self._thread.start()
            self._topics |= topics
            self._turn.notify()

    def _run(self) -> None:
        while True:
            with self._turn:
                while not self._topics and not self._closing:
                    self._turn.wait()
                if not self._topics:
                    return
                topics, self._topics = self._topics, set()
            try:
                with self._pool.connection() as connection:
                    connection.execute("SELECT pg_notify($1, $2)", (CHANNEL, " ".join(sorted(topics))))
            except psycopg.Error as error:
                self._log.warning("notify.failed", error=str(error))
            with self._turn:
                self._turn.wait_for(lambda: self._closing, _SPACE_S)

    def close(self) -> None:
        """Sends what waits, then stops."""
        with self._turn:
            self._closing = True
            self._turn.notify()
        if self._thread is not None:
            self._thread.join()


def listen(info: str, service: str, callback: Callable[[frozenset[str]], None], stop: threading.Event) -> None:
    """Calls `callback` with the topics of each commit until `stop` is set; runs on a thread of its own.

    Also calls it, with no topics, whenever it has connected: what was written before was not heard, so look. A lost
    connection is made again, with a pause that grows to 10 s.
    """
    logger = log.logger(service)
    pause_s = 0.1
    while not stop.is_set():
        try:
            with psycopg.connect(info, autocommit=True) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                pause_s = 0.1
                callback(frozenset())
                while not stop.is_set():
                    for heard in connection.notifies(timeout=_LOOK_S, stop_after=1):
                        callback(frozenset(heard.payload.split()))
        except psycopg.Error as error:
            if not lost(error):
                raise
            logger.warning("listen.lost", error=str(error), retry_s=pause_s)
            stop.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


class Ear:
    """`listen` as a worker."""

    def __init__(self, info: str, service: str, callback: Callable[[frozenset[str]], None]) -> None:
        self.name = f"{service}-ear"
        self._info, self._service, self._callback = info, service, callback

    def run(self, stop: threading.Event) -> None:
        """Listens until `stop`."""
        listen(self._info, self._service, self._callback, stop)
