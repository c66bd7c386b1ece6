"""The contract of every database behind `kit.uow.Database`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ascolto.common.v1.envelope_pb2 import Envelope
from ascolto.intake.v1.events_pb2 import ContactReceived
from services.kit import topics
from services.kit.db.sql import Sql
from services.kit.errors import AscoltoError, Internal, Invalid, NotFound
from services.kit.uow import Database, Event, Lane, Uow

ADD = Sql("INSERT INTO things (id, body) VALUES (:id, :body)")
GET = Sql("SELECT body FROM things WHERE id = :id")
LOCK = Sql("SELECT body FROM things WHERE id = :id ORDER BY id FOR UPDATE")
SOME = Sql("SELECT id FROM things WHERE id IN (:ids...) ORDER BY id")
SET = Sql("UPDATE things SET body = :body WHERE id = :id")
ALL = Sql("SELECT id FROM things ORDER BY id")
OUTBOX = Sql("SELECT data FROM outbox ORDER BY id")


def event(aggregate_id: str, rev: int = 1, *, topic: str = topics.CONTACTS, text: str = "") -> Event:
    return Event(topic, f"key of {aggregate_id}", aggregate_id, rev, ContactReceived(text=text))


def add(thing_id: str, body: str = "") -> Any:
    return lambda uow: uow.execute(ADD, {"id": thing_id, "body": body})


class DatabaseContract(ABC):
    """Subclass and give `database`, an intake database with a table `things (id, body)`."""

    @pytest.fixture
    @abstractmethod
    def database(self) -> Any: ...

    @staticmethod
    def ids(database: Database) -> list[Any]:
        with database.read() as reader:
            return [row[0] for row in reader.rows(ALL)]

    @staticmethod
    def envelopes(database: Database) -> list[Envelope]:
        with database.read() as reader:
            return [Envelope.FromString(row[0]) for row in reader.rows(OUTBOX) if isinstance(row[0], bytes)]

    def test_a_write_that_returned_can_be_read(self, database: Database) -> None:
        touched = database.write(add("a", "one"))

        assert touched == 1
        with database.read() as reader:
            assert reader.row(GET, {"id": "a"}) == ("one",)
            assert reader.row(GET, {"id": "b"}) is None

    def test_a_function_that_raises_leaves_nothing_and_its_error_reaches_the_caller(self, database: Database) -> None:
        def fail(uow: Uow) -> None:
            uow.execute(ADD, {"id": "a", "body": ""})
            uow.emit(event("a"))
            raise NotFound("There is no b.")

        with pytest.raises(NotFound, match="no b"):
            database.write(fail)

        assert self.ids(database) == []
        assert self.envelopes(database) == []

    def test_one_that_fails_takes_nobody_with_it(self, database: Database) -> None:
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(
                pool.map(lambda n: _outcome(database, add("same" if n % 5 == 0 else f"t{n:02}")), range(40))
            )

        assert sum(isinstance(outcome, AscoltoError) for outcome in outcomes) == 7
        assert len(self.ids(database)) == 33

    def test_functions_that_lock_a_row_see_each_other_one_after_the_other(self, database: Database) -> None:
        database.write(add("count", "0"))

        def increment(uow: Uow) -> None:
            row = uow.row(LOCK, {"id": "count"})
            assert row is not None
            uow.execute(SET, {"id": "count", "body": str(int(row[0] or 0) + 1)})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: database.write(increment), range(100)))

        with database.read() as reader:
            assert reader.row(GET, {"id": "count"}) == ("100",)

    def test_list_parameters_find_what_they_name_and_nothing_for_an_empty_list(self, database: Database) -> None:
        database.write(lambda uow: uow.execute_many(ADD, [{"id": name, "body": ""} for name in "abc"]))

        with database.read() as reader:
            assert reader.rows(SOME, {"ids": ["c", "a", "x"]}) == [("a",), ("c",)]
            assert reader.rows(SOME, {"ids": []}) == []

    def test_a_list_of_changes_tells_how_many_rows_it_met(self, database: Database) -> None:
        def change(uow: Uow) -> tuple[int, int, int]:
            added = uow.execute_many(ADD, [{"id": name, "body": "old"} for name in "abc"])
            changed = uow.execute_many(SET, [{"id": name, "body": "new"} for name in ("a", "c", "x")])
            return added, changed, uow.execute_many(ADD, [])

        assert database.write(change) == (3, 2, 0)

    def test_revisions_grow_and_never_repeat_though_functions_fail(self, database: Database) -> None:
        drawn: list[int] = []

        def draw(uow: Uow) -> None:
            drawn.extend(uow.next_revs(3))
            if len(drawn) % 2 == 0:
                raise NotFound("nothing")

        for _ in range(6):
            _outcome(database, draw)

        assert drawn == sorted(set(drawn))

    def test_events_of_one_locked_row_keep_the_order_of_their_revisions_and_their_envelope(
        self, database: Database
    ) -> None:
        database.write(add("a"))

        def record(uow: Uow) -> None:
            uow.row(LOCK, {"id": "a"})
            rev = uow.next_revs()[0]
            uow.emit(event(f"con_{rev}", rev))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: database.write(record), range(60)))

        found = self.envelopes(database)
        assert [envelope.rev for envelope in found] == sorted(envelope.rev for envelope in found)
        assert len({envelope.event_id for envelope in found}) == 60
        assert found[0].kind == "ContactReceived"
        assert found[0].producer == "intake"
        assert found[0].key == f"key of {found[0].aggregate_id}"
        assert found[0].mode == 1

    def test_an_event_over_256_kb_is_refused_with_its_size(self, database: Database) -> None:
        def large(uow: Uow) -> None:
            uow.execute(ADD, {"id": "a", "body": ""})
            uow.emit(event("con_1", text="x" * 256 * 1024))

        with pytest.raises(Invalid, match="262144"):
            database.write(large)

        assert self.ids(database) == []

    def test_an_event_of_another_services_topic_is_refused(self, database: Database) -> None:
        with pytest.raises(Internal, match="tickets"):
            database.write(lambda uow: uow.emit(event("tkt_1", topic=topics.TICKETS)))

    def test_a_write_or_read_inside_a_write_raises_instead_of_hanging(self, database: Database) -> None:
        def read(_uow: Uow) -> None:
            with database.read() as reader:
                reader.rows(ALL)

        for inner in (lambda _: database.write(add("b")), lambda _: database.submit(add("b")), read):
            with pytest.raises(Internal, match="inside a transaction"):
                database.write(inner)

        assert self.ids(database) == []
        assert database.write(add("c")) == 1

    def test_a_read_sees_one_moment_while_writes_go_on(self, database: Database) -> None:
        database.write(add("a"))

        with database.read() as reader:
            assert reader.rows(ALL) == [("a",)]
            thread = threading.Thread(target=lambda: database.write(add("b")))
            thread.start()
            thread.join(5)
            assert reader.rows(ALL) == [("a",)]

        assert self.ids(database) == ["a", "b"]

    def test_a_future_resolves_after_the_commit_alone(self, database: Database) -> None:
        visible: list[list[Any]] = []
        done = threading.Event()

        def look(_future: object) -> None:
            visible.append(self.ids(database))
            done.set()

        database.submit(add("a"), lane=Lane.BULK).add_done_callback(look)

        assert done.wait(5)
        assert visible == [["a"]]

    def test_close_finishes_what_waits(self, database: Database) -> None:
        futures = [database.submit(add(f"t{n}"), lane=Lane.BULK if n % 2 else Lane.PEOPLE) for n in range(50)]

        database.close()

        assert [future.result(0) for future in futures] == [1] * 50
        with pytest.raises(AscoltoError, match="closed"):
            database.write(add("late"))

    def test_migrating_twice_changes_nothing(self, database: Database) -> None:
        database.write(add("a"))

        database.migrate()

        assert self.ids(database) == ["a"]
        database.ping()


def _outcome(database: Database, function: Any) -> Any:
    try:
        return database.write(function)
    except AscoltoError as error:
        return error
