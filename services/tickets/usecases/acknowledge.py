"""The taking-in-charge answers of a batch: written with their caps in the transaction that asks for their sending."""

from __future__ import annotations

from collections.abc import Mapping

from services.kit.uow import Event, Uow
from services.tickets.domain import acknowledgement as policy
from services.tickets.domain import acknowledgement_texts as texts
from services.tickets.domain.answer import without_own
from services.tickets.domain.brand import Directory
from services.tickets.domain.contact import Contact
from services.tickets.domain.customer import Customer
from services.tickets.domain.ticket import Ticket
from services.tickets.store import acknowledgements, interactions
from services.tickets.wire import events
from services.tickets.wire import interactions as wire


def acknowledge(
    uow: Uow,
    opened_by: Mapping[str, Contact],
    tickets: Mapping[str, Ticket],
    *,
    people: Mapping[str, Customer],
    directory: Directory,
    now_us: int,
) -> tuple[list[interactions.NewRow], list[Event]]:
    """Chooses who is told, within window and quota; returns the rows and events of the answers."""
    candidates = [(tickets[on], contact) for on, contact in opened_by.items() if policy.wanted(contact, opened=True)]
    if not candidates:
        return [], []
    last = acknowledgements.last_sent(uow, {policy.sender_key(contact) for _, contact in candidates})
    day = policy.day_of(now_us)
    left = policy.UNVERIFIED_A_DAY - acknowledgements.unverified_sent(uow, day)
    unverified = 0
    chosen: list[tuple[Ticket, Contact]] = []
    for on, contact in candidates:
        brand = directory.brand(contact.brand_id)
        key = policy.sender_key(contact)
        if key in last and policy.in_window(last[key], now_us, brand.acknowledge_window_minutes):
            continue
        if not without_own([contact.sender], directory.own_addresses(contact.brand_id)):
            continue
        if not _verified(contact, people.get(on.customer_id)):
            if unverified >= left:
                continue
            unverified += 1
        last[key] = now_us
        chosen.append((on, contact))
    acknowledgements.put(uow, {policy.sender_key(contact) for _, contact in chosen}, now_us)
    acknowledgements.count_unverified(uow, day, unverified)
    rows: list[interactions.NewRow] = []
    out: list[Event] = []
    for (on, contact), rev in zip(chosen, uow.next_revs(len(chosen)) if chosen else (), strict=True):
        _write(on, contact, directory, rev, now_us, rows, out)
    return rows, out


def _verified(contact: Contact, customer: Customer | None) -> bool:
    if contact.sender.verified or customer is None:
        return contact.sender.verified
    return any(one.verified and one.key == contact.sender.key for one in customer.identities)


def _write(
    on: Ticket,
    contact: Contact,
    directory: Directory,
    rev: int,
    now_us: int,
    rows: list[interactions.NewRow],
    out: list[Event],
) -> None:
    """One answer. The account is the contact's own when it carries the answer, else the brand's of that channel."""
    account_id = contact.account_id
    if contact.acknowledge_by != contact.channel:
        account = directory.account_of(contact.brand_id, contact.acknowledge_by)
        if account is None:
            return
        account_id = account.id
    brand = directory.brand(contact.brand_id)
    language = texts.language_of(contact.language, brand)
    subject, text = texts.compose(brand, language=language, number=on.number, name=contact.sender.name)
    on.interactions += 1
    on.rev = rev
    written = wire.Written(
        id=f"int_{contact.suffix}_ack",
        kind="ack",
        text=text,
        author_kind="system",
        author_name=brand.name,
        to=(contact.sender,),
        subject=subject,
        language=language,
        automatic=True,
    )
    interaction = wire.of_written(written, on, seq=on.interactions, rev=rev, now_us=now_us)
    rows.append(wire.row(interaction, account_id=account_id))
    out.append(events.interaction_recorded(interaction, on))
    out.append(
        events.reply_requested(
            written,
            on,
            rev=rev,
            now_us=now_us,
            way=events.Way(
                account_id,
                contact.acknowledge_by,
                in_reply_to=contact.message_id,
                references=[contact.message_id] if contact.message_id else [],
            ),
        )
    )
