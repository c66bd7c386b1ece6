"""Sessions: signing in and out, and who a cookie belongs to.

What was found is remembered for 2 s, so that a page costs no read and a revocation made by another process is felt
within 5 s, also by open streams; one made here is felt at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from services.desk.domain import people, roles
from services.desk.domain.people import Preferences, Session, User
from services.desk.store import journal
from services.desk.store import sessions as session_rows
from services.desk.store import users as user_rows
from services.desk.usecases.attempts import Attempts
from services.desk.usecases.factors import Factors
from services.desk.usecases.passwords import Passwords
from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import Unauthenticated
from services.kit.ids import new_id
from services.kit.principal import Person
from services.kit.uow import Database, Uow

_REMEMBER_S = 2.0
_TOUCH = timedelta(minutes=1)  # the idle end moves in steps of it
_TOUCHED_S = 5.0  # so long what is remembered may still say the time before
_REMEMBERED = 5_000
_REFUSED = "The address or the password is wrong."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is at the desk, from one request to the next."""

    person: Person
    user: User
    session: Session

    @property
    def csrf(self) -> str:
        """The session's token for forms and the header X-CSRF-Token."""
        return self.session.csrf

    @property
    def preferences(self) -> Preferences:
        """How they like it."""
        return self.user.preferences


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just begun; `secret` goes into the cookie and nowhere else."""

    secret: str
    signed_in: SignedIn


@dataclass(frozen=True, slots=True)
class CodeNeeded:
    """The password was right, a code is still to come. `version` is the person's: a change of theirs ends this state."""

    user_id: str
    version: int


