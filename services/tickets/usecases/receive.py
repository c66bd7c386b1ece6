"""Puts contacts on tickets, a list at a time: one IN-select and one executemany a table, whatever the number.

The hot path of the service. Called by the consumer inside the transaction that moves its position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from services.kit.uow import Event, Params, Uow
from services.tickets.domain import customer as people
from services.tickets.domain import threads as threading
from services.tickets.domain import ticket
from services.tickets.domain.brand import Directory
from services.tickets.domain.contact import Contact, Identity, Threading
from services.tickets.domain.customer import Customer
from services.tickets.domain.hours import due_us
from services.tickets.domain.ticket import State, Ticket
from services.tickets.store import customers, interactions, tickets
from services.tickets.usecases.acknowledge import acknowledge
from services.tickets.wire import events
from services.tickets.wire import interactions as wire
from services.tickets.wire.values import unpack


@dataclass(slots=True)
class _Batch:
    """What a batch knows and changes, written at its end."""

    now_us: int
    directory: Directory
    owners: dict[str, str]
    customers: dict[str, Customer]
    tickets: dict[str, Ticket]
    threads: dict[str, str]
    known_threads: frozenset[str]
    message_ids: dict[str, list[threading.Known]]
    numbers: dict[int, str]
    next_number: int
    evidence: threading.Evidence  # of the same tickets, threads, ids and numbers, which grow with the batch
    new_customers: dict[str, Customer] = field(default_factory=dict)
    told_customers: dict[str, None] = field(default_factory=dict)
    new_tickets: dict[str, Ticket] = field(default_factory=dict)
    new_threads: dict[str, str] = field(default_factory=dict)
    new_identities: list[tuple[str, Identity, int]] = field(default_factory=list)
    verified: set[str] = field(default_factory=set)
    new_message_ids: list[Params] = field(default_factory=list)


def receive_contacts(uow: Uow, contacts: Sequence[Contact], *, directory: Directory, now_us: int) -> int:
    """Puts each contact on its ticket, opening or reopening one where needed; returns how many were new.

    Idempotent by contact id. Contacts are taken in the order given. Locks customers, then tickets.
    """
    known = interactions.known(uow, [contact.interaction_id for contact in contacts])
    fresh: list[Contact] = []
    for contact in contacts:
        if contact.interaction_id not in known:
            known.add(contact.interaction_id)
            fresh.append(contact)
    if not fresh:
        return 0
    batch = _load(uow, fresh, directory, now_us)
    parked = _parked(uow, fresh)
    revs = iter(uow.next_revs(len(fresh) * 2))
    rows: list[interactions.NewRow] = []
    out: list[Event] = []
    opened_by: dict[str, Contact] = {}
    for contact in fresh:
        customer = _customer(batch, contact)
        on, opened = _ticket(batch, contact, customer)
        ticket.receive(on, contact, interaction_id=contact.interaction_id, now_us=now_us)
        on.rev = next(revs)
        interaction = wire.of_contact(
            contact, on, customer_id=customer.id, seq=on.interactions, rev=on.rev, now_us=now_us
        )
        if parked:
            key = interactions.parent_key(contact.account_id, contact.external_id)
            for act, text, occurred_us in parked.get(key, ()):
                wire.amend(interaction, act, text, occurred_us)
                on.excerpt = wire.last_words(interaction)
        data = wire.packed(interaction)
        rows.append(wire.row(interaction, account_id=contact.account_id, data=data))
        out.append(events.contact_recorded(contact, data, on, opened=opened))
        if opened:
            opened_by[on.id] = contact
    out += _write_people(uow, batch, fresh, revs)
    tickets.next_numbers(uow, len(batch.new_tickets))
    extra_rows, extra_events = acknowledge(
        uow, opened_by, batch.tickets, people=batch.customers, directory=directory, now_us=now_us
    )
    tickets.add(uow, list(batch.new_tickets.values()))
    tickets.save(uow, [one for key, one in batch.tickets.items() if key not in batch.new_tickets])
    tickets.put_threads(uow, batch.new_threads, known=batch.known_threads)
    tickets.put_message_ids(uow, batch.new_message_ids)
    interactions.add(uow, rows + extra_rows)
    interactions.unpark(uow, list(parked))
    uow.emit(*out, *extra_events)
    return len(fresh)


def _load(uow: Uow, fresh: Sequence[Contact], directory: Directory, now_us: int) -> _Batch:
    owners = customers.owners(uow, [i.key for contact in fresh for i in (contact.sender, *contact.identities)])
    found_customers = customers.lock(uow, set(owners.values()))
    thread_keys = {key for contact in fresh if (key := threading.thread_key(contact))}
    found_threads = tickets.threads(uow, thread_keys)
    mail_ids = {one for c in fresh for one in (*c.ancestors, c.message_id) if one}
    message_ids = tickets.message_ids(uow, mail_ids)
    numbers = tickets.by_number(uow, {contact.subject_number for contact in fresh if contact.subject_number})
    wanted = {contact.token_ticket_id for contact in fresh if contact.token_ticket_id}
    wanted.update(found_threads.values(), numbers.values())
    wanted.update(known.ticket_id for several in message_ids.values() for known in several)
    found_tickets = tickets.lock(uow, wanted, unpack)
    if any(on.state is State.CLOSED for on in found_tickets.values()) and thread_keys:
        # Whoever held the lock may have begun the conversation's next ticket.
        found_threads = tickets.threads(uow, thread_keys)
        found_tickets |= tickets.lock(uow, set(found_threads.values()) - found_tickets.keys(), unpack)
    evidence = threading.Evidence(
        tickets=found_tickets,
        message_ids=message_ids,
        numbers=numbers,
        conversations=found_threads,
        takes_part=_participation(uow, owners, set(found_tickets)),
    )
    return _Batch(
        now_us=now_us,
        directory=directory,
        owners=owners,
        customers=found_customers,
        tickets=found_tickets,
        threads=found_threads,
        known_threads=frozenset(found_threads),
        message_ids=message_ids,
        numbers=numbers,
        next_number=tickets.next_numbers(uow, 0).stop,
        evidence=evidence,
    )


def _participation(uow: Uow, owners: dict[str, str], stored: set[str]) -> Callable[[Ticket, Contact], bool]:
    """Whether a contact's sender is the ticket's customer or stands on one of its messages; looked up only when asked."""
    addresses: dict[str, set[str]] = {}

    def takes_part(on: Ticket, contact: Contact) -> bool:
        if owners.get(contact.sender.key) == on.customer_id:
            return True
        if on.id not in addresses:
            kept = interactions.of_tickets(uow, [on.id]) if on.id in stored else []
            addresses[on.id] = {a for one in kept if one.kind == "message" for a in wire.addresses_of(one.data)}
        return contact.sender.value.lower() in addresses[on.id]

    return takes_part


def _parked(uow: Uow, fresh: Sequence[Contact]) -> dict[str, list[tuple[str, str, int]]]:
    keys = [
        interactions.parent_key(contact.account_id, contact.external_id) for contact in fresh if contact.external_id
    ]
    found: dict[str, list[tuple[str, str, int]]] = {}
    for key, _, act, text, occurred_us in interactions.parked(uow, keys):
        assert isinstance(occurred_us, int)
        found.setdefault(str(key), []).append((str(act), str(text), occurred_us))
    return found


def _customer(batch: _Batch, contact: Contact) -> Customer:
    """The sender: known by their own address alone; other addresses they claim open nobody's history."""
    customer_id = batch.owners.get(contact.sender.key) if contact.sender.value else None
    customer = batch.customers.get(customer_id) if customer_id else None
    if customer is None:
        customer = people.begin(contact, f"cus_{contact.suffix}")
        batch.new_customers[customer.id] = batch.customers[customer.id] = customer
    learned = people.learn(customer, contact, taken=batch.owners.keys())
    for identity in learned.added:
        batch.owners[identity.key] = customer.id
        batch.new_identities.append((customer.id, identity, contact.received_us))
    batch.verified.update(identity.key for identity in learned.verified)
    if learned.changed:
        batch.told_customers[customer.id] = None
    return customer


