"""Rows of users. Passwords leave only as their argon2 hash, and only to who checks them."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from services.desk.domain.people import Preferences, User
from services.desk.store.rows import dump, load, micros, moment, texts
from services.kit.db.sql import Sql
from services.kit.errors import Conflict, NotFound
from services.kit.uow import Reader, Row, Uow, Value

_FIELDS = (
    "id, email, name, roles, brand_ids, teams, preferences, disabled, must_change, version, created_us, last_login_us"
)
_INSERT = Sql(
    """INSERT INTO users (id, email, name, password, roles, brand_ids, teams, preferences, disabled, must_change, version, created_us, last_login_us)
    VALUES (:id, :email, :name, :password, :roles, :brand_ids, :teams, :preferences, 0, :must_change, 1, :now, 0)
    ON CONFLICT (email) DO NOTHING"""
)
_BY_ID = Sql(f"SELECT {_FIELDS} FROM users WHERE id = :id")  # noqa: S608 (a constant list of columns)
_BY_EMAIL = Sql(f"SELECT {_FIELDS}, password FROM users WHERE email = :email")  # noqa: S608 (as above)
_ALL = Sql(f"SELECT {_FIELDS} FROM users ORDER BY name, id")  # noqa: S608 (as above)
_COUNT_ADMINS = Sql("""SELECT COUNT(*) FROM users WHERE disabled = 0 AND roles LIKE '%"admin"%' AND id <> :id""")
_COUNT = Sql("SELECT COUNT(*) FROM users")
_UPDATE = Sql(
    """UPDATE users SET name = :name, roles = :roles, brand_ids = :brand_ids, teams = :teams, disabled = :disabled, version = version + 1
    WHERE id = :id AND version = :version"""
)
_PASSWORD = Sql(
    "UPDATE users SET password = :password, must_change = :must_change, version = version + 1 WHERE id = :id"
)
_REHASH = Sql("UPDATE users SET password = :password WHERE id = :id AND password = :before")
_PREFERENCES = Sql("UPDATE users SET preferences = :preferences WHERE id = :id")
_LOGGED_IN = Sql("UPDATE users SET last_login_us = :now WHERE id = :id")
_HASH = Sql("SELECT password FROM users WHERE id = :id")


def add(uow: Uow, user: User, *, password_hash: str, now: datetime) -> None:
    """Keeps a new user. Raises `Conflict` when the address is taken."""
    row: dict[str, Value] = {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "password": password_hash,
        "roles": dump(user.roles),
        "brand_ids": dump(user.brand_ids),
        "teams": dump(user.teams),
        "preferences": dump(dataclasses.asdict(user.preferences)),
        "must_change": int(user.must_change),
        "now": micros(now),
    }
    if not uow.execute(_INSERT, row):
        raise Conflict("Somebody has this address already; change that person, or use another address.", field="email")


def get(reader: Reader, user_id: str) -> User:
    """The user. Raises `NotFound`."""
    found = find(reader, user_id)
    if found is None:
        raise NotFound(f"There is no person {user_id}.", user_id=user_id)
    return found


def find(reader: Reader, user_id: str) -> User | None:
    """The user, if there is one of that id."""
    row = reader.row(_BY_ID, {"id": user_id})
    return _user(row) if row else None


def find_with_hash(reader: Reader, email: str) -> tuple[User, str] | None:
    """The user of an address and the hash of the password."""
    row = reader.row(_BY_EMAIL, {"email": email})
    return (_user(row), str(row[12])) if row else None


def hash_of(reader: Reader, user_id: str) -> str:
    """The hash of a user's password. Raises `NotFound`."""
    row = reader.row(_HASH, {"id": user_id})
    if row is None:
        raise NotFound(f"There is no person {user_id}.", user_id=user_id)
    return str(row[0])


def everybody(reader: Reader) -> list[User]:
    """All users, disabled ones too, by name."""
    return [_user(row) for row in reader.rows(_ALL)]


def count(reader: Reader) -> int:
    """How many there are."""
    row = reader.row(_COUNT)
    return int(row[0] or 0) if row else 0


def other_admins(reader: Reader, user_id: str) -> int:
    """How many enabled administrators there are besides this one."""
    row = reader.row(_COUNT_ADMINS, {"id": user_id})
    return int(row[0] or 0) if row else 0


def change(uow: Uow, user: User, *, version: int) -> None:
    """Keeps name, roles, limits and disabled. Raises `Conflict` when `version` is stale."""
    row: dict[str, Value] = {
        "id": user.id,
        "name": user.name,
        "roles": dump(user.roles),
        "brand_ids": dump(user.brand_ids),
        "teams": dump(user.teams),
        "disabled": int(user.disabled),
        "version": version,
    }
    if not uow.execute(_UPDATE, row):
        raise Conflict(f"{user.name} was changed meanwhile; reload and try again.", field="version", user_id=user.id)


def set_password(uow: Uow, user_id: str, password_hash: str, *, must_change: bool) -> None:
    """Replaces the password."""
    uow.execute(_PASSWORD, {"id": user_id, "password": password_hash, "must_change": int(must_change)})


def rehash(uow: Uow, user_id: str, *, before: str, after: str) -> None:
    """Replaces a hash made with older parameters, unless the password changed meanwhile."""
    uow.execute(_REHASH, {"id": user_id, "password": after, "before": before})


def set_preferences(uow: Uow, user_id: str, preferences: Preferences) -> None:
    """Replaces the preferences."""
    uow.execute(_PREFERENCES, {"id": user_id, "preferences": dump(dataclasses.asdict(preferences))})


def note_login(uow: Uow, user_id: str, now: datetime) -> None:
    """Keeps when the user last signed in."""
    uow.execute(_LOGGED_IN, {"id": user_id, "now": micros(now)})


def _user(row: Row) -> User:
    return User(
        id=str(row[0]),
        email=str(row[1]),
        name=str(row[2]),
        roles=texts(row[3]),
        brand_ids=texts(row[4]),
        teams=texts(row[5]),
        preferences=Preferences.read(load(row[6])),
        disabled=bool(row[7]),
        must_change=bool(row[8]),
        version=int(row[9] or 0),
        created_at=moment(row[10]),
        last_login_at=moment(row[11]),
    )
