"""What a ticket is and what may happen to it. No clock, no database: values in, values out.

new → open ⇄ waiting → solved → closed, aside spam. A person's message reopens what waits or is solved; what is closed
stays closed and a new ticket follows it. Times are microseconds since 1970 UTC, 0 when unset; the two by which lists
are sorted, `due_us` and `waiting_us`, are `NEVER` instead, so that they sort last.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.kit.errors import Invalid
from services.tickets.domain.contact import Capabilities, Contact

NEVER = 1 << 61
PRIORITIES = {1: "low", 2: "normal", 3: "high", 4: "urgent"}
MAX_TAGS = 50
THREAD = "thread"  # in `Ticket.fields`: when a person last wrote, to us or for us


class State(enum.IntEnum):
    """Values are those of the contract."""

    NEW = 1
    OPEN = 2
    WAITING = 3
    SOLVED = 4
    CLOSED = 5
    SPAM = 6


ACTIVE = (State.NEW, State.OPEN, State.WAITING)
# What a person may choose; `closed` comes by time or by hand from `solved`, `new` never comes back.
_MOVES: Mapping[State, frozenset[State]] = {
    State.NEW: frozenset({State.OPEN, State.WAITING, State.SOLVED, State.SPAM}),
    State.OPEN: frozenset({State.WAITING, State.SOLVED, State.SPAM}),
    State.WAITING: frozenset({State.OPEN, State.SOLVED, State.SPAM}),
    State.SOLVED: frozenset({State.OPEN, State.WAITING, State.CLOSED, State.SPAM}),
    State.CLOSED: frozenset(),
    State.SPAM: frozenset({State.OPEN}),
}


@dataclass(slots=True)
class Ticket:
    """A request being solved. Mutable only inside one transaction; `fields` says at which version each field changed."""

    id: str
    number: int
    brand_id: str
    account_id: str
    channel: str
    conversation: str
    subject: str
    state: State
    customer_id: str
    opened_us: int
    capabilities: Capabilities
    assignee: str = ""
    team: str = ""
    tags: tuple[str, ...] = ()
    priority: int = 2
    version: int = 1
    rev: int = 0
    changed_us: int = 0
    solved_us: int = 0
    close_us: int = 0
    promise_us: int = 0
    due_us: int = NEVER
    first_response_us: int = 0
    first_response_id: str = ""
    waiting_us: int = NEVER
    last_interaction_id: str = ""
    last_us: int = 0
    interactions: int = 0
    language: str = ""
    follows: str = ""
    alert_id: str = ""
    mention_id: str = ""
    tone: str = ""
    has_attachments: bool = False
    delivery_trouble: bool = False
    excerpt: str = ""
    not_rendered: str = ""
    topic: str = ""
    order_number: str = ""
    fields: dict[str, int] = field(default_factory=dict)
    person: bytes = b""  # keyed hash of who it is about, carried by its events


@dataclass(frozen=True, slots=True)
class Change:
    """Fields a person wants different; None leaves one alone."""

    state: State | None = None
    assignee: str | None = None
    team: str | None = None
    tags: tuple[str, ...] | None = None
    priority: int | None = None
    subject: str | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Happened:
    """One quiet line in the thread: what changed, from and to."""

    name: str
    before: str
    after: str


def opened(contact: Contact, *, ticket_id: str, number: int, customer_id: str, promise_us: int, follows: str) -> Ticket:
    """The ticket a contact begins. What looks like spam begins as spam: set aside, never lost."""
    counted = contact.by_person and not contact.suspicious
    return Ticket(
        id=ticket_id,
        number=number,
        brand_id=contact.brand_id,
        account_id=contact.account_id,
        channel=contact.channel,
        conversation=contact.conversation,
        subject=contact.subject,
        state=State.SPAM if contact.suspicious else State.NEW,
        customer_id=customer_id,
        opened_us=contact.received_us,
        capabilities=contact.capabilities,
        promise_us=promise_us if counted else 0,
        due_us=(promise_us or NEVER) if counted else NEVER,
        language=contact.language,
        follows=follows,
        not_rendered=contact.not_rendered,
        topic=contact.topic,
        order_number=contact.order_number,
        person=contact.person_hash,
    )


def receive(ticket: Ticket, contact: Contact, *, interaction_id: str, now_us: int) -> None:
    """Puts a contact on `ticket`: a person's words reopen it; automatic mail changes nothing but the thread (RFC 3834)."""
    ticket.interactions += 1
    ticket.version += 1
    ticket.changed_us = now_us
    ticket.last_interaction_id = interaction_id
    ticket.last_us = now_us
    ticket.excerpt = contact.excerpt
    if contact.has_attachments:
        ticket.has_attachments = True
    if contact.order_number and not ticket.order_number:
        ticket.order_number = contact.order_number
    if contact.language and not ticket.language:
        ticket.language = contact.language
    if not contact.by_person or ticket.state is State.SPAM:
        return
    ticket.fields[THREAD] = ticket.version
    if ticket.state in (State.WAITING, State.SOLVED):
        _move(ticket, State.OPEN)
    if ticket.waiting_us == NEVER:
        ticket.waiting_us = now_us


def _move(ticket: Ticket, state: State) -> None:
    ticket.state = state
    ticket.fields["state"] = ticket.version
    if state is not State.SOLVED:
        ticket.solved_us = ticket.close_us = 0
    counted = state in ACTIVE and not ticket.first_response_us and ticket.promise_us
    ticket.due_us = ticket.promise_us if counted else NEVER


