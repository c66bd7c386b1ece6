"""The second factor: switched on by a code, asked for after the password, replaced by recovery codes when it is lost.

What somebody could guess is counted before anything is hashed or compared: the password under the keys of signing in,
the code under keys of its own, which a right password does not clear.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from services.desk.domain import totp
from services.desk.domain.people import User
from services.desk.store import factors as rows
from services.desk.store import journal
from services.desk.store import users as user_rows
from services.desk.usecases.attempts import Attempts
from services.desk.usecases.passwords import Passwords
from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import Conflict, Unauthenticated
from services.kit.ids import new_id
from services.kit.secrets import Keys, SecretBox
from services.kit.uow import Database, Uow

CODES = 10
_PENDING = timedelta(minutes=15)  # a secret not confirmed by then is forgotten
_CODE_DIGITS = 12  # 40 bits behind the limits; digits alone, since the field brings up a telephone's number pad


@dataclass(frozen=True, slots=True)
class Factor:
    """What a person sees of theirs. `secret` is there only while it waits to be confirmed."""

    on: bool = False
    secret: str = ""
    codes_left: int = 0


class Factors:
    """Second factors of people."""

    def __init__(
        self, database: Database, *, clock: Clock, keys: Keys, box: SecretBox, passwords: Passwords, attempts: Attempts
    ) -> None:
        self._database, self._clock, self._keys, self._box = database, clock, keys, box
        self._passwords, self._attempts = passwords, attempts
        self._log = log.logger("desk")

    def of(self, user_id: str) -> Factor:
        """The person's factor."""
        with self._database.read() as reader:
            row = rows.find(reader, user_id)
            if row is not None and row.confirmed:
                return Factor(on=True, codes_left=rows.count_codes(reader, user_id))
        if row is None or self._clock.now() - row.begun_at >= _PENDING:
            return Factor()
        return Factor(secret=self._open(user_id, row))

    def is_on(self, user_id: str) -> bool:
        """Whether a code is asked for after the password."""
        with self._database.read() as reader:
            row = rows.find(reader, user_id)
        return row is not None and row.confirmed

    def begin(self, user: User, password: str) -> None:
        """Makes a secret, to be confirmed by a code. Raises `Unauthenticated`, `Conflict` when the factor is on already."""
        self._check_password(user, password)
        sealed = self._box.seal(totp.secret_of(secrets.token_bytes(20)), owner=_owner(user.id))
        now = self._clock.now()
        if not self._database.write(lambda uow: rows.begin(uow, user.id, sealed, now)):
            raise Conflict("The second factor is on already.")

    def confirm(self, user: User, code: str) -> list[str]:
        """Switches the factor on by its first code; returns the recovery codes, which are shown once.

        Raises `Unauthenticated` for a wrong code, `Conflict` when no secret waits or another one does.
        """
        now, key = self._clock.now(), f"code:{user.id}"
        with self._database.read() as reader:
            row = rows.find(reader, user.id)
        if row is None or row.confirmed or now - row.begun_at >= _PENDING:
            raise Conflict("There is no secret to confirm; begin again.")
        self._attempts.begin(key)
        step = totp.matching_step(self._open(user.id, row), _plain(code), now)
        if step is None:
            raise Unauthenticated("The code is wrong, or was used before.", field="code")
        self._attempts.succeed(key)
        codes, hashes = self._fresh_codes(user.id)
        entry = journal.Entry(new_id("aud"), now, user.id, "factor_on", user.id, "")

        def confirm(uow: Uow) -> bool:
            if not rows.confirm(uow, user.id, begun_at=row.begun_at, step=step, now=now):
                return False
            rows.put_codes(uow, user.id, hashes)
            journal.add(uow, entry)
            return True

        if not self._database.write(confirm):
            raise Conflict("There is no secret to confirm; begin again.")
        return codes

    def renew_codes(self, user: User, password: str, code: str) -> list[str]:
        """Replaces the recovery codes, for password and code. Raises `Unauthenticated`."""
        self._check_both(user, password, code)
        codes, hashes = self._fresh_codes(user.id)
        entry = journal.Entry(new_id("aud"), self._clock.now(), user.id, "recovery_codes_renewed", user.id, "")

        def renew(uow: Uow) -> None:
            rows.put_codes(uow, user.id, hashes)
            journal.add(uow, entry)

        self._database.write(renew)
        return codes

    def switch_off(self, user: User, password: str, code: str) -> None:
        """Removes the factor, for password and code. Raises `Unauthenticated`."""
        self._check_both(user, password, code)
        entry = journal.Entry(new_id("aud"), self._clock.now(), user.id, "factor_off", user.id, "")

        def remove(uow: Uow) -> None:
            rows.remove(uow, user.id)
            journal.add(uow, entry)

        self._database.write(remove)

    def use(self, user_id: str, code: str, *, address: str, version: int) -> User:
        """Uses up a code of the application, or a recovery code, of somebody who gave the password; returns who it is.

        `version` is that of the person when they gave it: who was changed meanwhile begins again.
        Raises `RateLimited` before anything is compared, `Unauthenticated` in the same words for every wrong code.
        """
        keys = (f"code:{user_id}", f"code-address:{address}")
        self._attempts.begin(*keys)
        with self._database.read() as reader:
            user = user_rows.find(reader, user_id)
        if user is None or user.disabled or user.version != version or not self._take(user_id, code):
            self._log.info("login.code_refused", user_id=user_id)
            raise Unauthenticated("The code is wrong, or was used before.", field="code")
        self._attempts.succeed(*keys)
        return user

    def _take(self, user_id: str, code: str) -> bool:
        plain = _plain(code)
        with self._database.read() as reader:
            row = rows.find(reader, user_id)
        if row is None or not row.confirmed:
            return False
        step = totp.matching_step(self._open(user_id, row), plain, self._clock.now())
        hashed = self._hash(user_id, plain)
        entry = journal.Entry(new_id("aud"), self._clock.now(), user_id, "recovery_code_used", user_id, "")

        def take(uow: Uow) -> bool:
            if step is not None:
                return rows.take(uow, user_id, step)
            if not rows.take_code(uow, user_id, hashed):
                return False
            journal.add(uow, entry)
            return True

        return self._database.write(take)

    def _check_both(self, user: User, password: str, code: str) -> None:
        self._check_password(user, password)
        key = f"code:{user.id}"
        self._attempts.begin(key)
        if not self._take(user.id, code):
            raise Unauthenticated("The code is wrong, or was used before.", field="code")
        self._attempts.succeed(key)

    def _check_password(self, user: User, password: str) -> None:
        key = f"account:{user.email}"
        self._attempts.begin(key)
        with self._database.read() as reader:
            stored = user_rows.hash_of(reader, user.id)
        if not self._passwords.check(password[:200], stored).result():
            raise Unauthenticated("The present password is wrong.", field="password")
        self._attempts.succeed(key)

    def _open(self, user_id: str, row: rows.FactorRow) -> str:
        return self._box.open(row.secret, owner=_owner(user_id))

    def _hash(self, user_id: str, plain: str) -> bytes:
        return self._keys.sign("desk-recovery-codes", f"{user_id}:{plain}".encode())

    def _fresh_codes(self, user_id: str) -> tuple[list[str], list[bytes]]:
        made = [f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}d}" for _ in range(CODES)]
        return [totp.grouped(one) for one in made], [self._hash(user_id, one) for one in made]


def _owner(user_id: str) -> str:
    return f"{user_id}/factor"


def _plain(code: str) -> str:
    """What was typed or pasted, without the spaces and dashes it is shown with."""
    return "".join(letter for letter in code[:60].lower() if letter.isalnum())
