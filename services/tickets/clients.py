"""Calls to other services: intake, for brands and accounts. Kept 5 s; a stale copy serves while intake is away."""

from __future__ import annotations

import threading
from collections.abc import Collection

import grpc

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.intake.v1 import service_pb2 as intake
from ascolto.intake.v1.service_pb2_grpc import IntakeStub
from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import AscoltoError, Unavailable
from services.kit.rpc import Caller
from services.kit.secrets import Keys
from services.tickets.domain.brand import Account, Brand, Directory
from services.tickets.domain.hours import Hours, Opening
from services.tickets.wire.values import capabilities

CALLS = ("intake",)
_FRESH_S = 5.0


class IntakeBrands:
    """Brands and accounts as intake told last. Also a worker that keeps them fresh for the consumer, which may not call."""

    name = "tickets.brands"
    feeds_consumers = True  # see `kit.app.Worker`

    def __init__(self, channel: grpc.Channel, *, keys: Keys, clock: Clock) -> None:
        self._stub = IntakeStub(channel)
        self._caller = Caller(service="tickets", keys=keys, clock=clock)
        self._clock = clock
        self._log = log.logger("tickets")
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._directory: Directory | None = None
        self._asked_at = float("-inf")  # monotonic
        self._heard_us = 0  # wall clock at which the last good answer was asked for

    def directory(self) -> Directory:
        """As last heard, asked again when older than 5 s. Raises `Unavailable` when intake was never heard."""
        with self._lock:
            if self._clock.monotonic() - self._asked_at >= _FRESH_S:
                self._refresh()
            if self._directory is None:
                raise Unavailable("Brands and accounts are not known yet: intake does not answer.", retry_after_s=1)
            return self._directory

    def known(self, brand_ids: Collection[str], received_us: int) -> Directory:
        """As last heard, without asking. Raises `Unavailable`, and has it asked, when a brand may be newer than that."""
        directory, heard_us = self._directory, self._heard_us
        if directory is None or (heard_us <= received_us and not directory.brands.keys() >= set(brand_ids)):
            self._wanted.set()
            raise Unavailable("Brands and accounts are being fetched from intake.", retry_after_s=0.2)
        return directory

    def run(self, stop: threading.Event) -> None:
        """Asks every 5 s, and at once when the consumer needs it."""
        while not stop.is_set():
            with self._lock:
                self._refresh()
            for _ in range(int(_FRESH_S / 0.25)):
                if stop.is_set() or self._wanted.wait(0.25):
                    break
            if self._wanted.is_set():
                self._wanted.clear()
                stop.wait(0.05)  # an unknown brand that intake does not know either must not make this spin

    def _refresh(self) -> None:
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        self._asked_at = self._clock.monotonic()
        try:
            brands = self._caller.invoke(self._stub.ListBrands, Empty())
            accounts = self._caller.invoke(self._stub.ListAccounts, intake.ListAccountsRequest())
        except AscoltoError as error:
            self._log.warning("brands.stale", reason=error.kind)
            return
        self._directory = Directory(
            brands={one.id: _brand(one) for one in brands.brands},
            accounts={one.id: _account(one) for one in accounts.accounts},
            channels={one.id: capabilities(one.capabilities) for one in accounts.channels},
        )
        self._heard_us = now_us


def _brand(message: intake.Brand) -> Brand:
    return Brand(
        id=message.id,
        name=message.name,
        language=message.language or "it",
        languages=tuple(message.languages),
        formal=message.formal,
        hours=Hours(
            zone=message.time_zone or "UTC",
            openings=tuple(Opening(one.weekday, one.opens_minute, one.closes_minute) for one in message.hours.openings),
            holidays=frozenset(one.date for one in message.hours.holidays),
        ),
        first_response_minutes=message.first_response_minutes or 240,
        close_after_days=message.close_after_days or 7,
        acknowledge_window_minutes=message.acknowledge_window_minutes or 1440,
        signature=message.signature,
    )


def _account(message: intake.Account) -> Account:
    return Account(
        id=message.id,
        brand_id=message.brand_id,
        channel=message.channel,
        address=message.address,
        on=message.state != "off",
        capabilities=capabilities(message.capabilities),
    )
