"""API tokens at work: who a secret belongs to, and intake's copy of them for its hooks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from services.desk.domain import roles
from services.desk.domain.people import Token
from services.desk.store import sessions as rows
from services.desk.usecases.people import TOKEN_PREFIX, hash_token
from services.kit import log
from services.kit.clock import Clock
from services.kit.errors import Unauthenticated, Unavailable
from services.kit.principal import Person
from services.kit.uow import Database

_REMEMBER_S = 2.0
_REMEMBERED = 2_000
_NOTE_S = 60.0
_RENEW_S = 300.0  # intake is told again, so that expired tokens leave and a restored intake gets its copy
_RETRY_S = 2.0
_LOOK_S = 0.2  # how soon a token made by the command line opens the hooks
Push = Callable[[Sequence[tuple[str, bytes, Sequence[str]]]], None]


class Tokens:
    """Finds callers by their token; what was found is remembered for 2 s."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._known: OrderedDict[bytes, tuple[float, Token | None]] = OrderedDict()
        self._noted: dict[str, float] = {}
        self._lock = threading.Lock()

    def person(self, secret: str) -> Person:
        """The caller. Raises `Unauthenticated` for what is no live token."""
        token = self._find(hash_token(secret)) if secret.startswith(TOKEN_PREFIX) else None
        if token is None or not token.live(self._clock.now()):
            raise Unauthenticated("The token is unknown, expired or revoked.")
        self._note(token)
        return Person(
            user_id=token.id,
            name=token.name,
            permissions=roles.permissions_of_scopes(token.scopes),
            brand_ids=frozenset(token.brand_ids),
        )

    def forget(self) -> None:
        """Drops what is remembered, after tokens changed."""
        with self._lock:
            self._known.clear()

    def _find(self, hashed: bytes) -> Token | None:
        now = self._clock.monotonic()
        with self._lock:
            kept = self._known.get(hashed)
        if kept is None or now - kept[0] >= _REMEMBER_S:
            with self._database.read() as reader:
                kept = (now, rows.find_token(reader, hashed))
            with self._lock:
                self._known[hashed] = kept
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return kept[1]

    def _note(self, token: Token) -> None:
        now_s = self._clock.monotonic()
        with self._lock:
            if now_s - self._noted.get(token.id, -_NOTE_S) < _NOTE_S:
                return
            self._noted[token.id] = now_s
        now = self._clock.now()
        self._database.submit(lambda uow: rows.note_use(uow, token.id, now))


class KeysToIntake:
    """The loop that gives intake the hashes of all live tokens: at start, after each change, and every five minutes."""

    name = "desk-access-keys"

    def __init__(self, database: Database, push: Push, *, clock: Clock) -> None:
        self._database, self._push, self._clock = database, push, clock
        self._pushed: tuple[int, ...] = ()
        self._due = threading.Event()
        self._due.set()
        self._log = log.logger("desk")

    def changed(self) -> None:
        """Tokens changed: tell intake soon."""
        self._due.set()

    def push_now(self) -> None:
        """Tells intake. Raises `Unavailable` when it is away."""
        with self._database.read() as reader:
            stamp, keys = rows.tokens_stamp(reader), rows.access_keys(reader, self._clock.now())
        self._push(keys)
        self._pushed = stamp

    def run(self, stop: threading.Event) -> None:
        """Pushes until `stop`; while intake is away it is tried every 2 s."""
        while not stop.is_set():
            self._wait(stop, _RENEW_S)
            if stop.is_set():
                return
            self._due.clear()
            try:
                self.push_now()
            except Unavailable as error:
                self._log.info("keys.not_pushed", reason=error.message)
                self._due.set()
                stop.wait(_RETRY_S)  # `push_now` notes the stamp only when intake has the copy

    def _wait(self, stop: threading.Event, longest_s: float) -> None:
        """Until tokens changed, here or by the command line on the same database, or `longest_s` are over."""
        waited_s = 0.0
        while not stop.is_set() and waited_s < longest_s:
            if self._due.wait(_LOOK_S) or self._stamp() != self._pushed:
                return
            waited_s += _LOOK_S

    def _stamp(self) -> tuple[int, ...]:
        with self._database.read() as reader:
            return rows.tokens_stamp(reader)
