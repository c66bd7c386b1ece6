"""Scenario 12 with two PostgreSQL: the primary is killed under load and its synchronous standby takes over."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import pytest

from deploy.local import postgres, process
from services.kit.clock import SystemClock
from services.kit.db.postgres import PostgresDatabase
from services.kit.db.sql import Sql
from services.kit.errors import AscoltoError
from services.kit.uow import Uow
from tests.faults.real.world import SEEDS
from tests.kitlib import kit_migrations, wait_until

ADD = Sql("INSERT INTO things (id, body) VALUES (:id, :body)")
_PAUSE_S = 30.0


@dataclass(slots=True)
class Servers:
    """The two."""

    primary: process.Running
    standby: process.Running
    standby_data: Path

    def url(self, name: str) -> str:
        """Both, the way an installation names them: who writes is asked for."""
        places = [one.url.partition("@")[2].partition("/")[0] for one in (self.primary, self.standby)]
        return f"postgresql://postgres@{','.join(places)}/{name}"


@pytest.fixture
def pair() -> Iterator[Servers]:
    """A primary that waits for its standby with each commit."""
    folder = Path(tempfile.mkdtemp(prefix="pair-"))
    folder.chmod(0o755)  # the servers run as another user where this one is root
    programs = postgres.fetch()
    primary = postgres.start(folder / "primary")
    data = process.own(folder / "standby") / "cluster"
    process.as_nobody(
        [programs / "pg_basebackup", "-D", data, "-R", "-c", "fast", "-d", f"{primary.url}?application_name=heir"]
    )
    (port,) = process.free_ports(1)
    command = [programs / "postgres", "-D", data, "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"]
    command += ["-c", "unix_socket_directories=", "-c", "max_connections=300"]  # no fewer than its primary's
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    started = process.start("standby", command, log=data.parent / "log", url=url, unprivileged=True)
    standby = started.wait(partial(_answers, url))
    with psycopg.connect(primary.url, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        admin.execute("SELECT pg_reload_conf()")
        wait_until(lambda: admin.execute("SELECT sync_state FROM pg_stat_replication").fetchone() == ("sync",), 30)
    yield Servers(primary, standby, data)
    for running in (primary, standby):
        running.stop(signal.SIGINT)
    shutil.rmtree(folder, ignore_errors=True)  # the killed one's last children may still write


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # servers outlive who starts them
@pytest.mark.parametrize("seed", SEEDS)
def test_a_standby_takes_over_within_half_a_minute_and_has_all_that_was_promised(
    tmp_path: Path, pair: Servers, seed: int
) -> None:
    database = PostgresDatabase(pair.url("care"), "intake", migrations=kit_migrations(tmp_path), clock=SystemClock())
    with psycopg.connect(pair.primary.url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE care TEMPLATE template0")
    database.migrate()
    promised: dict[str, float] = {}
    numbers, done = itertools.count(), threading.Event()

    def add(row: dict[str, str], uow: Uow) -> None:
        uow.execute(ADD, row)

    def work() -> None:
        while not done.is_set():
            row = {"id": f"{seed}-{next(numbers)}", "body": "x"}
            try:
                database.write(partial(add, row))
            except AscoltoError:
                continue  # a sender would try again: it was told that nothing is promised
            promised[row["id"]] = time.monotonic()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(promised) > 100 + 50 * seed % 300, 60)
    os.kill(pair.primary.pid, signal.SIGKILL)
    killed = time.monotonic()
    process.as_nobody([postgres.fetch() / "pg_ctl", "promote", "-D", pair.standby_data])
    wait_until(lambda: any(at > killed + 1.0 for at in list(promised.values())[-50:]), 90)
    until = len(promised) + 50
    wait_until(lambda: len(promised) > until, 60)
    done.set()
    for thread in threads:
        thread.join(30)
    database.close()
    moments = sorted(promised.values())
    pause_s = max(after - before for before, after in itertools.pairwise(moments))
    with psycopg.connect(pair.standby.url.removesuffix("postgres") + "care", autocommit=True) as reader:
        found = {str(row[0]) for row in reader.execute("SELECT id FROM things")}
    sys.stdout.write(f"\nseed {seed}: {len(promised)} promised, a pause of {pause_s:.1f} s\n")

    assert set(promised) <= found, f"seed {seed}"
    assert pause_s <= _PAUSE_S
