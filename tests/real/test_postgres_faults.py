"""PostgreSQL going away, standing still and clashing: bounded waits, nothing lost, nothing written twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from services.kit import topics
from services.kit.db.postgres import Limits, PostgresDatabase
from services.kit.db.sql import Sql
from services.kit.errors import AscoltoError, Internal, Unavailable
from services.kit.uow import Lane, Uow
from tests import kitlib
from tests.contracts.database import ADD, ALL, GET, LOCK, SET, add, event
from tests.faults.proxy import Proxy, is_commit
from tests.kitlib import wait_until
from tests.real.postgres import Postgres, Server, make_database, postgres

__all__ = ["postgres"]

pytestmark = pytest.mark.real
SLEEP = Sql("SELECT pg_sleep(:seconds)")
SUMS = Sql("SELECT sum(length(body)), count(*) > 0, avg(length(body)) FROM things")
COUNT = Sql("SELECT count(*) FROM things")


@pytest.fixture
def make(postgres: Server, tmp_path: Path) -> Iterator[Callable[..., Postgres]]:
    """A database with `things`; called again, another process's view of the same one."""
    opened: list[Postgres] = []

    def build(**more: Any) -> Postgres:
        opened.append(make_database(tmp_path, "intake", migrations=kitlib.kit_migrations(tmp_path), **more))
        return opened[-1]

    yield build
    for database in opened:
        database.close()


def cut_all(server: Server, database: PostgresDatabase) -> int:
    """Ends every session of a database, as a fail-over does; returns how many."""
    name = psycopg.conninfo.conninfo_to_dict(database.info)["dbname"]
    with psycopg.connect(server.url, autocommit=True) as admin:
        rows = admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        return len(rows.fetchall())


def test_what_sums_and_compares_comes_back_as_sqlite_gives_it(make: Callable[..., Postgres]) -> None:
    database = make()
    database.write(lambda uow: uow.execute_many(ADD, [("a", "xx"), ("b", "xxx")]))

    with database.read() as reader:
        row = reader.row(SUMS)

    assert row == (5, 1, 2.5)
    assert [type(value) for value in row] == [int, int, float]


def test_a_text_with_nul_is_kept_without_it(make: Callable[..., Postgres]) -> None:
    database = make()

    database.write(add("one", "a\x00b"))
    database.write(lambda uow: uow.execute_many(ADD, [("many", "a\x00b")]))

    with database.read() as reader:
        assert reader.row(GET, {"id": "one"}) == reader.row(GET, {"id": "many"}) == ("a\ufffdb",)


def test_rows_of_one_list_that_meet_in_a_key_are_written_one_after_the_other(make: Callable[..., Postgres]) -> None:
    database = make()
    put = Sql("INSERT INTO things (id, body) VALUES (:id, :body) ON CONFLICT (id) DO UPDATE SET body = excluded.body")

    database.write(lambda uow: uow.execute_many(put, [("a", "1"), ("b", "1"), ("a", "2"), ("a", "3")]))

    with database.read() as reader:
        assert [reader.row(GET, {"id": one}) for one in "ab"] == [("3",), ("1",)]


def test_sessions_cut_between_writes_are_replaced_unseen(make: Callable[..., Postgres], postgres: Server) -> None:
    database = make()
    database.write(add("before"))
    with database.read() as reader:
        reader.rows(ALL)

    assert cut_all(postgres, database) >= 2

    assert database.write(add("after")) == 1
    with database.read() as reader:
        assert [row[0] for row in reader.rows(ALL)] == ["after", "before"]


def test_under_cuts_every_acknowledged_write_is_there_once(make: Callable[..., Postgres], postgres: Server) -> None:
    database, stop = make(), threading.Event()
    acknowledged: list[str] = []

    def write(worker: int) -> None:
        for number in range(20):
            name = f"t{worker}_{number}"
            try:
                database.write(add(name))
                acknowledged.append(name)
            except (Unavailable, Internal):  # away, or written by the run whose answer was lost
                continue

    def cut() -> None:
        while not stop.wait(0.05):
            cut_all(postgres, database)

    cutter = threading.Thread(target=cut)
    cutter.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    stop.set()
    cutter.join()

    with database.read() as reader:
        there = [str(row[0]) for row in reader.rows(ALL)]
    assert set(acknowledged) <= set(there)
    assert len(there) == len(set(there))
    assert len(acknowledged) > 40


