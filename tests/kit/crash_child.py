"""A process to be killed: takes work in, hands it on, and says on standard output what it promised.

Run by `test_crash.py` with the folder and the highest number as arguments, and a crash point in the environment.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ascolto.intake.v1.events_pb2 import ContactReceived
from services.kit import crash, topics
from services.kit.app import Consumption
from services.kit.bus import Record
from services.kit.clock import SystemClock
from services.kit.consume import Consumer
from services.kit.db.sql import Sql
from services.kit.uow import Event, Uow
from tests.kitlib import make_kit_database, make_log

ADD = Sql("INSERT INTO things (id, body) VALUES (:id, :body)")
FIND = Sql("SELECT 1 FROM things WHERE id = :id")


def say(word: object) -> None:
    """One line, out before the next step."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(folder: Path, last: int) -> None:
    """Offers each number until it is promised, and consumes after every third."""
    log, clock = make_log(folder), SystemClock()
    intake = make_kit_database(folder, "intake", clock=clock, log=log)
    tickets = make_kit_database(folder, "tickets", clock=clock, log=log)

    def handle(records: Sequence[Record], uow: Uow) -> None:
        revs = uow.next_revs(len(records))
        uow.execute_many(
            ADD, [{"id": f"{rev:09}", "body": record.key} for rev, record in zip(revs, records, strict=True)]
        )

    kinds = frozenset({"ContactReceived"})
    consumer = Consumer(Consumption("tickets", topics.CONTACTS, kinds, handle), tickets, log, clock=clock)

    def accept(number: int, uow: Uow) -> None:
        if uow.row(FIND, {"id": f"{number:09}"}) is None:
            uow.execute(ADD, {"id": f"{number:09}", "body": ""})
            uow.emit(Event(topics.CONTACTS, f"{number}", f"con_{number}", uow.next_revs()[0], ContactReceived()))
        crash.point("intake.before_commit")

    for number in range(last):
        intake.write(partial(accept, number))
        crash.point("intake.after_commit")
        say(number)
        if number % 3 == 0:
            consumer.run_once()
    consumer.run_once()
    say("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
