"""What other tests build upon does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kit.app import Service
from services.kit.bus.local import LocalLog
from services.kit.clock import ManualClock
from services.kit.db.migrate import folder_of
from tests.contracts.bus import Sink, consumption, publish
from tests.kitlib import SERVICES, DatabaseFactory, drain, make_consumers, make_parts, wait_until

WITH_MIGRATIONS = [name for name in SERVICES if (folder_of(name) / "versions").is_dir()]


@pytest.mark.parametrize("service", WITH_MIGRATIONS)
def test_parts_of_a_service_stand_on_its_own_schema(
    service: str, tmp_path: Path, clock: ManualClock, log: LocalLog
) -> None:
    parts = make_parts(tmp_path, service, log=log, clock=clock, data=tmp_path / "elsewhere")

    parts.database.ping()
    parts.blobs.put("kit/x/0", b"x")

    assert parts.clock is clock
    assert parts.data == tmp_path / "elsewhere"
    assert parts.leases.take("x", "me", seconds=1) is not None
    parts.database.close()


def test_draining_runs_every_consumer_until_nothing_waits(
    kit_database: DatabaseFactory, log: LocalLog, clock: ManualClock
) -> None:
    intake, tickets = kit_database("intake"), kit_database("tickets")
    sink = Sink(tickets)
    publish(intake, ["a", "b"])

    consumers = make_consumers([Service("tickets", tickets, consumers=[consumption(sink)])], log, clock)

    assert (drain(consumers), drain(consumers)) == (2, 0)
    assert sink.seen == ["a", "b"]


def test_waiting_for_what_never_comes_fails_by_its_deadline() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.01 s"):
        wait_until(lambda: False, 0.01)
