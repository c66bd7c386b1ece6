"""Loops beside the senders: what exceeded its parse budget, and accounts that fetch or hold a connection."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

from services.intake.domain.channel import Account
from services.intake.domain.contact import Accepted, RawContact
from services.intake.ports import Door, Listens
from services.intake.store import accounts as account_store
from services.intake.store import inbound as inbound_store
from services.intake.usecases.accept import Acceptor
from services.intake.usecases.directory import Directory
from services.intake.usecases.replay import Replayer
from services.kit import log
from services.kit.clock import Clock, SetBack
from services.kit.leases import Lease, Leases
from services.kit.uow import Database, Lane, Uow

_LEASE_S = 60.0
_LOOK_S = 1.0
_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 300.0
_NOTE_EACH_S = 5.0
_events = log.logger("intake")


class PendingParser:
    """Parses what could not be parsed while its sender waited; one process at a time, under a lease."""

    name = "intake-pending"

    def __init__(
        self, replayer: Replayer, database: Database, leases: Leases, clock: Clock, acceptor: Acceptor, holder: str
    ) -> None:
        self._acceptor, self._holder = acceptor, holder
        self._replayer, self._database, self._leases, self._clock = replayer, database, leases, clock

    def run(self, stop: threading.Event) -> None:
        """Works until `stop`."""
        noted, set_back = float("-inf"), SetBack(self._clock)
        while not stop.is_set():
            if self._clock.monotonic() - noted >= _NOTE_EACH_S:
                noted = self._clock.monotonic()
                self.note_received()
            now_us = int(self._clock.now().timestamp() * 1_000_000)
            if set_back.seen():
                self._database.write(partial(inbound_store.hasten, latest_us=now_us))
            with self._database.read() as reader:
                due_us = inbound_store.next_pending_us(reader)
            if (
                not due_us
                or due_us > now_us
                or self._leases.take("intake.pending", self._holder, seconds=_LEASE_S) is None
            ):
                stop.wait(_LOOK_S)
                continue
            self._replayer.parse_pending(now_us)

    def note_received(self) -> None:
        """Writes on each account that received something when that was."""
        if received := self._acceptor.take_received():
            self._database.write(lambda uow: _note_received(uow, received), lane=Lane.BULK)


def _note_received(uow: Uow, received: Mapping[str, int]) -> None:
    for account_id, at_us in received.items():
        account_store.note_health(uow, account_id, success_us=at_us, in_us=at_us)


class AccountFeed:
    """What one listening account is given."""

    def __init__(self, account: Account, database: Database, door: Door, clock: Clock) -> None:
        self._account, self._database, self._door, self._clock = account, database, door, clock
        self._noted = float("-inf")

    def accept(self, raws: Sequence[RawContact]) -> list[Accepted]:
        """Stores and answers after the commit."""
        answers = self._door.accept(raws)
        self._note(in_us=self._now_us)
        return answers

    def cursor(self) -> str:
        """What was stored last."""
        with self._database.read() as reader:
            return account_store.cursor(reader, self._account.id)

    def move(self, cursor: str) -> None:
        """Stores the cursor."""
        now_us = self._now_us
        self._database.write(lambda uow: account_store.move_cursor(uow, self._account.id, cursor, now_us))

    def succeeded(self) -> None:
        """Notes that the account works, at most each 5 s."""
        if self._clock.monotonic() - self._noted >= _NOTE_EACH_S:
            self._note(success_us=self._now_us)

    def failed(self, reason: str) -> None:
        """Notes what is wrong."""
        self._note(error=reason[:300], error_us=self._now_us)
        self._noted = float("-inf")

    @property
    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)

    def _note(self, *, success_us: int = 0, error: str = "", error_us: int = 0, in_us: int = 0) -> None:
        self._noted = self._clock.monotonic()
        self._database.write(
            lambda uow: account_store.note_health(
                uow, self._account.id, success_us=success_us, error=error, error_us=error_us, in_us=in_us
            )
        )


class Listeners:
    """Keeps one thread for each account that fetches or holds a connection; begins and ends them as accounts change.

    It is also what notices a change that another process made to brands, accounts and keys.
    """

    name = "intake-listeners"

    def __init__(
        self, database: Database, directory: Directory, door: Door, leases: Leases, clock: Clock, holder: str
    ) -> None:
        self._database, self._directory, self._door = database, directory, door
        self._leases, self._clock, self._holder = leases, clock, holder
        self._running: dict[tuple[str, int], tuple[threading.Event, threading.Thread]] = {}

    def run(self, stop: threading.Event) -> None:
        """Works until `stop`; then ends every thread."""
        while not stop.is_set():
            self._directory.refresh()
            wanted = self._wanted()
            for key in [
                key for key, (_, thread) in self._running.items() if key not in wanted or not thread.is_alive()
            ]:
                self._running.pop(key)[0].set()
            for key, (account, listener) in wanted.items():
                if key not in self._running:
                    self._begin(key, account, listener)
            stop.wait(_LOOK_S)
        for ended, _ in self._running.values():
            ended.set()
        for _, thread in self._running.values():
            thread.join(timeout=5.0)

    def _wanted(self) -> dict[tuple[str, int], tuple[Account, Listens]]:
        found: dict[tuple[str, int], tuple[Account, Listens]] = {}
        for account in self._directory.picture.accounts.values():
            listener = self._directory.channels[account.channel]
            if account.state == "on" and hasattr(listener, "listen") and hasattr(listener, "listens_to"):
                listens = cast("Listens", listener)
                if listens.listens_to(account):
                    found[account.id, account.version] = (account, listens)
        return found

    def _begin(self, key: tuple[str, int], account: Account, listener: Listens) -> None:
        ended = threading.Event()
        thread = threading.Thread(
            target=self._listen, args=(account, listener, ended), name=f"intake-listen-{account.id}", daemon=True
        )
        self._running[key] = (ended, thread)
        thread.start()

    def _listen(self, account: Account, listener: Listens, ended: threading.Event) -> None:
        feed, pause = AccountFeed(account, self._database, self._door, self._clock), _FIRST_PAUSE_S
        name = f"intake.listen.{account.id}"
        while not ended.is_set():
            lease = self._leases.take(name, self._holder, seconds=_LEASE_S)
            if lease is None:
                ended.wait(_LOOK_S)
                continue
            lost, begun = threading.Event(), self._clock.monotonic()
            renewing = threading.Thread(target=self._renew, args=(lease, ended, lost), daemon=True)
            renewing.start()
            try:
                listener.listen(account, feed, lost)
            except Exception as error:  # noqa: BLE001 (the loop's edge: logged, shown on the account, begun again)
                _events.warning("listen.failed", account_id=account.id, reason=type(error).__name__)
                feed.failed(str(error) or type(error).__name__)
            if self._clock.monotonic() - begun > _LEASE_S:
                pause = _FIRST_PAUSE_S
            lost.set()
            renewing.join(timeout=2.0)
            ended.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _renew(self, lease: Lease, ended: threading.Event, lost: threading.Event) -> None:
        """Holds the lease while it listens; sets `lost` when it must stop."""
        waited = 0.0
        while not lost.wait(0.2):
            waited += 0.2
            if ended.is_set() or (waited >= _LEASE_S / 3 and not self._leases.renew(lease, seconds=_LEASE_S)):
                lost.set()
            if waited >= _LEASE_S / 3:
                waited = 0.0
