"""What tests of Kafka share: an installation of its own for each test, told apart by the prefix of its topics."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import MemberToRemove

from services.kit.bus.kafka import KafkaLog
from services.kit.bus.kafka_cluster import Cluster
from services.kit.bus.kafka_publish import KafkaPublisher
from services.kit.bus.kafka_topics import create_topics
from services.kit.clock import SystemClock
from services.kit.consume import Consumer
from services.kit.relay import Relay
from services.kit.uow import Database
from services.kit.wakes import Wakes
from tests.faults.proxy import Proxy
from tests.kitlib import wait_until
from tests.real import servers


def new_url(partitions: int) -> str:
    """A URL with fresh, empty topics."""
    url = f"{servers.url('kafka')}/t{uuid.uuid4().hex[:12]}"
    create_topics(Cluster.of(url), retention=timedelta(days=27), partitions=partitions)
    return url


def behind(url: str, proxy: Proxy) -> Cluster:
    """As `Cluster.of`, reached through `proxy`."""
    direct = Cluster.of(url)

    class Through(Cluster):
        @property
        def client(self) -> dict[str, Any]:
            return direct.client | {"proxy_url": f"http://{proxy.address}"}

    return Through(direct.servers, direct.prefix)


def drop(url: str) -> None:
    """Removes the installation's topics."""
    cluster = Cluster.of(url)
    admin = KafkaAdminClient(**cluster.client)
    admin.delete_topics([name for name in admin.list_topics() if name.startswith(cluster.prefix)])
    admin.close()


def forget(url: str, log: KafkaLog, topic: str) -> None:
    """What retention does, at once: everything written so far is gone."""
    cluster = Cluster.of(url)
    admin = KafkaAdminClient(**cluster.client)
    ends = {TopicPartition(cluster.name(part.topic), part.partition): of.end for part, of in log.bounds(topic).items()}
    admin.delete_records(ends)
    admin.close()


def kick(url: str, group: str) -> None:
    """Takes every member of a group for dead, as Kafka does when a process is stopped for longer than its session."""
    cluster = Cluster.of(url)
    admin = KafkaAdminClient(**cluster.client)
    name = cluster.name(group)
    for found in admin.describe_groups([name]).values():
        members = [MemberToRemove(member_id=member["member_id"]) for member in found["members"]]
        if members:
            admin.remove_group_members(name, members)
    admin.close()


def make_relay(url: str, database: Database, service: str = "intake") -> Relay:
    """A relay by the system's clock."""
    return Relay(service, database, KafkaPublisher(Cluster.of(url)), wakes=Wakes(), clock=SystemClock())


@contextmanager
def running(*runs: Callable[[threading.Event], None]) -> Iterator[list[BaseException]]:
    """Each `run(stop)` on a thread of its own, until the block ends; what they raised is in the list."""
    stop, failed = threading.Event(), list[BaseException]()

    def run(one: Callable[[threading.Event], None]) -> None:
        try:
            one(stop)
        except BaseException as error:  # noqa: BLE001 (handed to the test)
            failed.append(error)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in runs]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        stop.set()
        for thread in threads:
            thread.join(15)
        assert not any(thread.is_alive() for thread in threads)


def caught_up(consumers: Sequence[Consumer]) -> bool:
    """Whether nothing waits for any of the groups."""
    return all(not lag.paused and lag.position == lag.end for one in consumers for lag in one.lags())


def drain(consumers: Sequence[Consumer]) -> int:
    """Runs consumers until nothing waits, as `kitlib.drain` does over the local log; raises what stops one."""
    before = sum(lag.end - lag.position for one in consumers for lag in one.lags())
    with running(*(one.run for one in consumers)) as failed:
        wait_until(lambda: failed or caught_up(consumers), 30.0)
    if failed:
        raise failed[0]
    return before