def _ticket(batch: _Batch, contact: Contact, customer: Customer) -> tuple[Ticket, bool]:
    decision = threading.decide(contact, customer.id, batch.evidence)
    on = batch.tickets.get(decision.ticket_id) if decision.ticket_id else None
    opened = on is None
    if on is None:
        brand = batch.directory.brand(contact.brand_id)
        on = ticket.opened(
            contact,
            ticket_id=f"tkt_{contact.suffix}",
            number=batch.next_number,
            customer_id=customer.id,
            promise_us=due_us(brand.hours, contact.received_us, brand.first_response_minutes)
            if contact.by_person
            else 0,
            follows=decision.follows,
        )
        batch.next_number += 1
        batch.new_tickets[on.id] = batch.tickets[on.id] = on
        batch.numbers[on.number] = on.id
        if key := threading.thread_key(contact):
            batch.threads[key] = batch.new_threads[key] = on.id
    _remember_ids(batch, contact, on)
    return on, opened


def _remember_ids(batch: _Batch, contact: Contact, on: Ticket) -> None:
    """Keeps a mail's own id, and ids it names that nobody has seen, by which an older mail that comes late finds it."""
    if contact.threading is not Threading.MAIL:
        return
    named = [one for one in contact.ancestors if one and one not in batch.message_ids]
    for message_id, how in ((contact.message_id, threading.THEIRS), *((one, threading.NAMED) for one in named)):
        if not message_id:
            continue
        batch.message_ids.setdefault(message_id, []).append(threading.Known(on.id, how))
        batch.new_message_ids.append(
            {"message_id": message_id, "ticket_id": on.id, "brand_id": on.brand_id, "how": how}
        )


def _write_people(uow: Uow, batch: _Batch, fresh: Sequence[Contact], revs: Iterator[int]) -> list[Event]:
    """Writes customers and their addresses; returns one event for each that really changed."""
    last_of = {batch.owners.get(contact.sender.key, ""): contact for contact in fresh}
    out: list[Event] = []
    for customer_id in batch.told_customers:
        customer = batch.customers[customer_id]
        customer.rev = next(revs)
        contact = last_of.get(customer_id)
        out.append(
            events.customer_changed(
                customer,
                live=contact.live if contact else True,
                trace_id=contact.trace_id if contact else "",
            )
        )
    customers.add(uow, batch.new_customers.values())
    customers.save(uow, [one for key, one in batch.customers.items() if key not in batch.new_customers])
    customers.add_identities(uow, batch.new_identities)
    customers.verify(uow, batch.verified)
    return out
