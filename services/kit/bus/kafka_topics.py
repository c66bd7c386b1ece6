"""The topics as they must be: made by `ascolto migrate`, looked after by `ascolto doctor`.

Nobody changes the number of partitions of a topic that is in use: keys would move, and with them their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import NoError, TopicAlreadyExistsError, for_code

from services.kit.bus.kafka_cluster import Cluster
from services.kit.db.events import MAX_EVENT_BYTES
from services.kit.errors import Invalid
from services.kit.topics import PRODUCERS, dead_letter_topic

PARTITIONS = 24
_REPLICAS, _IN_SYNC = 3, 2
_LONGEST = timedelta(days=28)  # an erasure reaches the log by expiry, within so long
_SEGMENT = timedelta(days=1)  # a segment goes whole, when its youngest record may
# Kafka 4 refuses what is dated an hour ahead: a machine whose clock is wrong would stop its outbox until that hour came.
_NO_LIMIT = 2**63 - 1
_MESSAGE_BYTES = 4 * MAX_EVENT_BYTES  # so that no event is refused, however its headers grow


def create_topics(cluster: Cluster, *, retention: timedelta, partitions: int = PARTITIONS) -> list[str]:
    """Makes what is missing and leaves what is there; returns a sentence on each thing a person should know.

    Safe to run twice and at the same time. Raises `Invalid` for a retention of more than 27 days, `Unavailable`.
    """
    if retention + _SEGMENT > _LONGEST:
        raise Invalid(
            f"ASCOLTO_RETENTION_DAYS={retention.days} is too long: what was erased must be gone from Kafka after"
            f" {_LONGEST.days} days; set {(_LONGEST - _SEGMENT).days} or less.",
            field="ASCOLTO_RETENTION_DAYS",
        )
    with cluster.translated():
        cluster.reach()
        admin = KafkaAdminClient(**cluster.client)
        try:
            brokers = len(admin.describe_cluster()["brokers"])
            there = set(admin.list_topics())
            replicas = min(_REPLICAS, brokers)
            configs = {
                "retention.ms": str(int(retention.total_seconds() * 1000)),
                "segment.ms": str(int(_SEGMENT.total_seconds() * 1000)),
                "cleanup.policy": "delete",
                "min.insync.replicas": str(min(_IN_SYNC, replicas)),
                "unclean.leader.election.enable": "false",
                "max.message.bytes": str(_MESSAGE_BYTES),
                "message.timestamp.type": "CreateTime",  # `follow` begins by the hour of the event
                "message.timestamp.after.max.ms": str(_NO_LIMIT),
            }
            wanted = {
                name: {"num_partitions": count, "replication_factor": replicas, "configs": configs}
                for name, count in _wanted(cluster, partitions).items()
                if name not in there
            }
            if wanted:
                _create(admin, wanted)
        finally:
            admin.close()
    said = [
        f"Made the topic {name} with {one['num_partitions']} partitions and {replicas} replicas."
        for name, one in wanted.items()
    ]
    if brokers < _REPLICAS:
        said.append(
            f"Kafka has {brokers} broker(s): with fewer than {_REPLICAS} the loss of a disk is the loss of events."
        )
    return said


def _create(admin: Any, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    answer = admin.create_topics(wanted, raise_errors=False, wait_for_metadata=True)
    for topic in answer["topics"]:
        error = for_code(topic["error_code"])
        if error not in (NoError, TopicAlreadyExistsError):  # another migration was quicker
            raise error(topic["error_message"])


def faults(cluster: Cluster, *, partitions: int = PARTITIONS) -> list[str]:
    """What is wrong with the topics, a sentence each with how to mend it; empty when all is well. Raises `Unavailable`."""
    wanted = _wanted(cluster, partitions)
    with cluster.translated():
        cluster.reach()
        admin = KafkaAdminClient(**cluster.client)
        try:
            described = {topic["name"]: topic for topic in admin.describe_topics(list(wanted)) if topic["partitions"]}
            configs = _configs(admin, list(described))
        finally:
            admin.close()
    found = []
    for name, count in wanted.items():
        if name in described:
            found += _faults_of(name, described[name]["partitions"], configs[name], count)
        else:
            found.append(f"The topic {name} is not there: run `ascolto migrate`.")
    return found


def _wanted(cluster: Cluster, partitions: int) -> dict[str, int]:
    named = {cluster.name(topic): partitions for topic in PRODUCERS}
    return named | {cluster.name(dead_letter_topic(topic)): 1 for topic in PRODUCERS}


def _configs(admin: Any, names: list[str]) -> dict[str, Mapping[str, Any]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    return dict(admin.describe_configs(asked, config_filter="all")["topic"])


def _faults_of(name: str, partitions: list[Any], configs: Mapping[str, Any], count: int) -> list[str]:
    found = []
    if len(partitions) != count:
        found.append(
            f"The topic {name} has {len(partitions)} partitions, not {count}: keys have moved and their order is gone."
            " Make it anew with the right number, or give the events a new topic version."
        )
    replicas = min(len(one["replica_nodes"]) for one in partitions)
    if replicas < _REPLICAS:
        found.append(
            f"The topic {name} has {replicas} replica(s): add brokers until there are {_REPLICAS},"
            " then raise it with kafka-reassign-partitions.sh."
        )
    behind = sum(len(one["isr_nodes"]) < len(one["replica_nodes"]) for one in partitions)
    if behind:
        found.append(f"{behind} partitions of {name} have replicas that lag or are down: look at the brokers.")
    for key, told, right in (
        ("min.insync.replicas", "must be 2", lambda value: int(value) >= min(_IN_SYNC, replicas)),
        ("unclean.leader.election.enable", "must be false", lambda value: value == "false"),
        ("max.message.bytes", f"must be {_MESSAGE_BYTES} at least", lambda value: int(value) >= _MESSAGE_BYTES),
        ("message.timestamp.after.max.ms", f"must be {_NO_LIMIT}", lambda value: int(value) >= _NO_LIMIT),
        ("retention.ms", "must be 27 days at most", lambda value: 0 < int(value) <= (_LONGEST - _SEGMENT).total_seconds() * 1000),
    ):  # fmt: skip
        value = configs[key]["value"]
        if not right(value):
            found.append(f"{key} of {name} is {value} and {told}: set it with kafka-configs.sh.")
    return found
