"""Rows of brands, accounts, their secrets, access keys and cursors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.intake.domain.brand import Brand, Holiday, Hours, Opening
from services.intake.store.columns import Columns
from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow, Value

_BRANDS = Sql("SELECT id, slug, name, data, version FROM brands ORDER BY id")
_PUT_BRAND = Sql(
    "INSERT INTO brands (id, slug, name, data, version) VALUES (:id, :slug, :name, :data, :version)"
    " ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, data = excluded.data,"
    " version = excluded.version"
)
_TABLE = Columns(
    "id, brand_id, channel, address, address_key, state, settings, off_message, version, last_success_us, last_error,"
    " last_error_us, last_in_us, last_out_us"
)
_ACCOUNTS = _TABLE.sql("SELECT $COLUMNS FROM accounts ORDER BY id")
_PUT_ACCOUNT = Sql(
    "INSERT INTO accounts (id, brand_id, channel, address, address_key, state, settings, off_message, version,"
    " last_success_us, last_error, last_error_us, last_in_us, last_out_us) VALUES (:id, :brand_id, :channel, :address,"
    " :address_key, :state, :settings, :off_message, :version, 0, '', 0, 0, 0)"
    " ON CONFLICT (id) DO UPDATE SET address = excluded.address, address_key = excluded.address_key,"
    " state = excluded.state, settings = excluded.settings, off_message = excluded.off_message,"
    " version = excluded.version"
)
_SECRETS = Sql("SELECT account_id, name, sealed FROM account_secrets")
_PUT_SECRET = Sql(
    "INSERT INTO account_secrets (account_id, name, sealed) VALUES (:account_id, :name, :sealed)"
    " ON CONFLICT (account_id, name) DO UPDATE SET sealed = excluded.sealed"
)
_DROP_SECRET = Sql("DELETE FROM account_secrets WHERE account_id = :account_id AND name = :name")
_HEALTH = Sql(
    "UPDATE accounts SET last_success_us = CASE WHEN :success_us > 0 THEN :success_us ELSE last_success_us END,"
    " last_error = CASE WHEN :error_us > 0 THEN :error WHEN :success_us > 0 THEN '' ELSE last_error END,"
    " last_error_us = CASE WHEN :error_us > 0 THEN :error_us ELSE last_error_us END,"
    " last_in_us = CASE WHEN :in_us > last_in_us THEN :in_us ELSE last_in_us END,"
    " last_out_us = CASE WHEN :out_us > last_out_us THEN :out_us ELSE last_out_us END WHERE id = :id"
)
_KEYS = Sql("SELECT id, hash, scopes FROM access_keys")
_DROP_KEYS = Sql("DELETE FROM access_keys")
_PUT_KEY = Sql("INSERT INTO access_keys (id, hash, scopes) VALUES (:id, :hash, :scopes)")
_MARK = Sql(
    "SELECT (SELECT count(*) FROM brands), (SELECT sum(version) FROM brands), (SELECT count(*) FROM accounts),"
    " (SELECT sum(version) FROM accounts), (SELECT count(*) FROM access_keys), (SELECT min(id) FROM access_keys),"
    " (SELECT max(id) FROM access_keys)"
)
_CURSOR = Sql("SELECT cursor FROM cursors WHERE account_id = :account_id")
_MOVE = Sql(
    "INSERT INTO cursors (account_id, cursor, moved_us) VALUES (:account_id, :cursor, :now_us)"
    " ON CONFLICT (account_id) DO UPDATE SET cursor = excluded.cursor, moved_us = excluded.moved_us"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One account as stored; secrets are beside it."""

    id: str
    brand_id: str
    channel: str
    address: str
    address_key: str
    state: str
    settings: Mapping[str, str]
    off_message: str
    version: int
    last_success_us: int = 0
    last_error: str = ""
    last_error_us: int = 0
    last_in_us: int = 0
    last_out_us: int = 0