def test_a_deadlock_runs_one_of_the_two_again(make: Callable[..., Postgres]) -> None:
    database = make()
    database.write(lambda uow: uow.execute_many(ADD, [("a", ""), ("b", "")]))
    barrier = threading.Barrier(2)
    runs: list[str] = []

    def crosswise(first: str, second: str) -> Callable[[Uow], None]:
        def write(uow: Uow) -> None:
            runs.append(first)
            uow.row(LOCK, {"id": first})
            if len(runs) <= 2:
                barrier.wait(5)
            uow.execute(SET, {"id": second, "body": f"from {first}"})

        return write

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(database.write, (crosswise("a", "b"), crosswise("b", "a"))))

    assert len(runs) == 3
    with database.read() as reader:
        assert [reader.row(GET, {"id": one}) for one in "ab"] == [("from b",), ("from a",)]


def test_bulk_leaves_connections_to_people(make: Callable[..., Postgres]) -> None:
    database = make(writers=2, bulk=1)
    go = threading.Event()
    bulk = [database.submit(lambda _uow: go.wait(10), lane=Lane.BULK) for _ in range(4)]

    assert database.write(add("a")) == 1

    go.set()
    assert all(future.result(10) for future in bulk)


def test_no_connection_free_is_unavailable_with_a_time_to_wait(make: Callable[..., Postgres]) -> None:
    database = make(writers=1, wait_s=0.2)
    go, holding = threading.Event(), threading.Event()

    def hold(_uow: Uow) -> None:
        holding.set()
        go.wait(10)

    held = database.submit(hold)
    holding.wait(5)

    begun = time.monotonic()
    with pytest.raises(Unavailable, match="no connection in time") as raised:
        database.write(add("a"))

    assert raised.value.retry_after_s > 0
    assert time.monotonic() - begun < 2
    go.set()
    held.result(10)


def test_a_read_of_more_than_two_seconds_is_ended(make: Callable[..., Postgres]) -> None:
    database = make()
    begun = time.monotonic()

    with pytest.raises(Unavailable), database.read() as reader:
        for _ in range(3):
            reader.rows(SLEEP, {"seconds": 0.9})

    assert time.monotonic() - begun < 3


@pytest.fixture
def behind_proxy(postgres: Server, tmp_path: Path) -> Iterator[tuple[Postgres, Proxy]]:
    """A database whose every connection goes through a proxy."""
    url = postgres.database(tmp_path, "intake", kitlib.kit_migrations(tmp_path))
    given = psycopg.conninfo.conninfo_to_dict(url)
    if str(given.get("host", "")).startswith("/"):
        pytest.skip("a server on a Unix socket has no port to put a proxy before")
    proxy = Proxy(f"{given['host']}:{given['port']}")
    limits = Limits(transaction_s=1.0, wait_s=1.0, again_s=2.0)
    way = psycopg.conninfo.make_conninfo(url, host="127.0.0.1", port=proxy.port)
    database = Postgres(way, "intake", limits=limits)
    yield database, proxy
    proxy.close()
    database.close()


def test_a_server_that_stands_still_is_given_up_and_taken_up_again(behind_proxy: tuple[Postgres, Proxy]) -> None:
    database, proxy = behind_proxy
    database.write(add("a"))
    proxy.swallow(on=True)
    begun = time.monotonic()

    with pytest.raises(Unavailable) as raised:
        database.write(add("b"))

    assert time.monotonic() - begun < 8
    assert raised.value.retry_after_s > 0
    proxy.swallow(on=False)
    wait_until(lambda: _outcome(partial(database.write, add("c"))) is None, deadline_s=15)
    with database.read() as reader:
        assert [row[0] for row in reader.rows(ALL)] == ["a", "c"]


