"""Rows of sessions and API tokens: the hash of the secret, never the secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.desk.domain.people import Session, Token
from services.desk.store.rows import a_moment, dump, micros, moment, texts
from services.kit.db.sql import Sql
from services.kit.uow import Reader, Row, Uow

_SESSION = "id, user_id, csrf, begun_us, seen_us, address, device"
_TOKEN = "id, name, scopes, brand_ids, created_by, created_us, expires_us, last_used_us, revoked_us"  # noqa: S105 (columns)
_INSERT = Sql(
    """INSERT INTO sessions (id, secret_hash, user_id, csrf, begun_us, seen_us, address, device)
    VALUES (:id, :secret_hash, :user_id, :csrf, :begun, :seen, :address, :device)"""
)
_BY_HASH = Sql(f"SELECT {_SESSION} FROM sessions WHERE secret_hash = :hash")  # noqa: S608 (a constant list of columns)
_OF_USER = Sql(f"SELECT {_SESSION} FROM sessions WHERE user_id = :user ORDER BY seen_us DESC")  # noqa: S608 (as above)
_TOUCH = Sql("UPDATE sessions SET seen_us = :seen WHERE id = :id AND seen_us < :seen")
_END = Sql("DELETE FROM sessions WHERE id = :id AND user_id = :user")
_END_ALL = Sql("DELETE FROM sessions WHERE user_id = :user AND id <> :but")
_PRUNE = Sql("DELETE FROM sessions WHERE seen_us < :idle OR begun_us < :old")
_ADD_TOKEN = Sql(
    """INSERT INTO tokens (id, secret_hash, name, scopes, brand_ids, created_by, created_us, expires_us, last_used_us, revoked_us)
    VALUES (:id, :hash, :name, :scopes, :brand_ids, :created_by, :created, :expires, 0, 0)"""
)
_TOKEN_BY_HASH = Sql(f"SELECT {_TOKEN} FROM tokens WHERE secret_hash = :hash")  # noqa: S608 (as above)
_TOKENS = Sql(f"SELECT {_TOKEN} FROM tokens ORDER BY created_us DESC")  # noqa: S608 (as above)
_KEYS = Sql("SELECT id, secret_hash, scopes FROM tokens WHERE revoked_us = 0 AND (expires_us = 0 OR expires_us > :now)")
_STAMP = Sql("SELECT COUNT(*), MAX(created_us), MAX(revoked_us) FROM tokens")
_REVOKE = Sql("UPDATE tokens SET revoked_us = :now WHERE id = :id AND revoked_us = 0")
_USED = Sql("UPDATE tokens SET last_used_us = :now WHERE id = :id AND last_used_us < :now")


def add(uow: Uow, session: Session, secret_hash: bytes) -> None:
    """Keeps a new session."""
    uow.execute(
        _INSERT,
        {
            "id": session.id,
            "secret_hash": secret_hash,
            "user_id": session.user_id,
            "csrf": session.csrf,
            "begun": micros(session.begun_at),
            "seen": micros(session.seen_at),
            "address": session.address,
            "device": session.device,
        },
    )


def find(reader: Reader, secret_hash: bytes) -> Session | None:
    """The session of a cookie."""
    row = reader.row(_BY_HASH, {"hash": secret_hash})
    return _session(row) if row else None


def of_user(reader: Reader, user_id: str) -> list[Session]:
    """The sessions of one person, latest first."""
    return [_session(row) for row in reader.rows(_OF_USER, {"user": user_id})]


def touch(uow: Uow, session_id: str, now: datetime) -> None:
    """Moves the idle end on."""
    uow.execute(_TOUCH, {"id": session_id, "seen": micros(now)})


def end(uow: Uow, session_id: str, *, user_id: str) -> bool:
    """Ends one session of a person; whether there was one."""
    return bool(uow.execute(_END, {"id": session_id, "user": user_id}))


def end_all(uow: Uow, user_id: str, *, but: str = "") -> int:
    """Ends a person's sessions but one; how many."""
    return uow.execute(_END_ALL, {"user": user_id, "but": but})


def prune(uow: Uow, *, idle: datetime, old: datetime) -> int:
    """Deletes sessions last seen before `idle` or begun before `old`."""
    return uow.execute(_PRUNE, {"idle": micros(idle), "old": micros(old)})


def add_token(uow: Uow, token: Token, secret_hash: bytes) -> None:
    """Keeps a new API token."""
    uow.execute(
        _ADD_TOKEN,
        {
            "id": token.id,
            "hash": secret_hash,
            "name": token.name,
            "scopes": dump(token.scopes),
            "brand_ids": dump(token.brand_ids),
            "created_by": token.created_by,
            "created": micros(token.created_at),
            "expires": micros(token.expires_at),
        },
    )


def find_token(reader: Reader, secret_hash: bytes) -> Token | None:
    """The token of a secret, also when it is revoked or expired."""
    row = reader.row(_TOKEN_BY_HASH, {"hash": secret_hash})
    return _token(row) if row else None


def tokens(reader: Reader) -> list[Token]:
    """All tokens, newest first."""
    return [_token(row) for row in reader.rows(_TOKENS)]


def access_keys(reader: Reader, now: datetime) -> Sequence[tuple[str, bytes, tuple[str, ...]]]:
    """Id, hash and scopes of every token that opens something."""
    return [
        (str(row[0]), bytes(row[1]), texts(row[2]))  # type: ignore[arg-type]  # the column is bytes
        for row in reader.rows(_KEYS, {"now": micros(now)})
    ]


def tokens_stamp(reader: Reader) -> tuple[int, ...]:
    """Changes whenever a token is made or revoked."""
    row = reader.row(_STAMP)
    return tuple(int(value or 0) for value in row) if row else ()


def revoke_token(uow: Uow, token_id: str, now: datetime) -> bool:
    """Ends a token; whether it was alive."""
    return bool(uow.execute(_REVOKE, {"id": token_id, "now": micros(now)}))


def note_use(uow: Uow, token_id: str, now: datetime) -> None:
    """Keeps when the token was last used."""
    uow.execute(_USED, {"id": token_id, "now": micros(now)})


def _session(row: Row) -> Session:
    return Session(
        id=str(row[0]),
        user_id=str(row[1]),
        csrf=str(row[2]),
        begun_at=a_moment(row[3]),
        seen_at=a_moment(row[4]),
        address=str(row[5]),
        device=str(row[6]),
    )


def _token(row: Row) -> Token:
    return Token(
        id=str(row[0]),
        name=str(row[1]),
        scopes=texts(row[2]),
        brand_ids=texts(row[3]),
        created_by=str(row[4]),
        created_at=moment(row[5]),
        expires_at=moment(row[6]),
        last_used_at=moment(row[7]),
        revoked=bool(row[8]),
    )
