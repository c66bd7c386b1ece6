"""Customers and identities. One IN-select finds the owners of a batch's addresses; redirects are followed on read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from services.kit.db.sql import Sql
from services.kit.uow import Params, Reader, Row, Uow
from services.tickets.domain.contact import Identity
from services.tickets.domain.customer import Customer

_COLUMNS = "id, name, language, notes, first_us, last_us, version, rev, brands, person"
_OWNERS = Sql("SELECT identity_key, customer_id FROM identities WHERE identity_key IN (:keys...)")
_LOCK = Sql(f"SELECT {_COLUMNS} FROM customers WHERE id IN (:ids...) ORDER BY id FOR UPDATE")  # noqa: S608 - fixed names
_GET = Sql(f"SELECT {_COLUMNS} FROM customers WHERE id IN (:ids...)")  # noqa: S608 - fixed names
_IDENTITIES = Sql(
    "SELECT customer_id, kind, value, scope, name, verified, source FROM identities"
    " WHERE customer_id IN (:ids...) ORDER BY seen_us, identity_key"
)
_INSERT = Sql(
    "INSERT INTO customers (id, name, language, notes, first_us, last_us, version, rev, brands, person)"
    " VALUES (:id, :name, :language, :notes, :first_us, :last_us, :version, :rev, :brands, :person)"
)
_UPDATE = Sql(
    "UPDATE customers SET name = :name, language = :language, notes = :notes, last_us = :last_us,"
    " version = :version, rev = :rev, brands = :brands WHERE id = :id"
)
_ADD_IDENTITY = Sql(
    "INSERT INTO identities (identity_key, customer_id, kind, value, scope, name, verified, source, seen_us)"
    " VALUES (:identity_key, :customer_id, :kind, :value, :scope, :name, :verified, :source, :seen_us)"
)
_VERIFY = Sql("UPDATE identities SET verified = 1 WHERE identity_key = :identity_key")
_REDIRECTS = Sql("SELECT id, into_id FROM customer_redirects WHERE id IN (:ids...)")
_SCAN = Sql(f"SELECT {_COLUMNS} FROM customers WHERE rev > :after ORDER BY rev LIMIT :limit")  # noqa: S608 - fixed names
_COUNT = Sql("SELECT COUNT(*) FROM customers")
_NAMES = Sql("SELECT id, name FROM customers WHERE id IN (:ids...)")


def owners(reader: Reader, keys: Collection[str]) -> dict[str, str]:
    """Whose each address is, merged customers followed."""
    if not keys:
        return {}
    found = {str(k): str(c) for k, c in reader.rows(_OWNERS, {"keys": list(keys)})}
    if not found:
        return found
    into = redirects(reader, set(found.values()))
    return {key: into.get(customer, customer) for key, customer in found.items()} if into else found


def redirects(reader: Reader, ids: Collection[str]) -> dict[str, str]:
    """Where merged customers went, chains followed, cycles cut."""
    found: dict[str, str] = {}
    asked: set[str] = set()
    waiting = set(ids)
    while waiting:
        asked |= waiting
        step = {str(old): str(new) for old, new in reader.rows(_REDIRECTS, {"ids": sorted(waiting)})}
        found |= step
        waiting = set(step.values()) - asked
    resolved: dict[str, str] = {}
    for start in ids:
        here, seen = start, {start}
        while here in found and found[here] not in seen:
            here = found[here]
            seen.add(here)
        if here != start:
            resolved[start] = here
    return resolved


def _load(reader: Reader, statement: Sql, ids: Collection[str], *, identities: bool = True) -> dict[str, Customer]:
    if not ids:
        return {}
    found: dict[str, Customer] = {}
    for row in reader.rows(statement, {"ids": sorted(ids)}):
        found[str(row[0])] = _of_row(row)
    if identities:
        with_identities(reader, found)
    return found


def _of_row(row: Row) -> Customer:
    values: list[Any] = list(row)
    values[8] = tuple(values[8].split())
    return Customer(*values)


def with_identities(reader: Reader, customers: dict[str, Customer]) -> None:
    """Loads the addresses of these customers."""
    if not customers:
        return
    for customer_id, kind, value, scope, name, verified, source in reader.rows(_IDENTITIES, {"ids": sorted(customers)}):
        customers[str(customer_id)].identities.append(
            Identity(str(kind), str(value), str(scope), str(name), bool(verified), str(source))
        )


def lock(uow: Uow, ids: Collection[str]) -> dict[str, Customer]:
    """Locks customers for the rest of the transaction and returns them with their addresses."""
    return _load(uow, _LOCK, ids)


def get(reader: Reader, ids: Collection[str]) -> dict[str, Customer]:
    """Customers with their addresses, without a lock."""
    return _load(reader, _GET, ids)


def _values(customer: Customer) -> Params:
    return {
        "id": customer.id,
        "name": customer.name,
        "language": customer.language,
        "notes": customer.notes,
        "first_us": customer.first_us,
        "last_us": customer.last_us,
        "version": customer.version,
        "rev": customer.rev,
        "brands": " ".join(customer.brands),
        "person": customer.person,
    }


def add(uow: Uow, customers: Iterable[Customer]) -> None:
    """Inserts new customers."""
    rows = [_values(customer) for customer in customers]
    if rows:
        uow.execute_many(_INSERT, rows)


def save(uow: Uow, customers: Iterable[Customer]) -> None:
    """Writes locked customers back."""
    rows = [_values(customer) for customer in customers]
    if rows:
        uow.execute_many(_UPDATE, rows)


def add_identities(uow: Uow, rows: Sequence[tuple[str, Identity, int]]) -> None:
    """Adds addresses: customer id, address, when seen. One taken meanwhile ends the transaction, which is then run again."""
    if rows:
        uow.execute_many(
            _ADD_IDENTITY,
            [
                (one.key, customer_id, one.kind, one.value, one.scope, one.name, int(one.verified), one.source, seen_us)
                for customer_id, one, seen_us in rows
            ],
        )


def verify(uow: Uow, keys: Collection[str]) -> None:
    """Marks addresses as proven."""
    if keys:
        uow.execute_many(_VERIFY, [{"identity_key": key} for key in sorted(keys)])


def names(reader: Reader, ids: Collection[str]) -> dict[str, str]:
    """Names for rows."""
    return {str(i): str(n) for i, n in reader.rows(_NAMES, {"ids": sorted(ids)})} if ids else {}


def scan(reader: Reader, after_rev: int, limit: int) -> list[Customer]:
    """A page of everybody, by rev."""
    found = {str(row[0]): _of_row(row) for row in reader.rows(_SCAN, {"after": after_rev, "limit": limit})}
    with_identities(reader, found)
    return list(found.values())


def count(reader: Reader) -> int:
    """How many customers there are."""
    row = reader.row(_COUNT)
    return int(row[0]) if row and isinstance(row[0], int) else 0
