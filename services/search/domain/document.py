"""What is indexed: one document per message, note, ticket, mention and customer, each with its owner's `rev`.

A message carries the facts of its ticket (state, assignee, tags…), so that a filter is one look-up; when the facts
change, the ticket's messages are composed anew from what the index keeps of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MESSAGE, NOTE, TICKET, MENTION, CUSTOMER = "message", "note", "ticket", "mention", "customer"
KINDS = (MESSAGE, NOTE, TICKET, MENTION, CUSTOMER)
OF_A_TICKET = frozenset({MESSAGE, NOTE})
WITH_FACTS = OF_A_TICKET | {TICKET}

# What a caller needs beside `search:read` to be shown a kind.
PRIVATE_KINDS = {NOTE: "tickets:read", CUSTOMER: "tickets:read"}


@dataclass(slots=True)
class Facts:
    """What a ticket's messages share with it. Times are microseconds since 1970, 0 for none."""

    rev: int = 0
    number: int = 0
    subject: str = ""
    state: str = ""
    assignee: str = ""
    team: str = ""
    tags: tuple[str, ...] = ()
    customer_id: str = ""
    channel: str = ""
    brand_id: str = ""
    account_id: str = ""
    tone: str = ""
    opened_us: int = 0
    solved_us: int = 0
    due_us: int = 0
    order: str = ""

    def same_but_rev(self, other: Facts) -> bool:
        """Whether messages composed with `other` need no change."""
        return self == replace(other, rev=self.rev)


@dataclass(slots=True)
class Document:
    """One thing to be found. A tombstone (`deleted`) has nothing but id, kind, rev and ticket.

    Whoever makes one may still add the facts of its ticket; then it is never changed. `frozen` alone would cost 4 µs at
    each making of so many fields.
    """

    id: str
    kind: str
    rev: int
    deleted: bool = False
    ticket_id: str = ""
    title: str = ""
    subject: str = ""  # of the ticket, for messages
    order: str = ""
    text: str = ""
    language: str = ""
    author: str = ""  # shown: who wrote it, as they called themselves
    author_id: str = ""
    sender: str = ""  # names and addresses, for from:
    recipients: str = ""  # for to:
    files: str = ""  # names of attachments
    codes: tuple[str, ...] = ()  # beside those found in text and title
    occurred_us: int = 0
    direction: str = ""
    channel: str = ""
    brand_ids: tuple[str, ...] = ()
    account_id: str = ""
    customer_id: str = ""
    state: str = ""
    agent: str = ""
    team: str = ""
    tone: str = ""
    tags: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()  # attachment, automatic
    number: int = 0
    opened_us: int = 0
    solved_us: int = 0
    due_us: int = 0


@dataclass(slots=True)
class Change:
    """What an event or a scanned row says: the newest of a document, and of its ticket's facts."""

    document: Document | None = None
    facts: Facts | None = None
    ticket_id: str = ""


def add_facts(document: Document, facts: Facts) -> Document:
    """Puts a message on its ticket: what the two share is the ticket's word, whatever it was before.

    Fills the document it is given and returns it: a new one of so many fields costs three times as much.
    """
    document.subject = facts.subject
    document.order = facts.order
    if facts.brand_id:
        document.brand_ids = (facts.brand_id,)
    document.account_id = facts.account_id
    document.customer_id = facts.customer_id
    document.state = facts.state
    document.agent = facts.assignee
    document.team = facts.team
    document.tone = facts.tone
    document.tags = facts.tags
    document.number = facts.number
    document.opened_us = facts.opened_us
    document.solved_us = facts.solved_us
    document.due_us = facts.due_us
    return document
