"""A person who writes to us and the addresses we know them by.

An address is unique by kind, value and scope. What a contact claims beside its sender's address joins that customer
only if nobody has it yet: an unverified claim never opens another person's history.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from services.tickets.domain.contact import Contact, Identity


@dataclass(slots=True)
class Customer:
    """Mutable only inside one transaction. `brands` are those the person has written to."""

    id: str
    name: str = ""
    language: str = ""
    notes: str = ""
    first_us: int = 0
    last_us: int = 0
    version: int = 1
    rev: int = 0
    brands: tuple[str, ...] = ()
    person: bytes = b""  # keyed hash of their first address, carried by their events
    identities: list[Identity] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a contact taught about its sender: addresses to add, addresses now proven, whether anything shown changed."""

    added: tuple[Identity, ...] = ()
    verified: tuple[Identity, ...] = ()
    changed: bool = False


def learn(customer: Customer, contact: Contact, *, taken: Collection[str]) -> Learned:
    """Brings `customer` up to date with a contact of theirs. `taken`: keys of addresses that belong to anybody already."""
    added: list[Identity] = []
    verified: list[Identity] = []
    known = {identity.key: place for place, identity in enumerate(customer.identities)}
    for identity in (contact.sender, *contact.identities):
        key = identity.key
        place = known.get(key)
        if place is not None:
            if identity.verified and not customer.identities[place].verified:
                customer.identities[place] = replace(customer.identities[place], verified=True)
                verified.append(customer.identities[place])
        elif identity.value and key not in taken:
            known[key] = len(customer.identities)
            customer.identities.append(identity)
            added.append(identity)
    changed = bool(added or verified)
    if contact.sender.name and not customer.name:
        customer.name = contact.sender.name[:200]
        changed = True
    if contact.language and not customer.language:
        customer.language = contact.language
        changed = True
    if contact.brand_id not in customer.brands:
        customer.brands = (*customer.brands, contact.brand_id)
        changed = True
    customer.last_us = max(customer.last_us, contact.received_us)
    if changed:
        customer.version += 1
    return Learned(added=tuple(added), verified=tuple(verified), changed=changed)


def begin(contact: Contact, customer_id: str) -> Customer:
    """A customer nobody knew: everything is taken over by the `learn` that follows."""
    return Customer(
        id=customer_id, first_us=contact.received_us, last_us=contact.received_us, version=0, person=contact.person_hash
    )
