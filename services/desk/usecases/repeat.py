"""Calls that may be repeated: what was answered under an Idempotency-Key is answered again for 24 hours."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from services.desk.store import journal
from services.desk.store.journal import Answer
from services.kit.clock import Clock
from services.kit.errors import Conflict, Invalid
from services.kit.uow import Database

_KEEP = timedelta(hours=24)
_STALE = timedelta(seconds=60)  # a call that never ended: its key is free again
_LONGEST_KEY = 200


class Answers:
    """Stored answers by (caller, method, path, key). Only successes are stored; a refused call may be repeated."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def begin(self, *, scope: str, key: str, request: bytes) -> tuple[bytes, Answer | None]:
        """Reserves the key, or gives what was answered under it.

        Raises `Invalid` for another request under the same key, `Conflict` while the first call is under way.
        """
        if not key.isprintable() or len(key) > _LONGEST_KEY:
            raise Invalid(
                f"An Idempotency-Key has at most {_LONGEST_KEY} printable characters.", field="Idempotency-Key"
            )
        key_hash = hashlib.sha256(f"{scope}\x00{key}".encode()).digest()
        request_hash = hashlib.sha256(request).digest()
        now = self._clock.now()
        stored = self._database.write(
            lambda uow: journal.reserve(uow, key_hash, request_hash, now=now, stale=now - _STALE)
        )
        if stored is None:
            return key_hash, None
        if stored.request_hash != request_hash:
            raise Invalid("This Idempotency-Key was used for another request; use a new one.", field="Idempotency-Key")
        if stored.status == 0:
            raise Conflict("The first call with this Idempotency-Key is under way; ask again.", retry_after_s=1.0)
        return key_hash, stored

    def keep(self, key_hash: bytes, *, status: int, media_type: str, body: bytes) -> None:
        """Stores the answer."""
        self._database.write(lambda uow: journal.keep(uow, key_hash, status=status, media_type=media_type, body=body))

    def release(self, key_hash: bytes) -> None:
        """Gives the key back."""
        self._database.write(lambda uow: journal.release(uow, key_hash))

    def prune(self) -> int:
        """Deletes what is older than 24 hours."""
        before = self._clock.now() - _KEEP
        return self._database.write(lambda uow: journal.prune(uow, before))