def set_state(ticket: Ticket, state: State, *, now_us: int, close_after_us: int) -> None:
    """Moves a ticket where a person wants it. Raises `Invalid` when that way does not exist."""
    if state is ticket.state:
        return
    if state not in _MOVES[ticket.state]:
        raise Invalid(
            f"Ticket {ticket.number} is {ticket.state.name.lower()}; it cannot become {state.name.lower()}.",
            field="state",
            ticket_id=ticket.id,
        )
    solved_us = ticket.solved_us
    _move(ticket, state)
    if state is State.CLOSED:
        ticket.solved_us = solved_us
    if state is State.SOLVED:
        ticket.solved_us = now_us
        ticket.close_us = now_us + close_after_us
        ticket.waiting_us = NEVER


def close(ticket: Ticket, *, now_us: int) -> None:
    """Ends a ticket that stayed solved for its brand's days."""
    ticket.version += 1
    ticket.changed_us = now_us
    solved_us = ticket.solved_us
    _move(ticket, State.CLOSED)
    ticket.solved_us = solved_us


def answered(ticket: Ticket, *, interaction_id: str, now_us: int, then: State, close_after_us: int) -> None:
    """A person answered: the promise is kept, nobody waits for us, and the ticket is as its writer wants it."""
    if ticket.state in (State.CLOSED, State.SPAM):
        raise Invalid(
            f"Ticket {ticket.number} is {ticket.state.name.lower()}; open a new one or take it out of spam to answer.",
            field="ticket_id",
            ticket_id=ticket.id,
        )
    if not ticket.first_response_us:
        ticket.first_response_us = now_us
        ticket.first_response_id = interaction_id
    ticket.due_us = NEVER
    ticket.waiting_us = NEVER
    if ticket.state is not then:
        set_state(ticket, then, now_us=now_us, close_after_us=close_after_us)


def unanswered(ticket: Ticket, *, interaction_id: str, waiting_us: int, state_before: State | None) -> None:
    """An answer was taken back before it left: promise, waiting and state are as if it had not been written."""
    if ticket.first_response_id == interaction_id:
        ticket.first_response_us = 0
        ticket.first_response_id = ""
    ticket.waiting_us = waiting_us
    if state_before is not None and ticket.state is not State.CLOSED:
        _move(ticket, state_before)
    elif ticket.state in ACTIVE and not ticket.first_response_us and ticket.promise_us:
        ticket.due_us = ticket.promise_us


def clashes(ticket: Ticket, change: Change, *, seen: int, strict: bool = False) -> list[str]:
    """Fields that somebody else changed after version `seen` to something other than what is wanted; 0 checks nothing.

    `strict`: whatever a person changed or wrote after `seen` clashes, `version` where `seen` is not reached yet. How a
    sending goes on is no clash: it would refuse a change for nothing a person did.
    """
    if strict:
        changed = [name for name, version in ticket.fields.items() if version > seen]
        return ["version"] if seen > ticket.version else changed
    if not seen:
        return []
    wanted: dict[str, object] = {
        "state": change.state,
        "assignee": change.assignee,
        "team": change.team,
        "tags": change.tags,
        "priority": change.priority,
        "subject": change.subject,
    }
    return [
        name
        for name, value in wanted.items()
        if value is not None and ticket.fields.get(name, 0) > seen and getattr(ticket, name) != value
    ]


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are kept: lower case, single spaces, no doubles, in order. Raises `Invalid` over 50 or 60 characters."""
    cleaned = tuple(dict.fromkeys(tag for tag in (" ".join(raw.lower().split()) for raw in tags) if tag))
    if len(cleaned) > MAX_TAGS or any(len(tag) > 60 for tag in cleaned):
        raise Invalid(f"A ticket has at most {MAX_TAGS} tags of 60 characters.", field="tags")
    return cleaned


def apply(ticket: Ticket, change: Change, *, now_us: int, close_after_us: int) -> list[Happened]:
    """Makes the change; returns what really changed. The version rises by one when anything did."""
    happened: list[Happened] = []
    before_version = ticket.version
    ticket.version += 1
    if change.state is not None and change.state is not ticket.state:
        before = ticket.state
        set_state(ticket, change.state, now_us=now_us, close_after_us=close_after_us)
        happened.append(Happened("state_changed", before.name.lower(), ticket.state.name.lower()))
    for name, event in (("assignee", "assigned"), ("team", "team_changed"), ("subject", "subject_changed")):
        value = getattr(change, name)
        if value is not None and value != getattr(ticket, name):
            happened.append(Happened(event, getattr(ticket, name), value))
            setattr(ticket, name, value)
            ticket.fields[name] = ticket.version
    if change.priority is not None and change.priority != ticket.priority:
        if change.priority not in PRIORITIES:
            raise Invalid("A priority is 1 (low), 2 (normal), 3 (high) or 4 (urgent).", field="priority")
        happened.append(Happened("priority_changed", PRIORITIES[ticket.priority], PRIORITIES[change.priority]))
        ticket.priority = change.priority
        ticket.fields["priority"] = ticket.version
    base = ticket.tags if change.tags is None else change.tags
    removed = set(clean_tags(change.remove_tags))
    tags = clean_tags([tag for tag in (*base, *change.add_tags) if tag not in removed])
    if set(tags) != set(ticket.tags):
        happened.append(Happened("tagged", ", ".join(ticket.tags), ", ".join(tags)))
        ticket.tags = tags
        ticket.fields["tags"] = ticket.version
    if happened:
        ticket.changed_us = now_us
    else:
        ticket.version = before_version
    return happened


def copy(ticket: Ticket) -> Ticket:
    """A ticket of its own, for what must not change the first."""
    return replace(ticket, fields=dict(ticket.fields))
