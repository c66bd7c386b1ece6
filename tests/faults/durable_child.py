"""A process that writes from eight threads and says on standard output what was promised: `python -m … FOLDER [PRAGMA]`."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from functools import partial
from pathlib import Path

from services.kit.clock import SystemClock
from services.kit.db import sqlite
from services.kit.db.sql import Sql
from tests.kitlib import make_kit_database

ADD = Sql("INSERT INTO things (id, body) VALUES (:id, :body)")


def main(folder: Path, pragma: str) -> None:
    """Writes until it is killed."""
    if pragma:  # the negative control: the product's own statement, weakened
        sqlite.sqlite3 = _Weakened(sqlite.sqlite3, pragma)  # type: ignore[assignment,attr-defined]  # the control
    database = make_kit_database(folder, "intake", clock=SystemClock(), checkpoint_pages=200, budget_s=1.0)
    numbers, said = itertools.count(), threading.Lock()

    def work() -> None:
        while True:
            number, began = next(numbers), time.perf_counter()
            row = {"id": f"{number:09}", "body": "x" * 300}
            database.write(lambda uow: uow.execute(ADD, row))  # noqa: B023 (called at once)
            with said:
                sys.stdout.write(f"{row['id']} {time.perf_counter() - began:.4f}\n")
                sys.stdout.flush()

    threads = [threading.Thread(target=partial(work)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Weakened:
    """The module `sqlite3` whose connections are opened less safe."""

    def __init__(self, real: object, pragma: str) -> None:
        self._real, self._pragma = real, pragma

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def connect(self, *arguments: object, **more: object) -> object:
        """A connection that takes `pragma` for every `synchronous=FULL`."""
        pragma, real = self._pragma, self._real

        class Connection(real.Connection):  # type: ignore[attr-defined,misc,name-defined]  # a module as it comes
            def execute(self, text: str, *values: object) -> object:
                return super().execute(text.replace("synchronous=FULL", pragma), *values)

        return real.connect(*arguments, factory=Connection, **more)  # type: ignore[attr-defined]  # as above


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
