"""Topic → use case. The loop around it (position, retries, dead letters) is the kit's."""

from __future__ import annotations

from collections.abc import Sequence

from services.kit import privacy, topics
from services.kit.app import Consumption
from services.kit.bus import Record
from services.kit.clock import Clock
from services.kit.secrets import Keys
from services.kit.uow import Uow
from services.tickets.ports import Brands
from services.tickets.usecases.amend import amend_interactions
from services.tickets.usecases.deliveries import apply_deliveries
from services.tickets.usecases.receive import receive_contacts
from services.tickets.wire import CONSUMES, contacts


class Consumer:
    """Handles batches inside the transaction that moves their position."""

    def __init__(self, *, brands: Brands, clock: Clock, keys: Keys) -> None:
        self._brands = brands
        self._keys = keys
        self._clock = clock

    def contacts(self, records: Sequence[Record], uow: Uow) -> None:
        """Contacts and amendments, in order: what was amended in the batch is there before its amendment."""
        now_us = self._now_us()
        for kind, run in _runs(records):
            if kind == "ContactReceived":
                arrived = [contacts.contact(record, self._sign) for record in run]
                directory = self._brands.known(
                    {one.brand_id for one in arrived}, max(one.received_us for one in arrived)
                )
                receive_contacts(uow, arrived, directory=directory, now_us=now_us)
            else:
                amend_interactions(uow, [contacts.amendment(record) for record in run], now_us=now_us)

    def deliveries(self, records: Sequence[Record], uow: Uow) -> None:
        """How answers fared."""
        apply_deliveries(uow, [contacts.delivery(record) for record in records], now_us=self._now_us())

    def consumptions(self) -> Sequence[Consumption]:
        """The groups of this service."""
        return (
            Consumption(
                group="tickets.contacts",
                topic=topics.CONTACTS,
                kinds=CONSUMES[topics.CONTACTS],
                handle=self.contacts,
                batch=200,
            ),
            Consumption(
                group="tickets.deliveries",
                topic=topics.DELIVERIES,
                kinds=CONSUMES[topics.DELIVERIES],
                handle=self.deliveries,
                batch=200,
            ),
        )

    def _sign(self, kind: str, value: str) -> bytes:
        return privacy.subject(self._keys, kind, value)

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


def _runs(records: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """Records cut where the kind changes."""
    runs: list[tuple[str, list[Record]]] = []
    for record in records:
        if not runs or runs[-1][0] != record.kind:
            runs.append((record.kind, []))
        runs[-1][1].append(record)
    return runs
