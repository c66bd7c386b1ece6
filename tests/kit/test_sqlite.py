"""SQLite: the contract, and what its one writer must do when SQLite ends a transaction by itself."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.db.sql import Sql
from services.kit.db.sqlite import SqliteDatabase
from services.kit.errors import AscoltoError, Internal, Unavailable
from services.kit.uow import Lane, Uow
from tests.contracts.database import ADD, DatabaseContract, add, event
from tests.kitlib import DatabaseFactory, wait_until

ORPHAN = Sql("INSERT INTO things (id, body, parent) VALUES ('orphan', '', 'nobody')")
IDS = Sql("SELECT id FROM things ORDER BY id")
SLOW = Sql("WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")


class TestSqliteDatabase(DatabaseContract):
    @pytest.fixture
    def database(self, kit_database: DatabaseFactory) -> SqliteDatabase:
        return kit_database("intake")


def ids(database: SqliteDatabase) -> list[Any]:
    with database.read() as reader:
        return [row[0] for row in reader.rows(IDS)]


def group_of_six(database: SqliteDatabase, third: Any) -> list[Future[Any]]:
    """Six writes that wait together; the third is `third`."""
    with database.held():
        return [database.submit(third if number == 3 else add(f"t{number}")) for number in range(1, 7)]


def fates(futures: list[Future[Any]]) -> list[BaseException | None]:
    return [future.exception(10) for future in futures]


def test_a_full_disk_fails_the_one_that_grew_and_the_rest_of_its_group_is_written(
    kit_database: DatabaseFactory, tmp_path: Path
) -> None:
    kit_database("intake").close()
    plain = sqlite3.connect(tmp_path / "intake.db")
    pages = plain.execute("PRAGMA page_count").fetchone()[0]
    plain.close()
    database = kit_database("intake", max_pages=pages + 8)
    database.write(add("t0"))

    found = fates(group_of_six(database, add("t3", "x" * 1_000_000)))

    assert isinstance(found[2], Unavailable)
    assert "disk full" in found[2].message
    assert [error for error in found if error is not found[2]] == [None] * 5
    assert ids(database) == ["t0", "t1", "t2", "t4", "t5", "t6"]


def test_a_full_disk_is_over_by_itself_when_there_is_room_again(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake")
    database.write(lambda uow: uow.rows(Sql("PRAGMA max_page_count = 1")))  # SQLite takes the present size
    with pytest.raises(Unavailable, match="disk full"):
        database.write(add("large", "x" * 1_000_000))

    database.write(lambda uow: uow.rows(Sql("PRAGMA max_page_count = 100000")))

    assert database.write(add("large", "x" * 1_000_000)) == 1


def test_a_failing_commit_fails_the_whole_group(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake")
    database.write(add("t0"))

    found = fates(group_of_six(database, lambda uow: uow.execute(ORPHAN)))

    assert all(isinstance(error, AscoltoError) for error in found)
    assert ids(database) == ["t0"]
    assert database.write(add("t9")) == 1


def test_an_interrupt_fails_the_one_interrupted_and_the_rest_runs_again(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake")
    database.write(add("t0"))

    def interrupted(uow: Uow) -> None:
        connection = database._connection
        connection.set_progress_handler(lambda: True, 1)
        try:
            uow.execute(ADD, {"id": "t3", "body": ""})
        finally:
            connection.set_progress_handler(None, 0)

    found = fates(group_of_six(database, interrupted))

    assert isinstance(found[2], Unavailable)
    assert [error for error in found if error is not found[2]] == [None] * 5
    assert ids(database) == ["t0", "t1", "t2", "t4", "t5", "t6"]


def test_what_waits_is_committed_together(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake", group_s=10.0)
    database.write(add("first"))
    before = database.commits

    with database.held():
        futures = [database.submit(add(f"t{number:03}")) for number in range(250)]
    fates(futures)

    assert database.commits - before == 4  # who held it, then 100, 100 and 50


def test_people_come_before_bulk_and_bulk_is_not_starved(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake", bulk_patience_s=1000.0, group_s=10.0)
    order: list[str] = []

    with database.held():
        futures = [database.submit(lambda _: order.append("bulk"), lane=Lane.BULK) for _ in range(3)]
        futures += [database.submit(lambda _: order.append("person")) for _ in range(3)]
    fates(futures)

    assert order == ["person"] * 3 + ["bulk"] * 3

    patient = kit_database("tickets", bulk_patience_s=0.0, group_s=10.0)
    order.clear()
    with patient.held():
        futures = [patient.submit(lambda _: order.append("bulk"), lane=Lane.BULK) for _ in range(3)]
        futures += [patient.submit(lambda _: order.append("person")) for _ in range(3)]
    fates(futures)

    assert order[:2] == ["bulk", "person"]


def test_too_much_waiting_is_refused_at_once_and_nothing_accepted_is_lost(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake", waiting_jobs=10)

    with database.held():
        futures = [database.submit(add(f"t{number}")) for number in range(10)]
        with pytest.raises(Unavailable, match="10 writes wait"):
            database.submit(add("t10"))

    assert fates(futures) == [None] * 10
    assert len(ids(database)) == 10


def test_a_function_that_burns_the_writers_time_is_named_and_fails_where_budgets_are_strict(
    kit_database: DatabaseFactory,
) -> None:
    def parse_everything(uow: Uow) -> None:
        uow.execute(ADD, {"id": "a", "body": ""})
        sum(number * number for number in range(600_000))

    lenient, strict = kit_database("tickets", strict=False), kit_database("intake", budget_s=0.02)

    lenient.write(parse_everything)
    with pytest.raises(Internal, match="parse_everything"):
        strict.write(parse_everything)

    assert any("parse_everything" in name for name in lenient.slowest_s)
    assert ids(lenient) == ["a"]
    assert ids(strict) == []


def test_a_reader_is_cut_after_its_time(kit_database: DatabaseFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    database = kit_database("intake")
    monkeypatch.setattr("services.kit.db.sqlite_readers.READ_S", 0.05)

    with database.read() as reader, pytest.raises(Unavailable, match="interrupted"):
        reader.rows(SLOW)

    assert ids(database) == []


def test_a_nested_read_needs_no_second_reader(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake", readers=1)

    with database.read() as outer, database.read() as inner:
        assert inner is outer

    assert ids(database) == []


def test_who_waits_for_the_log_is_told_after_the_commit_with_the_topics(
    kit_database: DatabaseFactory, log: LocalLog
) -> None:
    database = kit_database("intake")
    told: list[tuple[frozenset[str], int]] = []
    database._notify = lambda touched: told.append((touched, log.end("ascolto.contacts.v1")))

    database.write(add("silent"))
    database.write(lambda uow: uow.emit(event("con_1"), event("con_2")))

    assert told == [(frozenset({"ascolto.contacts.v1"}), 3)]


def test_the_write_ahead_log_is_moved_into_the_file_when_idle(kit_database: DatabaseFactory, tmp_path: Path) -> None:
    database = kit_database("intake", idle_s=0.02)
    database.write(add("a", "x" * 5_000_000))

    wait_until(lambda: (tmp_path / "intake.db").stat().st_size > 5_000_000)

    assert ids(database) == ["a"]


def test_a_write_before_the_migration_says_what_to_do(tmp_path: Path, clock: ManualClock) -> None:
    database = SqliteDatabase(tmp_path / "none.db", "intake", clock=clock)

    with pytest.raises(Unavailable, match="migrations first"):
        database.write(lambda uow: uow.next_revs())

    database.close()


def test_revisions_go_on_after_a_restart(kit_database: DatabaseFactory) -> None:
    first = kit_database("intake")
    drawn = [first.write(lambda uow: uow.next_revs(10))[-1]]
    first.close()

    again = kit_database("intake")
    drawn.append(again.write(lambda uow: uow.next_revs())[0])

    assert drawn == [10, 11]


def test_writers_on_many_threads_end_with_the_process(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake")
    threads = [threading.Thread(target=lambda n=n: database.write(add(f"t{n}"))) for n in range(20)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    database.close()

    assert not any(thread.is_alive() for thread in threads)
    assert database._thread is not None
    assert not database._thread.is_alive()


def test_lists_are_written_in_order_whatever_their_length(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake")
    upsert = Sql(
        "INSERT INTO things (id, body) VALUES (:id, :body) ON CONFLICT (id) DO UPDATE SET body = excluded.body"
    )
    lengths = (0, 1, 3, 4, 21, 64, 149)

    def write(uow: Uow) -> None:
        for length in lengths:
            uow.execute_many(upsert, ({"body": f"{length}.{n}", "more": 0, "id": f"{n:03}"} for n in range(length)))

    database.write(write)
    database.write(lambda uow: uow.execute_many(upsert, [{"id": "twice", "body": f"{n}"} for n in range(6)]))

    with database.read() as reader:
        rows = reader.rows(Sql("SELECT id, body FROM things ORDER BY id"))
    assert rows == [(f"{n:03}", f"149.{n}") for n in range(149)] + [("twice", "5")]


def test_rows_of_a_plain_insert_may_be_tuples_of_the_right_length(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake")
    database.write(lambda uow: uow.execute_many(ADD, [(f"{n:03}", f"b{n}") for n in range(150)]))

    with pytest.raises(Internal, match="2 values"):
        database.write(lambda uow: uow.execute_many(ADD, [("x", "y"), ("z",)]))
    with pytest.raises(Internal, match="plain INSERT"):
        database.write(lambda uow: uow.execute_many(Sql("UPDATE things SET body = :body WHERE id = :id"), [("x", "y")]))

    with database.read() as reader:
        rows = reader.rows(Sql("SELECT id, body FROM things ORDER BY id"))
    assert rows == [(f"{n:03}", f"b{n}") for n in range(150)]


def test_statements_that_are_no_plain_insert_take_lists_too(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake")
    database.write(lambda uow: uow.execute_many(ADD, [{"id": f"{n}", "body": ""} for n in range(5)]))
    shout = Sql("UPDATE things SET body = :body WHERE id IN (:ids...)")
    copy = Sql("INSERT INTO things (id, body) SELECT 'copy of ' || id, :body FROM things WHERE id = :id")

    database.write(lambda uow: uow.execute_many(shout, [{"ids": ["0", "1"], "body": "a"}, {"ids": ["2"], "body": "b"}]))
    database.write(lambda uow: uow.execute_many(copy, [{"id": "0", "body": "c"}, {"id": "4", "body": "d"}]))

    with database.read() as reader:
        rows = reader.rows(Sql("SELECT id, body FROM things"))
    assert {row[0]: row[1] for row in rows} == {
        "0": "a",
        "1": "a",
        "2": "b",
        "3": "",
        "4": "",
        "copy of 0": "c",
        "copy of 4": "d",
    }


def test_a_listener_that_fails_harms_no_writer(kit_database: DatabaseFactory) -> None:
    database = kit_database("intake")

    def fail(_topics: frozenset[str]) -> None:
        raise ValueError("deaf")

    database._notify = fail

    assert database.write(lambda uow: uow.emit(event("con_1"))) is None
    assert database.write(add("a")) == 1


def test_a_callback_that_writes_is_refused_instead_of_hanging(kit_database: DatabaseFactory) -> None:
    database, told, refused = kit_database("intake"), threading.Event(), []

    def write_again(_future: object) -> None:
        try:
            database.write(add("b"))
        except Internal as error:
            refused.append(error.message)
        told.set()

    with database.held():
        database.submit(add("a")).add_done_callback(write_again)

    assert told.wait(5)
    assert "callback" in refused[0]


def test_a_writer_that_cannot_go_on_tells_who_waits_and_refuses_who_comes(
    kit_database: DatabaseFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = kit_database("intake")
    database.write(add("a"))
    monkeypatch.setattr(database, "_truncate_if_long", lambda: 1 / 0)

    with database.held():
        waiting = database.submit(add("b"))

    assert isinstance(waiting.exception(5), ZeroDivisionError)
    with pytest.raises(Unavailable, match="closed"):
        database.write(add("c"))
