"""Which ticket a contact enters. Strongest evidence first, and never an empty key.

A mail enters by the signed token of its address or Message-ID, then by an ancestor it names, then by the number in
its subject. Our own Message-IDs are signed, so naming one proves it was received; anybody may know a customer's, so
naming one counts only from somebody who takes part. What fails the test opens a new ticket that says what it follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.tickets.domain.contact import Contact, Threading
from services.tickets.domain.ticket import State, Ticket


@dataclass(frozen=True, slots=True)
class Known:
    """A Message-ID seen before. `how`: 1 of our own, 2 of a contact, 3 only named by one."""

    ticket_id: str
    how: int


OURS, THEIRS, NAMED = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Decision:
    """The ticket a contact enters, or empty for a new one; `follows` is what a new one links to."""

    ticket_id: str = ""
    follows: str = ""


_NEW = Decision()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the store knows of the keys a contact brings."""

    tickets: Mapping[str, Ticket]
    message_ids: Mapping[str, Sequence[Known]]
    numbers: Mapping[int, str]
    conversations: Mapping[str, str]
    takes_part: Callable[[Ticket, Contact], bool]


def thread_key(contact: Contact) -> str:
    """The key of a conversation's current ticket; empty when the channel has none."""
    if contact.threading is not Threading.CONVERSATION or not contact.conversation:
        return ""
    return f"{contact.account_id}\x1f{contact.conversation}"


def decide(contact: Contact, customer_id: str, evidence: Evidence) -> Decision:
    """Where the contact goes, given what is known."""
    if contact.threading is Threading.CONVERSATION:
        key = thread_key(contact)
        return _enter(contact, evidence, evidence.conversations.get(key, "") if key else "")
    if contact.threading is not Threading.MAIL:
        return _NEW
    if contact.token_ticket_id:
        decision = _enter(contact, evidence, contact.token_ticket_id)
        if decision != _NEW:
            return decision
    found, link = _by_message_ids(contact, customer_id, evidence)
    if found:
        return _enter(contact, evidence, found)
    by_number = evidence.numbers.get(contact.subject_number, "") if contact.subject_number else ""
    ticket = evidence.tickets.get(by_number)
    if ticket is not None and ticket.brand_id == contact.brand_id:
        if evidence.takes_part(ticket, contact):
            return _enter(contact, evidence, by_number)
        link = link or by_number
    return Decision(follows=link)


def _by_message_ids(contact: Contact, customer_id: str, evidence: Evidence) -> tuple[str, str]:
    """The ticket that an ancestor proves, and else the one it only names."""
    link = ""
    for ancestor in contact.ancestors:
        for known in evidence.message_ids.get(ancestor, ()) if ancestor else ():
            ticket = evidence.tickets.get(known.ticket_id)
            if ticket is None or ticket.brand_id != contact.brand_id:
                continue
            if (
                known.how == OURS
                or (known.how == THEIRS and evidence.takes_part(ticket, contact))
                or (known.how == NAMED and ticket.customer_id == customer_id)
            ):
                return known.ticket_id, ""
            if known.how == THEIRS:
                link = link or known.ticket_id
    for known in evidence.message_ids.get(contact.message_id, ()) if contact.message_id else ():
        ticket = evidence.tickets.get(known.ticket_id)
        if known.how == NAMED and ticket is not None and ticket.customer_id == customer_id:
            return known.ticket_id, ""
    return "", link


def _enter(contact: Contact, evidence: Evidence, ticket_id: str) -> Decision:
    ticket = evidence.tickets.get(ticket_id)
    if ticket is None or ticket.brand_id != contact.brand_id:
        return _NEW
    if ticket.state is State.CLOSED:
        return Decision(follows=ticket_id)
    return Decision(ticket_id=ticket_id)
