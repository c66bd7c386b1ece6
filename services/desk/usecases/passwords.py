"""Passwords: argon2id in a small pool of its own, so that nobody's page waits for a hash."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.kit.errors import RateLimited

T = TypeVar("T")

_WAITING = 64  # at 25 ms a hash and two threads, the last in line waits under a second
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read for something else


class Passwords:
    """Hashes and checks. Parameters: OWASP Password Storage Cheat Sheet, argon2id with 19 MiB and two passes."""

    def __init__(self, *, threads: int = 2, memory_kib: int = 19 * 1024, passes: int = 2) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="desk-password")
        self._room = threading.BoundedSemaphore(_WAITING)
        self._nobody = self._hasher.hash(secrets.token_hex(16))  # checked for unknown people: the same time is spent

    def hash(self, password: str) -> str:
        """The hash, computed in the pool while the caller waits."""
        return self._submit(self._hasher.hash, password).result()

    def check(self, password: str, stored: str | None) -> Future[bool]:
        """Whether the password is the stored one; None takes as long and is False. Raises `RateLimited` when too many wait."""
        return self._submit(self._verify, stored or self._nobody, password, stored is not None)

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Ends the pool's threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str, password: str, known: bool) -> bool:
        try:
            return self._hasher.verify(stored, password) and known
        except (VerificationError, InvalidHashError):
            return False

    def _submit(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        if not self._room.acquire(blocking=False):
            raise RateLimited("Too many people sign in at this moment; try again in a few seconds.", retry_after_s=2.0)
        try:
            future = self._pool.submit(work, *arguments)
        except RuntimeError:
            self._room.release()
            raise
        future.add_done_callback(lambda _done: self._room.release())
        return future


def random_password() -> str:
    """A password for a first sign-in: four groups of five, 99 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
