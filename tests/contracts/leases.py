"""The contract of leases, on whatever database keeps them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.kit.db.sql import Sql
from services.kit.errors import Conflict
from services.kit.leases import Lease, Leases
from services.kit.uow import Database, Uow

PassTime = Callable[[float], None]
ADD = Sql("INSERT INTO things (id, body) VALUES ('written', '')")
COUNT = Sql("SELECT count(*) FROM things")


class LeasesContract(ABC):
    """Subclass and give `database`, with the table `things`, and `pass_time`."""

    @pytest.fixture
    @abstractmethod
    def database(self) -> Any: ...

    @pytest.fixture
    @abstractmethod
    def pass_time(self) -> Any:
        """Called with seconds: lets the database's clock move on by them."""

    @pytest.fixture
    def leases(self, database: Database, pass_time: PassTime) -> Leases:
        return Leases(database)

    @staticmethod
    def take(leases: Leases, holder: str) -> Lease:
        lease = leases.take("poll acc_1", holder, seconds=30)
        assert lease is not None
        return lease

    def test_one_holder_at_a_time(self, leases: Leases) -> None:
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda n: leases.take("poll acc_1", f"process {n}", seconds=30), range(16)))

        assert sum(lease is not None for lease in taken) == 1
        assert leases.take("poll acc_2", "process 1", seconds=30) is not None

    def test_a_lease_that_ended_goes_to_another_with_a_higher_epoch(self, leases: Leases, pass_time: PassTime) -> None:
        first = self.take(leases, "a")
        pass_time(31)

        second = self.take(leases, "b")

        assert second.epoch > first.epoch
        assert not leases.renew(first, seconds=30)
        assert leases.renew(second, seconds=30)

    def test_renewing_holds_on(self, leases: Leases, pass_time: PassTime) -> None:
        lease = self.take(leases, "a")
        for _ in range(5):
            pass_time(20)
            assert leases.renew(lease, seconds=30)

        assert leases.take("poll acc_1", "b", seconds=30) is None

    def test_a_lease_that_ended_cannot_be_renewed_though_nobody_took_it(
        self, leases: Leases, pass_time: PassTime
    ) -> None:
        lease = self.take(leases, "a")
        pass_time(30)

        assert not leases.renew(lease, seconds=30)

    def test_released_means_free_at_once_and_an_old_holder_releases_nothing(self, leases: Leases) -> None:
        first = self.take(leases, "a")
        leases.release(first)
        second = self.take(leases, "b")

        leases.release(first)

        assert leases.renew(second, seconds=30)
        assert second.epoch > first.epoch

    def test_taking_ones_own_again_fences_ones_past_self(self, leases: Leases) -> None:
        before = self.take(leases, "a")
        after = self.take(leases, "a")

        assert after.epoch > before.epoch
        assert not leases.renew(before, seconds=30)

    def test_who_slept_past_its_lease_writes_nothing(
        self, leases: Leases, database: Database, pass_time: PassTime
    ) -> None:
        asleep = self.take(leases, "a")
        pass_time(31)
        awake = self.take(leases, "b")

        def write_as(lease: Lease) -> Any:
            def write(uow: Uow) -> None:
                leases.fence(lease, uow)
                uow.execute(ADD)

            return write

        with pytest.raises(Conflict, match="no longer holds"):
            database.write(write_as(asleep))
        database.write(write_as(awake))

        with database.read() as reader:
            assert reader.row(COUNT) == (1,)
