"""Calls to other services: intake, for how a brand speaks and the mailbox it writes from."""

from __future__ import annotations

import threading
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import grpc

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.intake.v1 import service_pb2 as intake
from ascolto.intake.v1.service_pb2_grpc import IntakeStub
from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import AscoltoError
from services.kit.rpc import Caller
from services.kit.secrets import Keys
from services.social.telling import Voice

_FRESH_S = 60.0


class Voices:
    """How brands speak, as intake told last. Kept a minute; while intake is away an older answer serves, or none."""

    def __init__(self, channel: grpc.Channel, *, keys: Keys, clock: Clock) -> None:
        self._stub = IntakeStub(channel)
        self._caller = Caller(service="social", keys=keys, clock=clock)
        self._clock = clock
        self._log = log.logger("social")
        self._lock = threading.Lock()
        self._voices: dict[str, Voice] = {}
        self._asked_at = float("-inf")  # monotonic

    def of(self, brand_id: str) -> Voice:
        """The voice of a brand; English and UTC for one that is not known: a notice is not kept waiting for its words."""
        with self._lock:
            if self._clock.monotonic() - self._asked_at >= _FRESH_S or (brand_id and brand_id not in self._voices):
                self._ask()
            return self._voices.get(brand_id, Voice())

    def _ask(self) -> None:
        try:
            brands = self._caller.invoke(self._stub.ListBrands, Empty())
            accounts = self._caller.invoke(self._stub.ListAccounts, intake.ListAccountsRequest())
        except AscoltoError as error:
            self._log.warning("voices.stale", reason=error.kind)
            return
        self._asked_at = self._clock.monotonic()
        boxes: dict[str, str] = {}
        for one in accounts.accounts:
            if one.capabilities.recipients and "@" in one.address and one.state == "on":
                boxes.setdefault(one.brand_id, one.address)
        self._voices = {
            one.id: Voice(one.language or "it", _zone(one.time_zone), one.name, boxes.get(one.id, ""))
            for one in brands.brands
        }


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