def test_a_lost_answer_to_commit_is_told_as_unknown_and_is_not_run_again(behind_proxy: tuple[Postgres, Proxy]) -> None:
    database, proxy = behind_proxy
    database.write(add("a"))
    runs: list[str] = []

    def write(uow: Uow) -> None:
        runs.append("run")
        uow.execute(ADD, {"id": "b", "body": ""})

    proxy.lose_acknowledgements(1, to=is_commit)
    with pytest.raises(Unavailable, match="being committed"):
        database.write(write)

    assert runs == ["run"]
    with database.read() as reader:
        assert [row[0] for row in reader.rows(ALL)] == ["a", "b"]


def test_an_unreachable_server_is_unavailable_in_bounded_time(tmp_path: Path) -> None:
    database = PostgresDatabase("postgresql://nobody@127.0.0.1:1/none", "intake", limits=Limits(wait_s=0.5))
    begun = time.monotonic()

    for act in (lambda: database.write(add("a")), database.ping, database.migrate):
        with pytest.raises(Unavailable) as raised:
            act()
        assert raised.value.retry_after_s > 0

    assert time.monotonic() - begun < 10
    database.close()


def test_a_function_that_goes_on_after_a_failed_statement_writes_nothing(make: Callable[..., Postgres]) -> None:
    database = make()

    def careless(uow: Uow) -> None:
        uow.execute(ADD, {"id": "a", "body": ""})
        try:
            uow.execute(Sql("SELECT nonsense"))
        except psycopg.Error:
            return

    with pytest.raises(Internal, match="went on"):
        database.write(careless)

    with database.read() as reader:
        assert reader.row(COUNT) == (0,)


def test_each_commit_is_heard_by_another_process_also_after_a_lost_connection(
    make: Callable[..., Postgres], postgres: Server
) -> None:
    database, other = make(), make()
    heard: list[frozenset[str]] = []
    stop = threading.Event()
    listener = threading.Thread(target=other.listen, args=(heard.append, stop))
    listener.start()
    try:
        wait_until(lambda: heard == [frozenset()])
        database.write(lambda uow: uow.emit(event("con_1")))
        wait_until(lambda: heard[1:] == [frozenset({topics.CONTACTS})])

        cut_all(postgres, database)
        wait_until(lambda: heard[2:] == [frozenset()])
        database.write(lambda uow: uow.emit(event("con_2")))
        wait_until(lambda: frozenset({topics.CONTACTS}) in heard[3:])
    finally:
        stop.set()
        listener.join(5)
    assert not listener.is_alive()


def test_revisions_of_two_processes_never_meet(make: Callable[..., Postgres]) -> None:
    databases = [make(), make()]

    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda n: databases[n % 2].write(lambda uow: list(uow.next_revs(3))), range(60)))

    flat = [rev for three in drawn for rev in three]
    assert len(set(flat)) == 180
    assert all(three == sorted(three) for three in drawn)


def test_two_processes_that_start_at_once_make_and_migrate_one_database(postgres: Server) -> None:
    name = f"{postgres._mark}_born"
    databases = [PostgresDatabase(postgres.url_of(name), "tickets") for _ in range(2)]
    postgres._made.append(name)

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(_outcome, [database.migrate for database in databases]))

    assert outcomes == [None, None]
    for database in databases:
        database.ping()
        database.close()


def test_a_role_that_may_not_make_the_database_is_told_which_command_to_run(postgres: Server) -> None:
    role = f"{postgres._mark}_plain"
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
    url = postgres.url_of(f"{postgres._mark}_never").replace("user=postgres", f"user={role}")
    database = PostgresDatabase(url, "tickets")

    with pytest.raises(Unavailable, match=r"createdb .*_never"):
        database.migrate()

    database.close()
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(f"DROP ROLE {role}")


def _outcome(act: Callable[[], Any]) -> AscoltoError | None:
    try:
        act()
    except AscoltoError as error:
        return error
    return None
