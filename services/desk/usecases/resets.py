"""A forgotten password: asked for by address, answered by a mail with a link that works once, for an hour.

Asking reads one row and writes one, whoever's the address is; the mail leaves from a loop. The link is signed with the
installation's key and names the row; using it removes the row in the transaction that sets the password.
"""

from __future__ import annotations

import base64
import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from services.desk.domain import people
from services.desk.domain.people import User
from services.desk.store import journal, resets
from services.desk.store import sessions as session_rows
from services.desk.store import users as user_rows
from services.desk.store.resets import ResetRow
from services.desk.usecases.attempts import Attempts
from services.desk.usecases.passwords import Passwords
from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import AscoltoError, NotFound, Unavailable
from services.kit.ids import new_id
from services.kit.secrets import Keys
from services.kit.uow import Database, Uow

LIFE = timedelta(hours=1)
_CLAIM = timedelta(minutes=2)
_PAUSES_S = (5, 30, 120, 600, 1200)  # between attempts to hand the mail over; the link itself ends the series
_LOOK_S = 1.0  # for mails that are tried again; what is asked for wakes the loop


@dataclass(frozen=True, slots=True)
class ResetMail:
    """A mail that is due: to whom, with which token in its link. `id` is the same on every attempt."""

    id: str
    user: User
    token: str


class Resets:
    """Asks, sends and uses; `run` is the loop that sends, a `Worker`."""

    name = "desk-resets"

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        keys: Keys,
        passwords: Passwords,
        attempts: Attempts,
        send: Callable[[ResetMail], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database, self._clock, self._keys = database, clock, keys
        self._passwords, self._attempts, self._send, self._changed = passwords, attempts, send, changed
        self._asked = threading.Event()
        self._log = log.logger("desk")

    def ask(self, email: str, *, address: str) -> None:
        """Takes note that somebody asks for a link. Raises `RateLimited`; says nothing else, whoever's the address is."""
        email = email.strip().lower()[:254]
        self._attempts.begin(f"account:{email}", f"address:{address}")
        with self._database.read() as reader:
            found = user_rows.find_with_hash(reader, email)
        user_id = found[0].id if found and not found[0].disabled else ""
        reset_id, now = new_id("rst"), self._clock.now()
        self._database.write(lambda uow: resets.add(uow, reset_id, user_id, now))
        self._asked.set()

    def check(self, token: str) -> User:
        """Whose new password this link sets; it is not used up. Raises `NotFound` for one used, too old or not ours."""
        reset_id, _, signature = token[:200].partition(".")
        now = self._clock.now()
        if hmac.compare_digest(self._token(reset_id).encode(), f"{reset_id}.{signature}".encode()):
            with self._database.read() as reader:
                row = resets.find(reader, reset_id)
                user = user_rows.find(reader, row.user_id) if row and now - row.asked_at < LIFE else None
            if user is not None and not user.disabled:
                return user
        raise NotFound("This link was used before or is older than an hour; ask for another one.")

    def use(self, token: str, password: str) -> None:
        """Sets the password once, ending every session and every other link of the person.

        Raises `NotFound` as `check` does, `Invalid` for a password that is refused, which leaves the link as it is.
        """
        user, now = self.check(token), self._clock.now()
        people.check_password(password, email=user.email)
        hashed = self._passwords.hash(password)
        reset_id = token.partition(".")[0]
        entry = journal.Entry(new_id("aud"), now, user.id, "password_reset_by_mail", user.id, "")

        def use(uow: Uow) -> bool:
            if not resets.remove(uow, reset_id, since=now - LIFE):
                return False
            user_rows.set_password(uow, user.id, hashed, must_change=False)
            session_rows.end_all(uow, user.id)
            resets.remove_of(uow, user.id)
            journal.add(uow, entry)
            return True

        if not self._database.write(use):
            raise NotFound("This link was used before or is older than an hour; ask for another one.")
        self._changed()

    def prune(self) -> int:
        """Deletes what is too old to be used."""
        before = self._clock.now() - LIFE
        return self._database.write(lambda uow: resets.prune(uow, before))

    def run(self, stop: threading.Event) -> None:
        """Sends what is due until `stop`."""
        while not stop.is_set():
            if not self.run_once():
                self._asked.wait(_LOOK_S)
            self._asked.clear()

    def run_once(self) -> int:
        """Tries the mails that are due; returns how many."""
        now = self._clock.now()
        with self._database.read() as reader:
            rows = resets.due(reader, now)
        for row in rows:
            self._try(row)
        return len(rows)

    def _try(self, row: ResetRow) -> None:
        now = self._clock.now()
        if not self._database.write(lambda uow: resets.claim(uow, row, now + _CLAIM)):
            return
        with self._database.read() as reader:
            user = user_rows.find(reader, row.user_id) if row.user_id else None
        again = None
        if user is not None and not user.disabled and now - row.asked_at < LIFE:
            try:
                self._send(ResetMail(row.id, user, self._token(row.id)))
                self._log.info("reset.mailed", reset_id=row.id, user_id=user.id)
            except AscoltoError as error:
                self._log.warning("reset.not_mailed", reset_id=row.id, user_id=user.id, reason=error.message)
                if isinstance(error, Unavailable) and row.attempts < len(_PAUSES_S):
                    again = self._clock.now() + timedelta(seconds=_PAUSES_S[row.attempts])
        self._database.write(lambda uow: resets.put_off(uow, row.id, again))

    def _token(self, reset_id: str) -> str:
        signature = base64.urlsafe_b64encode(self._keys.sign("desk-reset", reset_id.encode()))
        return f"{reset_id}.{signature.decode().rstrip('=')}"
