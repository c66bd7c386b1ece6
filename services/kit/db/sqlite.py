"""SQLite behind `kit.uow.Database`: one writer thread commits what waits together, a pool of readers beside it.

Nobody is told success before COMMIT returned. After any exception the writer asks whether the transaction still
stands: SQLite ends it by itself on a full disk, an input or output error and an interrupt, and then nobody in the
group succeeded: the culprit is told, the others run again one by one. Functions can therefore run twice.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from services.kit import log, trace
from services.kit.clock import Clock, SystemClock
from services.kit.db import carry, guard
from services.kit.db.migrate import folder_of, head_of, migrate_sqlite, revision_of
from services.kit.db.sqlite_errors import translated
from services.kit.db.sqlite_limits import Limits
from services.kit.db.sqlite_readers import Readers
from services.kit.db.sqlite_uow import Job, SqliteUow
from services.kit.errors import Internal, Unavailable
from services.kit.uow import Lane, PoolUse, Reader, Spacing, Uow, touch

if TYPE_CHECKING:
    from services.kit.app import Worker

__all__ = ["Limits", "SqliteDatabase"]

T = TypeVar("T")
Notify = Callable[[frozenset[str]], None]

_CAREFUL_GROUPS = 50  # after a function failed: so many groups put each function into a savepoint of its own


class SqliteDatabase:
    """One service's file."""

    spacing = Spacing(crowd=4, seconds=0.008)  # so many come at some 500 a second, where each fsync spared counts

    def __init__(
        self,
        path: Path,
        service: str,
        *,
        clock: Clock | None = None,
        migrations: Path | None = None,
        notify: Notify | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.path, self.service = path, service
        self._clock: Clock = clock or SystemClock()
        self._migrations = migrations or folder_of(service)
        self._notify = notify
        self._limits = limits or Limits()
        self._log = log.logger(service)
        self._turn = threading.Condition()
        self._people: deque[Job] = deque()
        self._bulk: deque[Job] = deque()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._readers = Readers(path, service, size=self._limits.readers)
        self._uow: SqliteUow
        self._connection: sqlite3.Connection
        self._wal, self._look_at = path.with_name(f"{path.name}-wal"), 0.0
        self._dirty, self._careful, self.commits = False, 0, 0
        self.slowest_s: dict[str, float] = {}  # CPU seconds of the slowest run of each function over `warn_s`

    @classmethod
    def open(cls, url: str, service: str, *, clock: Clock, notify: Notify | None = None) -> SqliteDatabase:
        """The file of `sqlite:///path`; made by `migrate`. Raises `Conflict` where it was moved away from."""
        return cls(carry.not_moved(Path(url.partition("://")[2]).absolute()), service, clock=clock, notify=notify)

    def workers(self, _notify: Notify) -> list[Worker]:
        """None: nobody else writes."""
        return []

    def reach(self) -> None:
        """Always reached."""

    def check_schema(self) -> None:
        """Raises `Unavailable` while the file's schema is older than this program."""
        if revision_of(self.path) < (head := head_of(self._migrations)):
            raise Unavailable(f"The schema of {self.service} is older than {head}: run `ascolto migrate`.")

    # --- callers ---

    def write(self, function: Callable[[Uow], T], *, lane: Lane = Lane.PEOPLE) -> T:
        """Runs `function` in a transaction, returns its result after the commit. A write inside a write raises."""
        guard.refuse_inside_uow("A write")
        if threading.current_thread() is self._thread:
            raise Internal(f"A write waits on the writer of {self.service} itself: a future's callback must not write.")
        with trace.span("write", service=self.service):
            return self.submit(function, lane=lane).result()

    def submit(self, function: Callable[[Uow], T], *, lane: Lane = Lane.PEOPLE) -> Future[T]:
        """As `write`, at once; the future resolves only after the commit. Raises `Unavailable` when too much waits."""
        guard.refuse_inside_uow("A write")
        return self._put(Job(function, lane, time.monotonic()))

    def _put(self, job: Job) -> Future[Any]:
        people = job.lane is Lane.PEOPLE
        queue = self._people if people else self._bulk
        limit = self._limits.waiting_jobs if people else self._limits.waiting_bulk
        with self._turn:
            if self._closing:
                raise Unavailable(f"The database {self.service} is closed.")
            if len(queue) >= limit:
                raise Unavailable(f"{limit} writes wait for the database {self.service}.", retry_after_s=1.0)
            if self._thread is None:
                self._start()
            queue.append(job)
            self._turn.notify()
        return job.future

    def read(self) -> AbstractContextManager[Reader]:
        """A read transaction of at most 2 s."""
        guard.refuse_inside_uow("A read on a connection of its own")
        return self._readers.read()

    def migrate(self) -> None:
        """Brings the schema up to date; safe to run twice. Call it before the first write."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            migrate_sqlite(self.path, self._migrations)
        except OSError as error:
            raise Unavailable(f"{self.path} cannot be written: {error.strerror}.") from error
        except sqlite3.Error as error:
            raise translated(error, self.service) from error

    def ping(self) -> None:
        """Raises `Unavailable` when nothing can be written, a full disk included."""
        try:
            self.submit(touch).result(timeout=self._limits.busy_s + 1)
        except TimeoutError as error:
            raise Unavailable(f"The database {self.service} does not answer in time.") from error

    def pools(self) -> list[PoolUse]:
        """The one writer, and who waits for it."""
        return [PoolUse("writers", 1, int(not self._people), len(self._people) + len(self._bulk))]

    def close(self) -> None:
        """Finishes what waits, then closes."""
        with self._turn:
            self._closing = True
            self._turn.notify()
        if self._thread is not None:
            self._thread.join()
        self._readers.close()

    # --- the writer ---

    def _start(self) -> None:
        opened: Future[None] = Future()
        thread = threading.Thread(target=self._run, args=(opened,), name=f"{self.service}-writer", daemon=True)
        thread.start()
        opened.result()
        self._thread = thread

    def _open(self) -> None:
        if not self.path.exists():
            raise Unavailable(f"{self.path} does not exist: run the migrations first.")
        try:
            connection = sqlite3.connect(
                self.path, isolation_level=None, cached_statements=512, timeout=self._limits.busy_s
            )
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "cache_size=-8000",
                "temp_store=MEMORY",
                f"journal_size_limit={self._limits.truncate_bytes}",
                f"wal_autocheckpoint={self._limits.checkpoint_pages}",
                *([f"max_page_count={self._limits.max_pages}"] if self._limits.max_pages else []),
            ):
                connection.execute(f"PRAGMA {pragma}").fetchall()
        except sqlite3.Error as error:
            raise translated(error, self.service) from error
        self._connection = connection
        self._uow = SqliteUow(connection, self.service, self._clock)

    def _run(self, opened: Future[None]) -> None:
        try:
            self._open()
        except BaseException as error:  # noqa: BLE001 (told to whoever asked for the first write)
            opened.set_exception(error)
            return
        opened.set_result(None)
        try:
            while (job := self._first()) is not None:
                self._commit_group(job)
                self._truncate_if_long()
            self._checkpoint("TRUNCATE")
        except BaseException as error:  # noqa: BLE001 (logged, and told to everybody who waits)
            self._log.exception("writer.died")
            self._refuse_all(translated(error, self.service))
        finally:
            self._connection.close()

    def _refuse_all(self, error: BaseException) -> None:
        """The writer cannot go on: who waits is told, who comes is refused."""
        with self._turn:
            self._closing = True
            waiting = [*self._people, *self._bulk]
            self._people.clear()
            self._bulk.clear()
        for job in waiting:
            job.future.set_exception(error)

    def _truncate_if_long(self) -> None:
        """Looks at the length of the write-ahead log at most once in `idle_s`."""
        now = time.monotonic()
        if now > self._look_at:
            self._look_at = now + self._limits.idle_s
            with contextlib.suppress(FileNotFoundError):  # no log, nothing to shorten
                if self._wal.stat().st_size > self._limits.truncate_bytes:
                    self._checkpoint("TRUNCATE")

    def _first(self) -> Job | None:
        """The next job, as long as it takes; None when closing and nothing waits."""
        with self._turn:
            while True:
                if (job := self._pick(bulk_waited=False)) is not None:
                    return job
                if self._closing:
                    return None
                if not self._turn.wait(timeout=self._limits.idle_s if self._dirty else None):
                    self._checkpoint("PASSIVE")

    def _next(self, *, bulk_waited: bool) -> Job | None:
        """A job that waits now, to join the group under way."""
        with self._turn:
            if self._people and self._people[0].alone:
                return None
            return self._pick(bulk_waited=bulk_waited)

    def _pick(self, *, bulk_waited: bool) -> Job | None:
        if self._bulk:
            impatient = not bulk_waited and time.monotonic() - self._bulk[0].born > self._limits.bulk_patience_s
            if impatient or not self._people:
                return self._bulk.popleft()
        return self._people.popleft() if self._people else None

    def _commit_group(self, job: Job) -> None:
        """Runs what waits in one transaction and tells each its fate after the commit."""
        guard.enter(self.service)
        done: list[tuple[Job, Any]] = []
        try:
            told = self._fill_group(job, done)
        finally:
            guard.leave()
        for member, error in told:
            member.future.set_exception(error)
        for member, result in done:
            member.future.set_result(result)

    def _fill_group(self, first: Job, done: list[tuple[Job, Any]]) -> list[tuple[Job, BaseException]]:
        """Fills `done` with what is committed; returns who failed, and why."""
        failed: list[tuple[Job, BaseException]] = []
        ran: list[tuple[Job, Any]] = []
        job: Job | None = first
        saved = self._careful > 0
        self._careful = max(0, self._careful - 1)
        until = time.monotonic() + self._limits.group_s
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            while job is not None:
                if not job.future.running() and not job.future.set_running_or_notify_cancel():
                    job = self._next(bulk_waited=True)
                    continue
                changes = self._connection.total_changes
                try:
                    ran.append((job, self._run_job(job, saved=saved)))
                except BaseException as error:  # noqa: BLE001 (told to the caller, whatever it is)
                    self._uow.drop()
                    failed.append((job, translated(error, self.service)))
                    by_sqlite = not self._connection.in_transaction
                    if by_sqlite or not self._undo(saved=saved, changes=changes):
                        self._lose(ran, alone=by_sqlite)
                        return failed
                if job.alone or len(ran) >= self._limits.group_jobs or time.monotonic() >= until:
                    break
                job = self._next(bulk_waited=job.lane is Lane.BULK)
            topics = self._uow.flush()
            self._connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 (BEGIN, the outbox or COMMIT failed: nobody succeeded)
            self._roll_back()
            told = translated(error, self.service)
            members = [member for member, _ in ran] or ([first] if not failed else [])
            return failed + [(member, told) for member in members]
        self.commits += 1
        self._dirty = True
        done.extend(ran)
        if topics:
            self._tell(topics)
        return failed

    def _tell(self, topics: frozenset[str]) -> None:
        if self._notify is not None:
            try:
                self._notify(topics)
            except Exception:  # noqa: BLE001 (what is committed stays so, whoever cannot be woken)
                self._log.exception("notify.failed")

    def _run_job(self, job: Job, *, saved: bool) -> Any:
        """Runs one function and holds it to its budget."""
        if saved:
            self._connection.execute("SAVEPOINT job")
        begun = time.thread_time()
        result = job.run(self._uow)
        self._hold_to_budget(job, time.thread_time() - begun)
        self._uow.keep()
        if saved:
            self._connection.execute("RELEASE job")
        return result

    def _undo(self, *, saved: bool, changes: int) -> bool:
        """Takes back what a failed function did; False when the whole group had to go with it.

        A savepoint for each function costs two statements each, so they are used only for a while after a failure.
        """
        if saved:
            self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")
            return True
        if self._connection.total_changes == changes:
            return True
        self._careful = _CAREFUL_GROUPS
        self._connection.execute("ROLLBACK")
        return False

    def _hold_to_budget(self, job: Job, took_s: float) -> None:
        limits = self._limits
        if took_s <= limits.warn_s:
            return
        if took_s > self.slowest_s.get(job.name, 0.0):
            self.slowest_s[job.name] = took_s
        budget_s = max(limits.budget_s, limits.budget_row_s * job.rows)
        if took_s > budget_s:
            if limits.strict:
                raise Internal(
                    f"{job.name} kept the writer of {self.service} for {took_s * 1000:.0f} ms of CPU, its budget is"
                    f" {budget_s * 1000:.0f}: parse, hash and encrypt before the write."
                )
            self._log.warning("write.slow", function=job.name, duration_ms=round(took_s * 1000), rows=job.rows)

    def _lose(self, ran: list[tuple[Job, Any]], *, alone: bool) -> None:
        """The transaction is gone: those who had run go back to the front of the queue, each on its own if so asked."""
        self._uow.forget()
        with self._turn:
            for job, _ in reversed(ran):
                job.alone = alone
                self._people.appendleft(job)

    def _roll_back(self) -> None:
        self._uow.forget()
        with contextlib.suppress(sqlite3.Error):  # the error that led here is the one to tell
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _checkpoint(self, how: str) -> None:
        """Moves the write-ahead log into the file; what a reader holds back is done next time."""
        self._dirty = False
        try:
            self._connection.execute("PRAGMA busy_timeout=0")  # a reader in the way is not waited for
            self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
            self._connection.execute(f"PRAGMA busy_timeout={round(self._limits.busy_s * 1000)}")
        except sqlite3.Error as error:
            self._log.warning("checkpoint.failed", error=str(error))

    # --- for benchmarks and tests ---

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Holds the writer still while inside: what is submitted meanwhile makes a group."""
        holding, go = threading.Event(), threading.Event()

        def hold(_uow: Uow) -> None:
            holding.set()
            go.wait()

        job = Job(hold, Lane.PEOPLE, time.monotonic())
        job.alone = True
        future = self._put(job)
        holding.wait()
        try:
            yield
        finally:
            go.set()
            future.result()
