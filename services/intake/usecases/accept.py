"""Takes contacts in: raw bytes, what was found in them, and the events that tell of it, in one commit.

Idempotent twice over: by the transport's key and by each event's. Every way in comes through `Acceptor`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

from services.intake import wire
from services.intake.domain.channel import Account
from services.intake.domain.contact import Accepted, Act, Inbound, RawContact
from services.intake.store import inbound as store
from services.intake.usecases.bounce import apply_bounces
from services.intake.usecases.prepare import Item, Prepared, Preparer
from services.kit import crash
from services.kit.errors import AscoltoError, Unavailable
from services.kit.ids import new_id
from services.kit.uow import Database, Event, Lane, Uow

PARSE_BUDGET_S = 0.5  # while a sender waits
Run = Callable[[Callable[[RawContact], "Prepared | Accepted"], Sequence[RawContact]], Iterable["Prepared | Accepted"]]
Beside = Callable[[Uow, Sequence[Accepted]], None]  # what else belongs into the transaction


class AcceptContacts:
    """The transaction: everything prepared, written together. May be run again."""

    title = "accept_contacts"

    def __init__(self, batch: Sequence[Prepared], beside: Beside | None = None) -> None:
        self._batch, self._beside = batch, beside
        self.rows = len(batch)

    def __call__(self, uow: Uow) -> list[Accepted]:
        """Writes what is new; answers in order."""
        batch = self._batch
        raws = store.known_raw(uow, [one.raw_key for one in batch])
        events = store.known_events(uow, [item.event_key for one in batch for item in one.items])
        raw_rows, event_rows, emitted, answers = [], [], [], []
        for one in batch:
            known = raws.get(one.raw_key) or (
                events.get(one.items[0].event_key)
                if one.items and all(i.event_key in events for i in one.items)
                else ""
            )
            if known:
                answers.append(Accepted(known, duplicate=True))
                continue
            raws[one.raw_key] = one.raw_id
            raw_rows.append(one.row)
            for item in one.items:
                if item.event_key in events:
                    continue
                events[item.event_key] = item.contact_id
                event_rows.append(_event_row(one, item.event_key, item.contact_id, item.inbound))
                if item.event is not None:
                    emitted.append(item.event)
            answers.append(Accepted(one.raw_id, pending=one.pending))
        if raw_rows:
            store.add_raw(uow, raw_rows)
            fresh = {str(row["contact_id"]) for row in event_rows}
            stored = {str(row["id"]) for row in raw_rows}
            kept = [one for one in batch if one.raw_id in stored]
            write_found(uow, kept, event_rows, emitted, fresh)
        if self._beside is not None:
            self._beside(uow, answers)
        return answers


def _event_row(one: Prepared, event_key: str, contact_id: str, inbound: Inbound) -> dict[str, str | int]:
    return {
        "event_key": event_key,
        "contact_id": contact_id,
        "raw_id": one.raw_id,
        "account_id": one.account.id,
        "external_id": inbound.external_id,
        "conversation": inbound.conversation,
        "received_us": one.received_us,
    }


def write_found(
    uow: Uow,
    batch: Sequence[Prepared],
    event_rows: Sequence[dict[str, str | int]],
    emitted: Sequence[Event],
    fresh: set[str],
) -> None:
    """Writes what was found in raw contacts that are stored: events, quarantine, amendments, bounces; then emits."""
    if event_rows:
        store.add_events(uow, event_rows)
    revs = iter(uow.next_revs(len(emitted))) if emitted else iter(())
    out = [_with_rev(event, next(revs)) for event in emitted]
    messages = [str(row["event_key"]) for row in event_rows]
    for one in batch:
        if one.reason and one.items and one.items[0].contact_id in fresh:
            store.put_quarantine(uow, _quarantined(one))
        for item in one.items:
            if item.contact_id not in fresh or item.event is not None:
                continue
            if item.inbound.act is Act.BOUNCE:
                out.extend(apply_bounces(uow, one.account, item.inbound, one.received_us))
            else:
                out.extend(_amend(uow, one, item))
    released = store.release_parked(uow, messages, batch[0].received_us) if messages and batch else []
    for data, log_key in released:
        message = wire.parse_amended(data)
        frame = batch[0].items[0].frame
        out.append(
            wire.amended_event(message, log_key, rev=uow.next_revs()[0], mode=frame.mode, received_at=frame.received_at)
        )
    uow.emit(*out)


def _with_rev(event: Event, rev: int) -> Event:
    """Written out: `dataclasses.replace` costs three times as much, for each contact."""
    return Event(
        event.topic,
        event.key,
        event.aggregate_id,
        rev,
        event.payload,
        event.brand_id,
        event.received_at,
        event.mode,
        event.cause_id,
        event.subject,
        event.trace_id,
    )


def _amend(uow: Uow, one: Prepared, item: Item) -> list[Event]:
    """The event of an amendment whose contact is here; nothing, and a parked row, while it is not."""
    inbound, frame = item.inbound, item.frame
    message = wire.contact_amended(inbound, frame)
    if item.parent_key in store.known_events(uow, [item.parent_key]):
        return [
            wire.amended_event(
                message, frame.log_key, rev=uow.next_revs()[0], mode=frame.mode, received_at=frame.received_at
            )
        ]
    store.park(
        uow,
        event_key=item.event_key,
        parent_key=item.parent_key,
        act=inbound.act.value,
        data=message.SerializeToString(),
        log_key=frame.log_key,
        now_us=one.received_us,
    )
    return []


def _quarantined(one: Prepared) -> store.Quarantined:
    return store.Quarantined(
        id=new_id("qua"),
        raw_id=one.raw_id,
        contact_id=one.raw_id,
        account_id=one.account.id,
        channel=one.channel,
        reason=one.reason,
        last_reason=one.reason,
        attempts=1,
        state="waiting",
        received_us=one.received_us,
    )


class Acceptor:
    """The way in for every channel. Thread-safe."""

    def __init__(self, database: Database, preparer: Preparer) -> None:
        self._database, self.preparer = database, preparer
        self.spacing = database.spacing
        self._counting = threading.Lock()
        self.taken: dict[str, int] = {}  # raw contacts of each channel since the start, resent ones included
        self._received: dict[str, int] = {}  # account -> when its last contact came; noted on the account by a worker

    def accept(self, raws: Sequence[RawContact], *, budget_s: float = PARSE_BUDGET_S, run: Run = map) -> list[Accepted]:
        """Stores and answers after the commit, in order; a refused item carries its error, the others go on.

        `run` maps over the raws: a pool's, when one slow mail must not hold up others. Raises `Unavailable` when nothing
        could be stored.
        """

        def prepare(raw: RawContact) -> Prepared | Accepted:
            try:
                return self.preparer.prepare(raw, budget_s=budget_s)
            except Unavailable:
                raise
            except AscoltoError as error:
                return Accepted("", error=error.message, field=error.field, kind=error.kind)

        made = list(run(prepare, raws)) if len(raws) > 1 else [prepare(raw) for raw in raws]
        batch = [one for one in made if isinstance(one, Prepared)]
        stored = iter(self.submit(batch).result() if batch else [])
        crash.point("intake.after_commit")
        return [one if isinstance(one, Accepted) else next(stored) for one in made]

    def prepared(self, raw: RawContact, account: Account, found: Sequence[Inbound]) -> Prepared:
        """A contact whose bytes the caller has read already."""
        return self.preparer.of(raw, account, found)

    def take_received(self) -> dict[str, int]:
        """When each account last received something, since the last call."""
        taken, self._received = self._received, {}
        return taken

    def submit(
        self, batch: Sequence[Prepared], *, lane: Lane = Lane.PEOPLE, beside: Beside | None = None
    ) -> Future[list[Accepted]]:
        """Writes prepared contacts in one transaction; the future resolves after the commit."""
        crash.point("intake.before_commit")
        for one in batch:
            self._received[one.account.id] = one.received_us
        with self._counting:
            for one in batch:
                self.taken[one.channel] = self.taken.get(one.channel, 0) + 1
        return self._database.submit(AcceptContacts(batch, beside), lane=lane)