def person_of_user(user: User) -> Person:
    """The caller that other services get to see."""
    return Person(
        user_id=user.id,
        name=user.name,
        roles=frozenset(user.roles),
        permissions=roles.permissions_of(user.roles),
        brand_ids=frozenset(user.brand_ids),
        teams=frozenset(user.teams),
    )


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(
        self, database: Database, *, clock: Clock, passwords: Passwords, attempts: Attempts, factors: Factors
    ) -> None:
        self._database, self._clock = database, clock
        self._passwords, self._attempts, self._factors = passwords, attempts, factors
        self._known: OrderedDict[bytes, tuple[float, SignedIn | None]] = OrderedDict()
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()
        self._log = log.logger("desk")

    async def sign_in(self, email: str, password: str, *, address: str, device: str = "") -> NewSession | CodeNeeded:
        """Begins a session for the right password, or says that a code is needed first.

        Raises `RateLimited` before anything is hashed, `Unauthenticated` in the same words and time whether the
        person is unknown, disabled or the password wrong.
        """
        email = email.strip().lower()[:254]
        keys = (f"account:{email}", f"address:{address}")
        self._attempts.begin(*keys)
        found = await asyncio.to_thread(self._find, email)
        user, stored = found or (None, None)
        right = await asyncio.wrap_future(self._passwords.check(password[:200], stored))
        if user is None or stored is None or not right or user.disabled:
            self._log.info("login.refused", user_id=user.id if user else "")
            raise Unauthenticated(_REFUSED)
        self._attempts.succeed(*keys)
        if self._passwords.outdated(stored):
            fresh = await asyncio.to_thread(self._passwords.hash, password[:200])
            before = stored
            await asyncio.to_thread(
                self._database.write, lambda uow: user_rows.rehash(uow, user.id, before=before, after=fresh)
            )
        if await asyncio.to_thread(self._factors.is_on, user.id):
            return CodeNeeded(user.id, user.version)
        return await asyncio.to_thread(self._begin, user, address, device)

    def enter_code(self, waiting: CodeNeeded, code: str, *, address: str, device: str = "") -> NewSession:
        """Begins the session that the password alone did not. Raises `RateLimited`, `Unauthenticated`."""
        user = self._factors.use(waiting.user_id, code, address=address, version=waiting.version)
        return self._begin(user, address, device)

    def find(self, secret: str) -> SignedIn | None:
        """Who the cookie's value belongs to, or None when its session is over, revoked or unknown."""
        hashed = _hash(secret)
        now_s = self._clock.monotonic()
        with self._lock:
            kept = self._known.get(hashed)
        if kept is None or now_s - kept[0] >= _REMEMBER_S:
            kept = (now_s, self._read(hashed))
            with self._lock:
                self._known[hashed] = kept
                self._known.move_to_end(hashed)
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        signed_in = kept[1]
        if signed_in is None or signed_in.session.over(self._clock.now()):
            return None
        return signed_in

    def touch_due(self, signed_in: SignedIn) -> bool:
        """Whether the idle end should move on: at most once a minute a session."""
        if self._clock.now() - signed_in.session.seen_at < _TOUCH:
            return False
        now_s, session_id = self._clock.monotonic(), signed_in.session.id
        with self._lock:
            if now_s - self._touched.get(session_id, float("-inf")) < _TOUCHED_S:
                return False
            if len(self._touched) >= _REMEMBERED:
                self._touched.clear()
            self._touched[session_id] = now_s
            return True

    def touch(self, signed_in: SignedIn) -> None:
        """Moves the idle end on: a person did something. Streams do not call it."""
        now, session_id = self._clock.now(), signed_in.session.id
        self._database.write(lambda uow: session_rows.touch(uow, session_id, now))

    def sign_out(self, signed_in: SignedIn) -> None:
        """Ends this session."""
        self.end(signed_in.session.id, user_id=signed_in.user.id)

    def end(self, session_id: str, *, user_id: str) -> bool:
        """Ends one session of a person; whether there was one."""
        ended = self._database.write(lambda uow: session_rows.end(uow, session_id, user_id=user_id))
        self.forget()
        return ended

    def end_all(self, user_id: str, *, but: str = "") -> int:
        """Ends a person's sessions but one."""
        count = self._database.write(lambda uow: session_rows.end_all(uow, user_id, but=but))
        self.forget()
        return count

    def of_user(self, user_id: str) -> list[Session]:
        """The person's sessions, latest first."""
        with self._database.read() as reader:
            return session_rows.of_user(reader, user_id)

    def forget(self) -> None:
        """Drops what is remembered, after users or sessions changed."""
        with self._lock:
            self._known.clear()

    def prune(self) -> int:
        """Deletes sessions that are over."""
        now = self._clock.now()
        idle, old = now - people.IDLE - timedelta(minutes=5), now - people.ABSOLUTE
        return self._database.write(lambda uow: session_rows.prune(uow, idle=idle, old=old))

    def _find(self, email: str) -> tuple[User, str] | None:
        with self._database.read() as reader:
            return user_rows.find_with_hash(reader, email)

    def _begin(self, user: User, address: str, device: str) -> NewSession:
        secret = secrets.token_urlsafe(32)
        now = self._clock.now()
        session = Session(
            id=new_id("ses"),
            user_id=user.id,
            csrf=secrets.token_urlsafe(24),
            begun_at=now,
            seen_at=now,
            address=address,
            device=device[:200],
        )
        entry = journal.Entry(new_id("aud"), now, user.id, "signed_in", session.id, "")
        hashed = _hash(secret)

        def begin(uow: Uow) -> None:
            session_rows.add(uow, session, hashed)
            user_rows.note_login(uow, user.id, now)
            journal.add(uow, entry)

        self._database.write(begin)
        return NewSession(secret, SignedIn(person_of_user(user), user, session))

    def _read(self, hashed: bytes) -> SignedIn | None:
        with self._database.read() as reader:
            session = session_rows.find(reader, hashed)
            user = user_rows.find(reader, session.user_id) if session else None
        if session is None or user is None or user.disabled:
            return None
        return SignedIn(person_of_user(user), user, session)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
