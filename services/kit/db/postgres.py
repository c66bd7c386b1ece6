"""PostgreSQL behind `kit.uow.Database`: each write is a transaction on a pooled connection, begun again when others clash.

Nobody is told success before COMMIT was answered. A clash (serialization, deadlock, a unique key another took) and a
connection lost before COMMIT was sent run the function again. One lost while COMMIT was under way leaves the outcome
unknown: the caller gets `Unavailable`, and its repeat meets the unique keys of the first.
"""

from __future__ import annotations

import contextlib
import contextvars
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import Connection

from services.kit import log, trace
from services.kit.clock import Clock, SystemClock
from services.kit.db import guard, postgres_errors
from services.kit.db.migrate import folder_of, head_of
from services.kit.db.postgres_errors import translated
from services.kit.db.postgres_migrate import migrate_postgres, revision_of
from services.kit.db.postgres_pool import Limits, Pool, Watch, conninfo
from services.kit.db.postgres_uow import PostgresReader, PostgresUow, Statements
from services.kit.db.postgres_wake import Ear, Waker, listen
from services.kit.errors import Internal, Unavailable
from services.kit.uow import Lane, PoolUse, Reader, Spacing, Uow, touch

if TYPE_CHECKING:
    from services.kit.app import Worker

__all__ = ["Limits", "PostgresDatabase"]

T = TypeVar("T")

_RUNS = 3  # of a function that met a unique key: the second run finds whose it is
_PAUSE_S = 0.02  # before the second run; doubled each time, with jitter
_LONGEST_PAUSE_S = 0.5


class _Unknown(Exception):
    """The connection went while COMMIT was under way."""


