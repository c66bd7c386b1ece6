"""Wires intake: the only file that sees both its rules and its backends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from ascolto.intake.v1 import service_pb2_grpc as rpc_stubs
from services.intake import channels, sending
from services.intake.consumer import consumptions
from services.intake.domain.contact import Accepted, RawContact
from services.intake.figures import IntakeFigures
from services.intake.listeners.smtp import ListenerOptions, SmtpListener
from services.intake.ports import Channel, Route, Tools
from services.intake.rpc import Deps, IntakeServicer
from services.intake.store import deliveries as delivery_store
from services.intake.store import inbound as inbound_store
from services.intake.usecases import deliver
from services.intake.usecases.accept import Acceptor
from services.intake.usecases.accounts import Accounts
from services.intake.usecases.chat import ChatRoom
from services.intake.usecases.directory import Directory
from services.intake.usecases.notices import Notices
from services.intake.usecases.prepare import Preparer
from services.intake.usecases.replay import Replayer
from services.intake.web.hooks import Hooks
from services.intake.web.pages import Pages
from services.intake.workers import Listeners, PendingParser
from services.kit.app import Check, Mount, Service, Worker
from services.kit.clock import Clock
from services.kit.config import HostPort
from services.kit.spool import Spool
from services.kit.sweep import BlobSweeper
from services.kit.uow import Database

if TYPE_CHECKING:
    from services.kit.backends import Parts

SENDERS = 2
_PARSERS = 4


class IntakeDoor:
    """The way in for listeners: who is at an address, and the acceptor."""

    def __init__(self, acceptor: Acceptor, directory: Directory) -> None:
        self._acceptor, self._directory = acceptor, directory
        self._pool = ThreadPoolExecutor(max_workers=_PARSERS, thread_name_prefix="intake-parse")

    def accept(self, raws: Sequence[RawContact]) -> list[Accepted]:
        """Stores and answers after the commit, in order."""
        return self._acceptor.accept(raws, run=self._pool.map)

    def accounts_for_address(self, address: str) -> Sequence[Route]:
        """Accounts whose address this is."""
        return self._directory.accounts_for_address(address)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def build(parts: Parts) -> Service:
    """Everything the application must start for intake."""
    room = ChatRoom(parts.database, clock=parts.clock, keys=parts.keys, instance=parts.instance)
    tools = Tools(
        settings=parts.settings,
        keys=parts.keys,
        clock=parts.clock,
        egress=parts.egress,
        blobs=parts.blobs,
        data=parts.data,
        visitors=room,
    )
    kinds = channels.build_all(tools)
    directory = Directory(parts.database, parts.secrets, kinds)
    preparer = Preparer(directory=directory, blobs=parts.blobs, keys=parts.keys, clock=parts.clock)
    acceptor = Acceptor(parts.database, preparer)
    door = IntakeDoor(acceptor, directory)
    accounts = Accounts(parts.database, directory, parts.secrets)
    replayer = Replayer(parts.database, preparer, parts.blobs)
    servicer = IntakeServicer(
        Deps(
            database=parts.database,
            directory=directory,
            acceptor=acceptor,
            accounts=accounts,
            replayer=replayer,
            notices=Notices(directory),
            clock=parts.clock,
            typing=room.typing,
        )
    )
    letters = {kind.id for kind in kinds.values() if kind.capabilities.recipients}
    hooks = Hooks(directory=directory, acceptor=acceptor, clock=parts.clock, metrics=parts.metrics)
    pages = Pages(parts=parts, directory=directory, acceptor=acceptor, room=room)
    parts.metrics.register(IntakeFigures(parts.database, parts.clock, acceptor.taken))
    closers: list[Callable[[], None]] = [door.close, room.close]
    closers.append(lambda: _close(kinds.values()))

    def stages() -> Sequence[tuple[str, int, int, int, int, float]]:
        with parts.database.read() as reader:
            counts = delivery_store.counts(reader)
            unread = inbound_store.count_quarantine(reader)
        return [
            ("intake", 0, 0, 0, unread, 0.0),
            sending.stage(counts, int(parts.clock.now().timestamp() * 1_000_000)),
        ]

    return Service(
        name="intake",
        database=parts.database,
        rpc=[lambda server: rpc_stubs.add_IntakeServicer_to_server(servicer, server)],
        consumers=consumptions(parts.clock, letters),
        workers=[*_workers(parts, directory, door, replayer, acceptor), room],
        mounts=[Mount("/hooks", hooks), Mount("/c", pages)],
        checks=[Check("intake database", parts.database.ping)],
        stages=stages,
        on_stop=closers,
    )


def _workers(
    parts: Parts, directory: Directory, door: IntakeDoor, replayer: Replayer, acceptor: Acceptor
) -> list[Worker]:
    lease = sending.SendingLease(parts.leases, parts.instance, parts.clock)
    outcomes = sending.outcome_counter(parts.metrics)
    workers: list[Worker] = [
        sending.Sender(
            name=f"intake-sender-{number}",
            database=parts.database,
            wakes=parts.wakes,
            blobs=parts.blobs,
            clock=parts.clock,
            directory=directory,
            lease=lease,
            outcomes=outcomes,
            tracer=parts.tracer,
        )
        for number in range(SENDERS)
    ]
    workers.append(BlobSweeper("intake", parts.blobs, parts.clock, partial(_known_contacts, parts.database)))
    workers.append(PendingParser(replayer, parts.database, parts.leases, parts.clock, acceptor, parts.instance))
    workers.append(Listeners(parts.database, directory, door, parts.leases, parts.clock, parts.instance))
    settings, spool = parts.settings, Spool(parts.data)
    host = socket.gethostname()
    workers.append(
        SmtpListener(
            door,
            ListenerOptions(where=settings.smtp, spool=spool, host_name=host, per_minute=settings.smtp_per_minute),
        )
    )
    if settings.lmtp:
        where = HostPort.parse(settings.lmtp)
        workers.append(SmtpListener(door, ListenerOptions(where=where, spool=spool, lmtp=True, host_name=host)))
    return workers


def _known_contacts(database: Database, ids: Sequence[str]) -> set[str]:
    with database.read() as reader:
        return inbound_store.known_contacts(reader, ids)


def _close(kinds: Iterable[Channel]) -> None:
    for one in kinds:
        close: Callable[[], None] | None = getattr(one, "close", None)
        if close is not None:
            close()


def doubt_unsent(database: Database, clock: Clock) -> int:
    """Holds what a restored installation was about to send until a person decides; returns how many deliveries."""
    now_us, held = int(clock.now().timestamp() * 1_000_000), 0
    while done := database.write(lambda uow: deliver.doubt_unsent(uow, now_us=now_us)):
        held += done
    return held
