"""What several verbs share: who acts and when, and a ticket locked for somebody who may see it."""

from __future__ import annotations

from dataclasses import dataclass

from services.kit.errors import NotFound
from services.kit.principal import Person
from services.kit.uow import Reader, Uow
from services.tickets.domain.ticket import Ticket
from services.tickets.store import tickets
from services.tickets.store.audit import Entry
from services.tickets.wire.values import unpack


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts and when, with ids drawn beforehand: a transaction can be run again."""

    person: Person
    now_us: int
    ids: tuple[str, ...]
    audit_id: str

    def entry(self, act: str, object_id: str, detail: str = "") -> Entry:
        """The audit line of this act."""
        return Entry(self.audit_id, self.now_us, self.person.user_id, act, object_id, detail)


def no_ticket(ticket_id: str) -> NotFound:
    """The same answer for a ticket that is not there and one of a brand the caller does not see."""
    return NotFound(f"There is no ticket {ticket_id}.", ticket_id=ticket_id)


def lock_ticket(uow: Uow, ticket_id: str, person: Person) -> Ticket:
    """The ticket, locked. Raises `NotFound` when there is none that `person` may see."""
    on = tickets.lock(uow, [ticket_id], unpack).get(ticket_id)
    if on is None or not person.sees_brand(on.brand_id):
        raise no_ticket(ticket_id)
    return on


def find_ticket(reader: Reader, ticket_id: str, person: Person) -> Ticket:
    """The ticket as it is now. Raises `NotFound` when there is none that `person` may see."""
    on = tickets.get(reader, [ticket_id], unpack).get(ticket_id)
    if on is None or not person.sees_brand(on.brand_id):
        raise no_ticket(ticket_id)
    return on