def brands(reader: Reader) -> list[Brand]:
    """All brands, oldest first."""
    found = []
    for brand_id, slug, name, data, version in reader.rows(_BRANDS):
        rest = json.loads(str(data))
        hours = rest.pop("hours")
        rest["hours"] = Hours(
            tuple(Opening(**opening) for opening in hours["openings"]),
            tuple(Holiday(**holiday) for holiday in hours["holidays"]),
        )
        rest["languages"] = tuple(rest["languages"])
        found.append(Brand(id=str(brand_id), slug=str(slug), name=str(name), version=int(version or 0), **rest))
    return found


def put_brand(uow: Uow, brand: Brand) -> None:
    """Writes one brand whole."""
    data = asdict(brand)
    for name in ("id", "slug", "name", "version"):
        del data[name]
    uow.execute(
        _PUT_BRAND,
        {
            "id": brand.id,
            "slug": brand.slug,
            "name": brand.name,
            "data": json.dumps(data),
            "version": brand.version,
        },
    )


def accounts(reader: Reader) -> list[AccountRow]:
    """All accounts, oldest first."""
    found = []
    for row in reader.rows(_ACCOUNTS):
        values: dict[str, Any] = dict(_TABLE.values(row))
        values["settings"] = json.loads(str(values["settings"]))
        found.append(AccountRow(**values))
    return found


def put_account(uow: Uow, account: AccountRow, sealed: Mapping[str, bytes]) -> None:
    """Writes one account; `sealed` secrets replace their namesakes, empty ones remove them."""
    uow.execute(
        _PUT_ACCOUNT,
        {
            "id": account.id,
            "brand_id": account.brand_id,
            "channel": account.channel,
            "address": account.address,
            "address_key": account.address_key,
            "state": account.state,
            "settings": json.dumps(dict(account.settings)),
            "off_message": account.off_message,
            "version": account.version,
        },
    )
    for name, value in sealed.items():
        if value:
            uow.execute(_PUT_SECRET, {"account_id": account.id, "name": name, "sealed": value})
        else:
            uow.execute(_DROP_SECRET, {"account_id": account.id, "name": name})


def secrets(reader: Reader) -> dict[str, dict[str, bytes]]:
    """Sealed secrets by account and name."""
    found: dict[str, dict[str, bytes]] = {}
    for account_id, name, sealed in reader.rows(_SECRETS):
        found.setdefault(str(account_id), {})[str(name)] = sealed if isinstance(sealed, bytes) else b""
    return found


def note_health(
    uow: Uow,
    account_id: str,
    *,
    success_us: int = 0,
    error: str = "",
    error_us: int = 0,
    in_us: int = 0,
    out_us: int = 0,
) -> None:
    """Notes what just happened at an account; zeros change nothing."""
    uow.execute(
        _HEALTH,
        {
            "id": account_id,
            "success_us": success_us,
            "error": error,
            "error_us": error_us,
            "in_us": in_us,
            "out_us": out_us,
        },
    )


def access_keys(reader: Reader) -> dict[bytes, tuple[str, frozenset[str]]]:
    """Id and scopes by hash of the token."""
    return {
        bytes(hashed) if isinstance(hashed, bytes) else b"": (str(key_id), frozenset(str(scopes).split()))
        for key_id, hashed, scopes in reader.rows(_KEYS)
    }


def replace_access_keys(uow: Uow, keys: Sequence[tuple[str, bytes, Sequence[str]]]) -> None:
    """Makes `keys` (id, hash, scopes) all there are."""
    uow.execute(_DROP_KEYS)
    uow.execute_many(
        _PUT_KEY, [{"id": key, "hash": hashed, "scopes": " ".join(scopes)} for key, hashed, scopes in keys]
    )


def mark(reader: Reader) -> tuple[Value, ...]:
    """What differs once a brand, an account or the access keys were changed by anybody."""
    return tuple(reader.row(_MARK) or ())


def cursor(reader: Reader, account_id: str) -> str:
    """The cursor stored last; empty at first."""
    row = reader.row(_CURSOR, {"account_id": account_id})
    return str(row[0]) if row else ""


def move_cursor(uow: Uow, account_id: str, value: str, now_us: int) -> None:
    """Stores a cursor."""
    uow.execute(_MOVE, {"account_id": account_id, "cursor": value, "now_us": now_us})
