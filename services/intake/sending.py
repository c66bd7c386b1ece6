"""The senders: threads that claim one delivery at a time, put it on the wire and write how it ended.

Two commits stand before the wire: `claimed`, then `transmitting`. One lease names the process that sends; a new
epoch of it frees what an earlier one held. Order within a conversation is the lane's, kept by the claim.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import replace

from prometheus_client import CollectorRegistry, Counter

from services.intake import wire
from services.intake.domain.channel import Account, Outbound
from services.intake.domain.contact import Attachment
from services.intake.domain.delivery import Delivery, State, wait_s
from services.intake.ports import Channel, Elsewhere, NotSent, Uncertain
from services.intake.store import accounts as account_store
from services.intake.store import deliveries as store
from services.intake.usecases import deliver
from services.intake.usecases.deliver import Outcome
from services.intake.usecases.directory import Directory
from services.kit import crash, log, topics
from services.kit.blobs import Blobs
from services.kit.clock import Clock, SetBack
from services.kit.errors import AscoltoError, Conflict, NotFound
from services.kit.leases import Lease, Leases
from services.kit.trace import Tracer
from services.kit.uow import Database
from services.kit.wakes import Wakes

LEASE_S = 30.0
_IDLE_S = 1.0
_OFF_S = 60.0
_events = log.logger("intake")


class SendingLease:
    """The right of this process to send. `epoch` marks what it claims; 0 while another process sends."""

    def __init__(self, leases: Leases, holder: str, clock: Clock) -> None:
        self._leases, self._holder, self._clock = leases, holder, clock
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._renew_at = 0.0

    def epoch(self) -> int:
        """Takes or renews the lease when a third of it is over."""
        with self._lock:
            now = self._clock.monotonic()
            if self._lease is None or now >= self._renew_at:
                if self._lease is None or not self._leases.renew(self._lease, seconds=LEASE_S):
                    self._lease = self._leases.take("intake.senders", self._holder, seconds=LEASE_S)
                self._renew_at = now + LEASE_S / 3
            return self._lease.epoch if self._lease else 0


class Sender:
    """One of the sending threads."""

    def __init__(  # noqa: PLR0913 (what sending needs)
        self,
        *,
        name: str,
        database: Database,
        wakes: Wakes,
        blobs: Blobs,
        clock: Clock,
        directory: Directory,
        lease: SendingLease,
        outcomes: Counter,
        tracer: Tracer | None = None,
    ) -> None:
        self.name = name
        self._database, self._wakes, self._blobs, self._clock = database, wakes, blobs, clock
        self._directory, self._lease, self._outcomes, self._tracer = directory, lease, outcomes, tracer
        self._random = random.Random()  # noqa: S311 (spreads retries; guards nothing)
        self._noted: dict[str, float] = {}
        self._set_back = SetBack(clock)

    @property
    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)

    def run(self, stop: threading.Event) -> None:
        """Sends until `stop`; the attempt under way is finished."""
        seen = self._wakes.wait([topics.DELIVERIES], 0, 0.0)
        while not stop.is_set():
            if self.step():
                continue
            seen = self._wakes.wait([topics.DELIVERIES], seen, self._idle_s())

    def step(self) -> bool:
        """Sends one delivery; False when none is due."""
        epoch = self._lease.epoch()
        if not epoch:
            return False
        now_us = self._now_us
        if self._set_back.seen():
            self._hasten(now_us)
        with self._database.read() as reader:
            orphaned = bool(store.orphans(reader, epoch, now_us))
            due = bool(store.claimable(reader, now_us, 1))
        if orphaned:
            self._database.write(lambda uow: deliver.recover(uow, epoch=epoch, now_us=now_us))
            return True
        if not due:
            return False
        claimed = self._database.write(lambda uow: deliver.claim(uow, epoch=epoch, now_us=now_us))
        if claimed is not None:
            crash.point("intake.send.claimed")
            self._traced(claimed)
        return True

    def _hasten(self, now_us: int) -> None:
        latest_us = now_us + deliver.LONGEST_UNDO_US
        hastened = self._database.write(lambda uow: store.hasten(uow, latest_us))
        _events.warning("clock.set_back", deliveries=hastened)

    def _idle_s(self) -> float:
        with self._database.read() as reader:
            due_us = store.next_due_us(reader, now_us := self._now_us)
        return min(_IDLE_S, max(0.001, (due_us - now_us) / 1_000_000)) if due_us else _IDLE_S

    def _traced(self, claimed: Delivery) -> None:
        """Sends it, in a trace of its own: it may be hours since it was asked for."""
        log.new_trace()
        if self._tracer is None:
            self._send(claimed)
            return
        ids = {"delivery_id": claimed.id, "ticket_id": claimed.ticket_id}
        with self._tracer.root("intake", f"send {claimed.channel}", **ids):
            self._send(claimed)

    def _send(self, claimed: Delivery) -> None:
        try:
            account = self._directory.account(claimed.account_id)
            outbound = self._outbound(claimed)
        except NotFound as error:
            self._finish_claimed(claimed, State.FAILED, error.message, 0)
            return
        except AscoltoError as error:
            self._finish_claimed(claimed, State.QUEUED, error.message, self._later(claimed, 0.0))
            return
        if account.state != "on":  # kept until the account is on again
            self._finish_claimed(
                claimed, State.QUEUED, "The account is switched off.", self._now_us + int(_OFF_S * 1e6)
            )
            return
        now_us = self._now_us
        try:
            begun = self._database.write(lambda uow: deliver.begin(uow, claimed, now_us=now_us))
        except Conflict:
            return
        crash.point("intake.send.transmitting")
        outcome = self._attempt(begun, replace(outbound, attempt=begun.attempts), account)
        crash.point("intake.send.after_wire")
        self._end(begun, outcome)

    def _attempt(self, begun: Delivery, outbound: Outbound, account: Account) -> Outcome:
        channel: Channel = self._directory.channels[account.channel]
        try:
            receipt = channel.send(outbound, account)
        except NotSent as error:
            self._note(account, error=error.message if error.account or error.retry else "")
            state = State.QUEUED if error.retry else State.FAILED
            due_us = self._later(begun, error.after_s) if error.retry else 0
            return Outcome(state=state, error=error.message, due_us=due_us, gone=error.recipients_gone)
        except Elsewhere as other:
            return self._elsewhere(begun, other)
        except Uncertain as error:
            self._note(account, error=str(error))
            return Outcome(state=State.UNKNOWN, error=str(error))
        except Exception as error:  # noqa: BLE001 (the wire was open: whatever broke, nobody knows what arrived)
            _events.exception("delivery.crashed", delivery_id=begun.id, account_id=account.id)
            return Outcome(
                state=State.UNKNOWN, error=f"Sending failed in a way we did not foresee ({type(error).__name__})."
            )
        self._note(account)
        return deliver.sent(receipt)

    def _elsewhere(self, begun: Delivery, other: Elsewhere) -> Outcome:
        account = self._directory.account_of(begun.brand_id, other.channel)
        if account is None:
            return Outcome(state=State.SENT, external_id=begun.id, error="Only in the history: the visitor has left.")
        moved = replace(
            begun,
            account_id=account.id,
            channel=account.channel,
            recipient=other.to[0].value.lower() if other.to else "",
            request=wire.redirected(begun.request, other.to),
        )
        return Outcome(state=State.QUEUED, moved=moved, due_us=self._now_us)

    def _later(self, delivery: Delivery, asked_s: float) -> int:
        pause = asked_s if 0 < asked_s < 10 else wait_s(delivery.attempts, share=self._random.random(), asked_s=asked_s)
        return self._now_us + int(pause * 1_000_000)

    def _finish_claimed(self, claimed: Delivery, state: State, error: str, due_us: int) -> None:
        self._end(claimed, Outcome(state=state, error=error, due_us=due_us))

    def _end(self, before: Delivery, outcome: Outcome) -> None:
        now_us = self._now_us
        after = self._database.write(lambda uow: deliver.end(uow, before, outcome, now_us=now_us))
        self._outcomes.labels(after.channel, after.state.value).inc()
        _events.info(
            "delivery.ended",
            delivery_id=after.id,
            ticket_id=after.ticket_id,
            outcome=after.state.value,
            attempts=after.attempts,
        )

    def _note(self, account: Account, *, error: str = "") -> None:
        now_us = self._now_us
        last = self._noted.get(account.id, 0.0)
        if not error and now_us - last < 5_000_000:  # the page needs no finer grain, the disk less writing
            return
        self._noted[account.id] = 0.0 if error else now_us
        self._database.write(
            lambda uow: account_store.note_health(
                uow,
                account.id,
                success_us=0 if error else now_us,
                error=error[:300],
                error_us=now_us if error else 0,
                out_us=0 if error else now_us,
            )
        )

    def _outbound(self, of: Delivery) -> Outbound:
        request = wire.reply_request(of.request)
        brand = self._directory.picture.brands.get(of.brand_id)
        return Outbound(
            delivery_id=of.id,
            reply_id=of.reply_id,
            ticket_id=of.ticket_id,
            ticket_number=request.ticket_number,
            conversation=of.conversation,
            to=wire.identities(request.to),
            cc=wire.identities(request.cc),
            subject=request.subject,
            text=wire.read_blob(request.body, self._blobs).decode("utf-8", "replace") or request.text,
            html=wire.read_blob(request.html, self._blobs).decode("utf-8", "replace"),
            attachments=tuple(
                Attachment(one.name, one.media_type, wire.read_blob(one, self._blobs), one.content_id)
                for one in request.attachments
            ),
            in_reply_to=request.in_reply_to,
            references=tuple(request.references),
            automatic=request.automatic,
            author_name=request.author_name,
            language=request.language,
            signature=brand.signature if brand else "",
        )


def outcome_counter(metrics: CollectorRegistry) -> Counter:
    """How attempts ended, by channel and state."""
    return Counter(
        "ascolto_intake_deliveries_total", "Attempts to send, by outcome.", ["channel", "state"], registry=metrics
    )


def stage(counts: Mapping[str, tuple[int, int]], now_us: int) -> tuple[str, int, int, int, int, float]:
    """The line of sending for the operations page: name, in, out, waiting, failing, oldest in seconds."""
    waiting = sum(count for count, _ in counts.values())
    oldest = min((due for _, due in counts.values() if due), default=now_us)
    return ("sending", 0, 0, waiting, counts.get("unknown", (0, 0))[0], max(0.0, (now_us - oldest) / 1_000_000))
