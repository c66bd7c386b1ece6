"""Rows of second factors and recovery codes: the secret encrypted, the codes hashed under the installation's key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.desk.store.rows import a_moment, micros
from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow

_BEGIN = Sql(
    """INSERT INTO factors (user_id, secret, begun_us, confirmed_us, last_step) VALUES (:user, :secret, :now, 0, 0)
    ON CONFLICT (user_id) DO UPDATE SET secret = :secret, begun_us = :now WHERE factors.confirmed_us = 0"""
)
_FIND = Sql("SELECT secret, begun_us, confirmed_us, last_step FROM factors WHERE user_id = :user")
_CONFIRM = Sql(
    """UPDATE factors SET confirmed_us = :now, last_step = :step
    WHERE user_id = :user AND confirmed_us = 0 AND begun_us = :begun"""
)
_TAKE = Sql("UPDATE factors SET last_step = :step WHERE user_id = :user AND confirmed_us > 0 AND last_step < :step")
_REMOVE = Sql("DELETE FROM factors WHERE user_id = :user")
_ADD_CODE = Sql("INSERT INTO recovery_codes (user_id, code_hash) VALUES (:user, :hash)")
_TAKE_CODE = Sql("DELETE FROM recovery_codes WHERE user_id = :user AND code_hash = :hash")
_REMOVE_CODES = Sql("DELETE FROM recovery_codes WHERE user_id = :user")
_COUNT_CODES = Sql("SELECT COUNT(*) FROM recovery_codes WHERE user_id = :user")


@dataclass(frozen=True, slots=True)
class FactorRow:
    """A factor as it lies there; `secret` is sealed."""

    secret: bytes
    begun_at: datetime
    confirmed: bool
    last_step: int


def begin(uow: Uow, user_id: str, secret: bytes, now: datetime) -> bool:
    """Keeps a secret that is to be confirmed, in place of an unconfirmed one; False when one is confirmed already."""
    return bool(uow.execute(_BEGIN, {"user": user_id, "secret": secret, "now": micros(now)}))


def find(reader: Reader, user_id: str) -> FactorRow | None:
    """The person's factor, confirmed or not."""
    row = reader.row(_FIND, {"user": user_id})
    if row is None:
        return None
    return FactorRow(bytes(row[0]), a_moment(row[1]), bool(row[2]), int(row[3] or 0))  # type: ignore[arg-type]  # the column is bytes


def confirm(uow: Uow, user_id: str, *, begun_at: datetime, step: int, now: datetime) -> bool:
    """Switches the factor on by the code of `step`; False when another secret was begun meanwhile."""
    return bool(uow.execute(_CONFIRM, {"user": user_id, "begun": micros(begun_at), "step": step, "now": micros(now)}))


def take(uow: Uow, user_id: str, step: int) -> bool:
    """Uses up the code of `step` and all before it; False when it was taken before, or the factor is off."""
    return bool(uow.execute(_TAKE, {"user": user_id, "step": step}))


def remove(uow: Uow, user_id: str) -> bool:
    """Removes factor and recovery codes; whether there was a factor."""
    uow.execute(_REMOVE_CODES, {"user": user_id})
    return bool(uow.execute(_REMOVE, {"user": user_id}))


def put_codes(uow: Uow, user_id: str, hashes: Iterable[bytes]) -> None:
    """Replaces the recovery codes."""
    uow.execute(_REMOVE_CODES, {"user": user_id})
    uow.execute_many(_ADD_CODE, [{"user": user_id, "hash": one} for one in hashes])


def take_code(uow: Uow, user_id: str, hashed: bytes) -> bool:
    """Uses up a recovery code; whether there was one."""
    return bool(uow.execute(_TAKE_CODE, {"user": user_id, "hash": hashed}))


def count_codes(reader: Reader, user_id: str) -> int:
    """How many recovery codes are left."""
    row = reader.row(_COUNT_CODES, {"user": user_id})
    return int(row[0] or 0) if row else 0
