"""Copies taken under load fit together, and revisions go on above all that was seen before a restore."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

from services.kit import topics
from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.consume import Consumer
from services.kit.db.snapshot import copy_all, raise_epoch
from services.kit.wakes import Wakes
from tests.contracts.bus import Sink, consumption, publish
from tests.kitlib import DatabaseFactory, drain, make_kit_database, wait_until


def test_copies_taken_under_load_are_of_one_moment(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock, tmp_path: Path
) -> None:
    intake, tickets = kit_database("intake"), kit_database("tickets")
    sink, stop = Sink(tickets), threading.Event()
    consumer = Consumer(consumption(sink), tickets, log, clock=clock)

    def produce() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            publish(intake, [f"k{number}"])

    threads = [threading.Thread(target=produce), threading.Thread(target=consumer.run, args=(stop,))]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(sink.seen) > 50)
    folders = [tmp_path / f"copy{number}" for number in range(5)]
    for folder in folders:
        folder.mkdir()
        copy_all({"intake": intake, "tickets": tickets}, folder)  # the log first: one by one it would be too short
    stop.set()
    for thread in threads:
        thread.join(5)

    for folder in folders:
        copied = LocalLog({name: folder / f"{name}.db" for name in ("intake", "tickets")}, wakes=Wakes())
        database = make_kit_database(folder, "tickets", clock=clock)
        after = Sink(database)
        drain([Consumer(consumption(after), database, copied, clock=clock)])
        assert len(after.seen) == len(copied.read(topics.CONTACTS, 0, 0, 100_000))
        assert after.seen == [f"k{number}" for number in range(len(after.seen))]
        database.close()
        copied.close()


def test_revisions_of_a_restored_database_are_above_all_before(kit_database: DatabaseFactory, tmp_path: Path) -> None:
    database = kit_database("intake")
    last = database.write(lambda uow: uow.next_revs(5))[-1]
    database.close()

    first, second = raise_epoch(tmp_path / "intake.db"), raise_epoch(tmp_path / "intake.db")
    drawn = kit_database("intake").write(lambda uow: uow.next_revs())[0]

    assert last < first < second < drawn
    assert drawn < 2**53
