"""Questions about tickets and customers. Everything is filtered by the brands of who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.kit.errors import NotFound
from services.kit.principal import Person
from services.kit.uow import Reader
from services.tickets.domain.customer import Customer
from services.tickets.domain.ticket import Ticket
from services.tickets.store import customers, interactions, lists, tickets
from services.tickets.store.interactions import Kept
from services.tickets.store.lists import Filter
from services.tickets.usecases.common import find_ticket, no_ticket
from services.tickets.usecases.customers import find_customers
from services.tickets.wire.values import unpack

_OTHERS = 20
_RECENT_ROWS = 3000  # newest rows looked through when the index is away: 60 ms on two cores


@dataclass(frozen=True, slots=True)
class Whole:
    """A ticket with all that belongs to it."""

    ticket: Ticket
    interactions: Sequence[Kept]
    customer: Customer | None
    others: Sequence[Ticket]


def list_tickets(
    reader: Reader, person: Person, wanted: Filter, *, after: str, limit: int, now_us: int
) -> tuple[list[Ticket], dict[str, str], str, int]:
    """A page of tickets, their customers' names, the next cursor, and how many there are in all."""
    rows, following = lists.page(reader, wanted, person, after=after, limit=limit)
    found = [tickets.of_row(row, unpack) for row in rows]
    total, _ = lists.count(reader, wanted, person, now_us=now_us)
    return found, customers.names(reader, {one.customer_id for one in found}), following, total


def get_ticket(reader: Reader, person: Person, *, ticket_id: str, number: int) -> Whole:
    """A ticket by id or number, its interactions oldest first, its customer and their other open tickets."""
    if not ticket_id and number:
        ticket_id = tickets.by_number(reader, [number]).get(number, "")
        if not ticket_id:
            raise no_ticket(f"#{number}")
    on = find_ticket(reader, ticket_id, person)
    customer = customers.get(reader, [on.customer_id]).get(on.customer_id) if on.customer_id else None
    others: list[Ticket] = []
    if customer is not None:
        rows, _ = lists.page(
            reader, Filter(customer_id=customer.id, states=(1, 2, 3, 4), sort="newest"), person, after="", limit=_OTHERS
        )
        others = [one for one in (tickets.of_row(row, unpack) for row in rows) if one.id != on.id]
    return Whole(on, interactions.of_tickets(reader, [on.id]), customer, others)


def get_tickets(reader: Reader, person: Person, ids: Sequence[str]) -> tuple[list[Ticket], dict[str, str]]:
    """Tickets in the order asked; unknown and forbidden ones are left out."""
    found = tickets.get(reader, set(ids), unpack)
    seen = [found[one] for one in dict.fromkeys(ids) if one in found and person.sees_brand(found[one].brand_id)]
    return seen, customers.names(reader, {one.customer_id for one in seen})


def count_views(
    reader: Reader, person: Person, *, user_id: str, teams: Sequence[str], brand_id: str, now_us: int
) -> tuple[dict[str, int], dict[str, int]]:
    """For each view how many tickets, and how many of them are late."""
    counts: dict[str, int] = {}
    late: dict[str, int] = {}
    asking = replace(person, user_id=user_id) if user_id else person
    for view in lists.VIEWS:
        wanted = Filter(view=view, brand_id=brand_id, teams=tuple(teams))
        counts[view], late[view] = lists.count(reader, wanted, asking, now_us=now_us)
    return counts, late


@dataclass(frozen=True, slots=True)
class History:
    """A customer and what passed between us."""

    customer: Customer
    tickets: Sequence[Ticket]
    interactions: Sequence[Kept]
    following: str
    total: int


def get_customer(reader: Reader, person: Person, customer_id: str, *, after: str, limit: int, now_us: int) -> History:
    """A customer with a page of their tickets, newest first, and their last interactions anywhere the person may look."""
    found = find_customers(reader, person, [customer_id])
    if not found:
        raise NotFound(f"There is no customer {customer_id}.", customer_id=customer_id)
    customer = found[0]
    wanted = Filter(customer_id=customer.id, sort="newest")
    rows, following = lists.page(reader, wanted, person, after=after, limit=limit)
    total, _ = lists.count(reader, wanted, person, now_us=now_us)
    brands = [brand for brand in customer.brands if person.sees_brand(brand)]
    recent = interactions.of_customer(reader, customer.id, brands, 20)
    return History(customer, [tickets.of_row(row, unpack) for row in rows], recent, following, total)


def recent_interactions(reader: Reader, person: Person, *, brand_id: str, newest: int) -> list[Kept]:
    """The newest messages and notes the person may read, at most `newest` (0: as many as time allows), to look through."""
    brands = set(person.brand_ids)
    if brand_id:
        if not person.sees_brand(brand_id):
            return []
        brands = {brand_id}
    return interactions.recent(reader, min(newest or _RECENT_ROWS, _RECENT_ROWS), brands)
