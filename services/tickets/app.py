"""Wires the tickets service: the only file that sees both its sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import grpc

from ascolto.tickets.v1.service_pb2_grpc import add_TicketsServicer_to_server
from services.kit.app import Check, Service
from services.kit.backends import Parts
from services.kit.sweep import BlobSweeper
from services.kit.uow import Database
from services.tickets.clients import IntakeBrands
from services.tickets.consumer import Consumer
from services.tickets.rpc import TicketsService
from services.tickets.store import interactions
from services.tickets.workers import Closer


def build(parts: Parts) -> Service:
    """The service with its rpcs, consumers and workers; intake is reached through `parts.channels`."""
    brands = IntakeBrands(parts.channels["intake"], keys=parts.keys, clock=parts.clock)
    service = TicketsService(
        database=parts.database, blobs=parts.blobs, clock=parts.clock, brands=brands, keys=parts.keys
    )
    consumer = Consumer(brands=brands, clock=parts.clock, keys=parts.keys)
    closer = Closer(database=parts.database, leases=parts.leases, clock=parts.clock, holder=parts.instance)
    return Service(
        name="tickets",
        database=parts.database,
        rpc=(_adder(service),),
        consumers=consumer.consumptions(),
        workers=(brands, closer, BlobSweeper("tickets", parts.blobs, parts.clock, partial(_known, parts.database))),
        checks=(Check("database", parts.database.ping),),
    )


def _known(database: Database, ids: Sequence[str]) -> set[str]:
    with database.read() as reader:
        return interactions.known(reader, ids)


def _adder(service: TicketsService) -> Callable[[grpc.Server], None]:
    def add(server: grpc.Server) -> None:
        add_TicketsServicer_to_server(service, server)

    return add
