"""Changes what we know of a customer. Only people who work for one of their brands may."""

from __future__ import annotations

from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.principal import Person
from services.kit.uow import Reader, Uow
from services.tickets.domain.customer import Customer
from services.tickets.store import audit, customers
from services.tickets.usecases.common import Act
from services.tickets.wire import events
from services.tickets.wire.values import customer as customer_message


def visible(person: Person, customer: Customer) -> bool:
    """Whether the person works for a brand the customer wrote to."""
    return not person.brand_ids or any(person.sees_brand(brand) for brand in customer.brands)


def find_customers(reader: Reader, person: Person, ids: list[str]) -> list[Customer]:
    """Customers in the order asked, merged ones followed; those the person may not see are left out."""
    into = customers.redirects(reader, ids)
    wanted = list(dict.fromkeys(into.get(one, one) for one in ids))
    found = customers.get(reader, wanted)
    return [found[one] for one in wanted if one in found and visible(person, found[one])]


def change_customer(
    uow: Uow,
    act: Act,
    *,
    customer_id: str,
    version: int,
    name: str | None,
    notes: str | None,
    language: str | None,
) -> Customer:
    """Makes the change. Raises `Conflict` with the present customer when the version given is stale; 0 is not checked."""
    customer = customers.lock(uow, [customer_id]).get(customer_id)
    if customer is None or not visible(act.person, customer):
        raise NotFound(f"There is no customer {customer_id}.", customer_id=customer_id)
    if version and version != customer.version:
        raise Conflict(
            "This customer was changed meanwhile: look again.",
            detail=customer_message(customer).SerializeToString(),
            customer_id=customer_id,
        )
    before = (customer.name, customer.notes, customer.language)
    if name is not None:
        if len(name) > 200:
            raise Invalid("A name has at most 200 characters.", field="name")
        customer.name = " ".join(name.split())
    if notes is not None:
        if len(notes) > 20_000:
            raise Invalid("Notes have at most 20,000 characters.", field="notes")
        customer.notes = notes
    if language is not None:
        customer.language = language[:2].lower()
    if before == (customer.name, customer.notes, customer.language):
        return customer
    customer.version += 1
    customer.rev = uow.next_revs()[0]
    customers.save(uow, [customer])
    audit.add(uow, [act.entry("customer.changed", customer.id)])
    uow.emit(events.customer_changed(customer))
    return customer
