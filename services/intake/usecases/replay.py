"""What was taken in and not read at once: parsed later, or again after a fix, into the same contact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.intake import wire
from services.intake.domain.channel import Account
from services.intake.domain.contact import Act, Inbound, Mode, RawContact
from services.intake.ports import OverBudget, Unparsable
from services.intake.store import inbound as store
from services.intake.usecases.accept import write_found
from services.intake.usecases.prepare import Item, Prepared, Preparer, unreadable
from services.kit.blobs import Blobs
from services.kit.errors import AscoltoError
from services.kit.uow import Database, Lane, Uow

LATE_BUDGET_S = 30.0
_TRIES = 3  # then a pending one is given up as unreadable


class Replayer:
    """Parses stored raw contacts. Thread-safe; a row is settled by who changes it first."""

    def __init__(self, database: Database, preparer: Preparer, blobs: Blobs) -> None:
        self._database, self._preparer, self._blobs = database, preparer, blobs

    def parse_pending(self, now_us: int) -> int:
        """Parses what exceeded its budget; returns how many were taken up."""
        with self._database.read() as reader:
            rows = store.pending(reader, now_us, 10)
        for row in rows:
            self._parse_pending(row, now_us)
        return len(rows)

    def _parse_pending(self, row: store.RawRow, now_us: int) -> None:
        raw, account = self._raw(row), self._preparer.directory.account(row.account_id)
        reason = ""
        found: Sequence[Inbound]
        try:
            found = self._preparer.parse(raw, account, budget_s=LATE_BUDGET_S)
        except OverBudget:
            if row.attempts + 1 < _TRIES:
                self._database.write(lambda uow: store.postpone(uow, row.id, now_us + 60_000_000), lane=Lane.BULK)
                return
            reason = f"It could not be read within {LATE_BUDGET_S:.0f} seconds."
            found = [unreadable(raw, reason)]
        except Unparsable as error:
            reason, found = error.message, [unreadable(raw, error.message)]
        prepared = self._preparer.of(raw, account, found, reason=reason, raw_id=row.id, with_row=False)
        state = "unparsed" if prepared.reason else "parsed"

        def write(uow: Uow) -> None:
            if store.settle(uow, row.id, before="pending", state=state):
                self._write_new(uow, prepared)

        self._database.write(write)

    def replay(self, item: store.Quarantined) -> tuple[bool, str]:
        """Tries one again: True when it can be read now, and its contact has its text; else the reason."""
        with self._database.read() as reader:
            row = store.get_raw(reader, item.raw_id)
        if row is None:
            return False, "The original is no longer kept."
        try:
            raw, account = self._raw(row), self._preparer.directory.account(row.account_id)
            found = list(self._preparer.parse(raw, account, budget_s=LATE_BUDGET_S))
            reason = next((one.not_rendered for one in found if one.not_rendered), "")
        except OverBudget:
            reason = f"It could not be read within {LATE_BUDGET_S:.0f} seconds."
        except AscoltoError as error:
            reason = error.message
        if reason:
            self._database.write(lambda uow: store.put_quarantine(uow, replace(item, reason=reason)))
            return False, reason
        prepared = self._preparer.of(raw, account, found, raw_id=row.id, with_row=False)

        def write(uow: Uow) -> None:
            if store.settle(uow, row.id, before="unparsed", state="parsed"):
                self._write_readable(uow, prepared, raw, account)
            store.done_quarantine(uow, item.id)

        self._database.write(write)
        return True, "Read; its ticket shows the text now."

    def _write_readable(self, uow: Uow, prepared: Prepared, raw: RawContact, account: Account) -> None:
        """The first contact was told without its words: they follow as an edit. Further ones are new."""
        first, rest = prepared.items[0], prepared.items[1:]
        placeholder = f"{first.event_key.partition('|')[0]}|{unreadable(raw, '').event_key}"
        known = store.known_events(uow, [placeholder])
        named = unreadable(raw, "").external_id if placeholder in known else first.inbound.external_id
        told = replace(
            first.inbound, act=Act.EDITED, external_id=named, text=first.inbound.text or first.inbound.subject
        )
        message = wire.contact_amended(told, first.frame)
        moment: datetime = first.frame.received_at
        uow.emit(
            wire.amended_event(
                message, f"{account.id}:{named}", rev=uow.next_revs()[0], mode=raw.mode, received_at=moment
            )
        )
        self._write_new(uow, replace_items(prepared, rest))

    @staticmethod
    def _write_new(uow: Uow, prepared: Prepared) -> None:
        known = store.known_events(uow, [item.event_key for item in prepared.items])
        fresh = [item for item in prepared.items if item.event_key not in known]
        rows: list[dict[str, str | int]] = [
            {
                "event_key": item.event_key,
                "contact_id": item.contact_id,
                "raw_id": prepared.raw_id,
                "account_id": prepared.account.id,
                "external_id": item.inbound.external_id,
                "conversation": item.inbound.conversation,
                "received_us": prepared.received_us,
            }
            for item in fresh
        ]
        events = [item.event for item in fresh if item.event is not None]
        write_found(uow, [prepared], rows, events, {item.contact_id for item in fresh})

    def _raw(self, row: store.RawRow) -> RawContact:
        return RawContact(
            account_id=row.account_id,
            transport_key=row.raw_key.partition("|")[2],
            body=self._blobs.fetch(row.blob_key) if row.blob_key else row.body,
            media_type=row.media_type,
            meta=json.loads(row.meta),
            received_at=wire.moment(row.received_us),
            mode=Mode(row.mode),
        )


def replace_items(prepared: Prepared, items: list[Item]) -> Prepared:
    """The same raw contact with other contents."""
    return replace(prepared, items=items)
