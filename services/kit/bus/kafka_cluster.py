"""Which Kafka, which topics of it, and what its errors mean to us."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kafka import errors

from services.kit.errors import Internal, Invalid, Unavailable

_ANSWER_MS = 10_000
_REACH_S = 2.0  # a stop waits for it


@dataclass(frozen=True, slots=True)
class Cluster:
    """`kafka://host:port,host:port`, with `/prefix` where several installations share a cluster."""

    servers: tuple[str, ...]
    prefix: str

    @classmethod
    def of(cls, url: str) -> Cluster:
        """Reads the URL. Raises `Invalid`."""
        parts = urlsplit(url)
        servers = tuple(server for server in parts.netloc.split(",") if server)
        if parts.scheme != "kafka" or not servers or not all(server.rpartition(":")[2].isdigit() for server in servers):
            raise Invalid(
                f"ASCOLTO_BUS={url!r} cannot be used: write kafka://host:port,host:port.", field="ASCOLTO_BUS"
            )
        prefix = parts.path.strip("/")
        return cls(servers, f"{prefix}." if prefix else "")

    def name(self, topic: str) -> str:
        """What the topic is called there."""
        return self.prefix + topic

    def topic(self, name: str) -> str:
        """Our topic of that name."""
        return name.removeprefix(self.prefix)

    @property
    def client(self) -> dict[str, Any]:
        """What every client is made with. Nobody makes a topic by asking for it: it would have one partition."""
        return {
            "bootstrap_servers": list(self.servers),
            "bootstrap_timeout_ms": _ANSWER_MS,
            "request_timeout_ms": _ANSWER_MS,
            "reconnect_backoff_max_ms": 1000,
            "client_id": "ascolto",
        }

    def lacks(self, name: str) -> Unavailable:
        """What is said where a topic is not there."""
        return Unavailable(f"Kafka at {self} has no topic {name}: run `ascolto migrate`.")

    def reach(self) -> None:
        """Raises `Unavailable` when no server takes a connection; called before each client is made.

        kafka-python 3.0.12 leaves a thread behind with each client that finds nobody.
        """
        for server in self.servers:
            host, _, port = server.rpartition(":")
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=_REACH_S):
                return
        raise Unavailable(f"Kafka at {self} is away: no server takes a connection.")

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Kafka's errors as ours: what may pass is `Unavailable`, what cannot is `Internal`."""
        try:
            yield
        except (errors.UnknownTopicOrPartitionError, errors.InvalidTopicError) as error:
            raise Unavailable(f"Kafka at {self} lacks a topic of ours: run `ascolto migrate`.") from error
        except errors.AuthorizationError as error:
            raise Unavailable(f"Kafka at {self} refuses us: {error}. Grant this program its topics.") from error
        except (errors.RetriableError, errors.BrokerResponseError, OSError) as error:
            raise Unavailable(f"Kafka at {self} is away: {type(error).__name__}.") from error
        except errors.KafkaError as error:
            raise Internal(f"Kafka at {self} failed us: {type(error).__name__}: {error}") from error

    def __str__(self) -> str:
        return ",".join(self.servers)