class PostgresDatabase:
    """One service's database."""

    uow_type = PostgresUow
    spacing = Spacing(crowd=2, seconds=0.02)  # a commit is a dozen calls: at a hundred a second they are worth sharing

    def __init__(
        self,
        url: str,
        service: str,
        *,
        clock: Clock | None = None,
        migrations: Path | None = None,
        notify: Callable[[frozenset[str]], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.service, self._limits = service, limits or Limits()
        self.info = conninfo(url, service)
        self._clock: Clock = clock or SystemClock()
        self._migrations = migrations or folder_of(service)
        self._notify = notify
        self._log = log.logger(service)
        self._statements = Statements()
        pool = {"limits": self._limits}
        self._writers = Pool(self.info, f"{service}-writers", size=self._limits.writers, reads=False, **pool)
        self._readers = Pool(self.info, f"{service}-readers", size=self._limits.readers, reads=True, **pool)
        self._watch = Watch(service, self._limits.transaction_s)
        self._waker = Waker(service, self._writers)
        self._bulk = threading.BoundedSemaphore(self._limits.bulk)
        self._threads = {
            Lane.PEOPLE: ThreadPoolExecutor(self._limits.writers, f"{service}-writer"),
            Lane.BULK: ThreadPoolExecutor(self._limits.bulk, f"{service}-bulk"),
        }
        self._waiting = dict.fromkeys(Lane, 0)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._mine = threading.local()
        self.commits = 0

    @classmethod
    def open(
        cls, url: str, service: str, *, clock: Clock, notify: Callable[[frozenset[str]], None] | None = None
    ) -> PostgresDatabase:
        """The database of a `postgresql://` URL; connects to nothing yet."""
        return cls(url, service, clock=clock, notify=notify)

    def reach(self) -> None:
        """Raises `Unavailable` when its server does not answer; a database that is not made yet is reached."""
        self._revision()

    def check_schema(self) -> None:
        """Raises `Unavailable` while the schema is older than this program; a newer one is no hindrance."""
        if self._revision() < (head := head_of(self._migrations)):
            raise Unavailable(f"The schema of {self.service} is older than {head}: run `ascolto migrate`.")

    def _revision(self) -> str:
        try:
            return revision_of(self.info)
        except psycopg.Error as error:
            raise translated(error, self.service) from error

    # --- callers ---

    def write(self, function: Callable[[Uow], T], *, lane: Lane = Lane.PEOPLE) -> T:
        """Runs `function` in a transaction, returns its result after the commit. A write inside a write raises."""
        guard.refuse_inside_uow("A write")
        if self._closing.is_set():
            raise Unavailable(f"The database {self.service} is closed.")
        with trace.span("write", service=self.service):
            return self._write(function, lane)

    def submit(self, function: Callable[[Uow], T], *, lane: Lane = Lane.PEOPLE) -> Future[T]:
        """As `write`, at once; the future resolves only after the commit. Raises `Unavailable` when too much waits."""
        guard.refuse_inside_uow("A write")
        limit = self._limits.waiting_jobs if lane is Lane.PEOPLE else self._limits.waiting_bulk
        with self._lock:
            if self._closing.is_set():
                raise Unavailable(f"The database {self.service} is closed.")
            if self._waiting[lane] >= limit:
                raise Unavailable(f"{limit} writes wait for the database {self.service}.", retry_after_s=1.0)
            self._waiting[lane] += 1
            run = contextvars.copy_context().run  # the trace of who asks
            return self._threads[lane].submit(run, self._submitted, function, lane)

    def _submitted(self, function: Callable[[Uow], T], lane: Lane) -> T:
        with self._lock:
            self._waiting[lane] -= 1
        return self._write(function, lane)

    def read(self) -> AbstractContextManager[Reader]:
        """A read transaction of at most 2 s."""
        guard.refuse_inside_uow("A read on a connection of its own")
        return self._read()

    def migrate(self) -> None:
        """Brings the schema up to date; safe to run twice, also at once by several processes."""
        try:
            migrate_postgres(self.info, self._migrations)
        except psycopg.Error as error:
            raise translated(error, self.service) from error

    def ping(self) -> None:
        """Raises `Unavailable` when nothing can be written."""
        self.write(touch)

    @property
    def waiting(self) -> int:
        """Writes in the queues."""
        return sum(self._waiting.values())

    def listen(self, callback: Callable[[frozenset[str]], None], stop: threading.Event) -> None:
        """Tells of each commit's topics, of whatever process, until `stop`; see `postgres_wake.listen`."""
        listen(self.info, self.service, callback, stop)

    def workers(self, notify: Callable[[frozenset[str]], None]) -> list[Worker]:
        """The one that hears other processes' commits."""
        return [Ear(self.info, self.service, notify)]

    def pools(self) -> list[PoolUse]:
        """Connections that write and that read."""
        return [self._writers.use("writers"), self._readers.use("readers")]

    def close(self) -> None:
        """Finishes what waits, then closes."""
        with self._lock:
            self._closing.set()
        for threads in self._threads.values():
            threads.shutdown(wait=True)
        self._waker.close()
        self._watch.close()
        self._writers.close()
        self._readers.close()

    # --- writing ---

    def _write(self, function: Callable[[Uow], T], lane: Lane) -> T:
        until = time.monotonic() + self._limits.again_s
        run = 1
        while True:
            try:
                with self._place(lane), self._writers.connection() as connection, self._watch.over(connection):
                    return self._once(connection, function)
            except _Unknown as error:
                self._writers.renew()
                raise Unavailable(
                    f"The database {self.service} went away while a write was being committed: do it again.",
                    retry_after_s=1.0,
                ) from error.__cause__
            except psycopg.Error as error:
                if not self._again(error, run, until):
                    raise translated(error, self.service) from error
            self._closing.wait(min(_LONGEST_PAUSE_S, _PAUSE_S * 2 ** (run - 1)) * random.uniform(0.5, 1.5))  # noqa: S311 (jitter)
            run += 1

    def _again(self, error: psycopg.Error, run: int, until: float) -> bool:
        """Whether to run the function again; a server that is gone takes all connections with it."""
        if postgres_errors.lost(error):
            self._writers.renew()
        elif postgres_errors.taken(error):
            return run < _RUNS
        elif not postgres_errors.clashed(error):
            return False
        return time.monotonic() < until

    @contextlib.contextmanager
    def _place(self, lane: Lane) -> Iterator[None]:
        """A place among the writers: bulk takes few of them."""
        if lane is Lane.PEOPLE:
            yield
            return
        if not self._bulk.acquire(timeout=self._limits.bulk_wait_s):
            raise Unavailable(f"The database {self.service} is busy with bulk work.", retry_after_s=5.0)
        try:
            yield
        finally:
            self._bulk.release()

    def _once(self, connection: Connection[Any], function: Callable[[Uow], T]) -> T:
        uow = self.uow_type(connection, self.service, self._clock, self._statements)
        guard.enter(self.service)
        try:
            connection.execute("BEGIN", prepare=False)
            result = function(uow)
            topics = uow.flush()
        except BaseException:
            with contextlib.suppress(psycopg.Error):  # the error that led here is the one to tell
                connection.execute("ROLLBACK", prepare=False)
            raise
        finally:
            guard.leave()
        self._commit(connection, self.service)
        self.commits += 1
        if topics:
            self._tell(topics)
        return result

    @staticmethod
    def _commit(connection: Connection[Any], service: str) -> None:
        try:
            done = connection.execute("COMMIT", prepare=False).statusmessage
        except psycopg.Error as error:
            if postgres_errors.lost(error):
                raise _Unknown from error
            raise
        if done != "COMMIT":  # the server answers ROLLBACK, and no error, when a statement had failed
            raise Internal(f"A function of {service} went on after a statement had failed: nothing was written.")

    def _tell(self, topics: frozenset[str]) -> None:
        self._waker.tell(topics)
        if self._notify is not None:
            try:
                self._notify(topics)
            except Exception:  # noqa: BLE001 (what is committed stays so, whoever cannot be woken)
                self._log.exception("notify.failed")

    # --- reading ---

    @contextlib.contextmanager
    def _read(self) -> Iterator[Reader]:
        nested: PostgresReader | None = getattr(self._mine, "reader", None)
        if nested is not None:
            yield nested
            return
        if self._closing.is_set():
            raise Unavailable(f"The database {self.service} is closed.")
        with contextlib.ExitStack() as opened:
            connection = self._begin_read(opened)
            reader = self._mine.reader = PostgresReader(connection, self.service)
            try:
                yield reader
            finally:
                self._mine.reader = None
                with contextlib.suppress(psycopg.Error):  # a read that cannot be ended has lost its connection
                    connection.execute("ROLLBACK", prepare=False)

    def _begin_read(self, opened: contextlib.ExitStack) -> Connection[Any]:
        """A connection with a transaction begun; one that turns out to be dead is replaced once."""
        for last in (False, True):
            with contextlib.ExitStack() as mine:
                try:
                    connection = mine.enter_context(self._readers.connection())
                    mine.enter_context(self._watch.over(connection))
                    connection.execute("BEGIN", prepare=False)
                except psycopg.Error as error:
                    if last or not postgres_errors.lost(error):
                        raise translated(error, self.service) from error
                    self._readers.renew()
                    continue
                opened.push(mine.pop_all())
                return connection
        raise AssertionError  # unreachable: the last round returns or raises
