"""Opens tickets by a person's act: from a mention or alert, or to write to a customer first."""

from __future__ import annotations

from dataclasses import dataclass

from services.kit.errors import Invalid, NotFound
from services.kit.uow import Uow
from services.tickets.domain.answer import check_address
from services.tickets.domain.brand import Directory
from services.tickets.domain.contact import Automatic, Capabilities, Contact, Identity, Threading
from services.tickets.domain.customer import begin, learn
from services.tickets.domain.ticket import State, Ticket
from services.tickets.store import audit, customers, interactions, tickets
from services.tickets.usecases.common import Act, lock_ticket
from services.tickets.wire import events
from services.tickets.wire import interactions as wire
from services.tickets.wire.replies import Post, of_post
from services.tickets.wire.values import excerpt


@dataclass(frozen=True, slots=True)
class Mention:
    """A post somebody decided to answer."""

    key: str
    brand_id: str
    source: str
    author: Identity
    text: str
    mention_id: str = ""
    alert_id: str = ""
    external_id: str = ""
    conversation: str = ""
    url: str = ""
    occurred_us: int = 0
    language: str = ""
    tone: str = ""
    subject: str = ""
    person: bytes = b""  # keyed hash of the author


def open_from_mention(uow: Uow, act: Act, mention: Mention, *, directory: Directory) -> Ticket:
    """The ticket of a mention or alert, opened the first time and the same one ever after.

    It is answered by the brand's account of the same channel; without one that can reply the ticket is internal.
    """
    if not mention.key or not mention.brand_id or not act.person.sees_brand(mention.brand_id):
        raise Invalid(
            "A ticket from a mention needs a key and a brand you work for.",
            field="key" if not mention.key else "brand_id",
        )
    if known := tickets.by_open_key(uow, f"mention:{mention.key}"):
        return lock_ticket(uow, known, act.person)
    account = directory.account_of(mention.brand_id, mention.source)
    capabilities = account.capabilities if account else Capabilities()
    ticket_id, interaction_id, customer_id = act.ids[:3]
    owner = _owner(uow, act, mention, fresh_id=customer_id)
    on = Ticket(
        id=ticket_id,
        number=tickets.next_numbers(uow, 1)[0],
        brand_id=mention.brand_id,
        account_id=account.id if account and capabilities.replies else "",
        channel=mention.source,
        conversation=mention.conversation or mention.external_id,
        subject=(mention.subject or excerpt(mention.text))[:200],
        state=State.NEW,
        customer_id=owner,
        opened_us=act.now_us,
        capabilities=capabilities,
        language=mention.language,
        tone=mention.tone,
        mention_id=mention.mention_id,
        alert_id=mention.alert_id,
        excerpt=excerpt(mention.text),
        changed_us=act.now_us,
        waiting_us=act.now_us,
        last_us=act.now_us,
        interactions=1,
        last_interaction_id=interaction_id,
        rev=uow.next_revs()[0],
        person=mention.person,
    )
    post = Post(mention.author, mention.text, mention.url, mention.external_id, mention.occurred_us or act.now_us)
    interaction = of_post(post, on, interaction_id=interaction_id, now_us=act.now_us)
    tickets.add(uow, [on], open_key=f"mention:{mention.key}")
    interactions.add(uow, [wire.row(interaction, account_id=on.account_id)])
    audit.add(uow, [act.entry("ticket.opened", on.id, mention.key)])
    uow.emit(events.interaction_recorded(interaction, on, opened=True))
    return on


def _owner(uow: Uow, act: Act, mention: Mention, *, fresh_id: str) -> str:
    """The customer behind an address, made known now if nobody is."""
    author = mention.author
    if not author.value:
        return ""
    known = customers.owners(uow, [author.key]).get(author.key)
    if known:
        return known
    asked = Contact(
        id=fresh_id,
        brand_id=mention.brand_id,
        account_id="",
        channel="",
        conversation="",
        external_id="",
        sender=author,
        identities=(),
        subject="",
        excerpt="",
        automatic=Automatic.PERSON,
        threading=Threading.ALWAYS_NEW,
        received_us=act.now_us,
        capabilities=Capabilities(),
        language=mention.language,
        person_hash=mention.person,
    )
    customer = begin(asked, fresh_id)
    learn(customer, asked, taken=())
    customer.rev = uow.next_revs()[0]
    customers.add(uow, [customer])
    customers.add_identities(uow, [(customer.id, author, act.now_us)])
    uow.emit(events.customer_changed(customer))
    return customer.id


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A conversation that we begin."""

    brand_id: str
    account_id: str
    customer_id: str
    to: str
    subject: str
    key: str
    person: bytes = b""  # keyed hash of the address written to


def open_outgoing(uow: Uow, act: Act, wanted: Outgoing, *, directory: Directory) -> Ticket:
    """A ticket without a contact yet, assigned to its opener; the first answer on it is the first message. Once per key."""
    account = directory.accounts.get(wanted.account_id)
    if account is None or not act.person.sees_brand(account.brand_id):
        raise NotFound(f"There is no account {wanted.account_id}.", account_id=wanted.account_id)
    if not account.capabilities.replies or not account.capabilities.recipients:
        raise Invalid("This channel cannot begin a conversation: choose a mail account.", field="account_id")
    if not wanted.subject.strip():
        raise Invalid("Give a subject.", field="subject")
    open_key = f"outgoing:{act.person.user_id}:{wanted.key}" if wanted.key else ""
    if known := tickets.by_open_key(uow, open_key):
        return lock_ticket(uow, known, act.person)
    ticket_id, interaction_id, fresh_id = act.ids[:3]
    to = _address(uow, wanted)
    customer_id = _owner(
        uow, act, Mention("", account.brand_id, account.channel, to, "", person=wanted.person), fresh_id=fresh_id
    )
    on = Ticket(
        id=ticket_id,
        number=tickets.next_numbers(uow, 1)[0],
        brand_id=account.brand_id,
        account_id=account.id,
        channel=account.channel,
        conversation=to.value,
        subject=" ".join(wanted.subject.split())[:200],
        state=State.OPEN,
        customer_id=customer_id,
        opened_us=act.now_us,
        capabilities=account.capabilities,
        assignee=act.person.user_id,
        changed_us=act.now_us,
        last_us=act.now_us,
        interactions=1,
        rev=uow.next_revs()[0],
        person=wanted.person,
    )
    begun = wire.Written(
        id=interaction_id,
        kind="event",
        text="",
        author_id=act.person.user_id,
        author_name=act.person.name,
        event_name="opened",
        to=(to,),
        data={"to": to.value},
    )
    line = wire.of_written(begun, on, seq=1, rev=on.rev, now_us=act.now_us)
    tickets.add(uow, [on], open_key=open_key)
    interactions.add(uow, [wire.row(line, account_id="")])
    audit.add(uow, [act.entry("ticket.opened", on.id)])
    uow.emit(events.ticket_opened(on))
    return on


def _address(uow: Uow, wanted: Outgoing) -> Identity:
    if wanted.to:
        return Identity("email", check_address(wanted.to).lower())
    customer = customers.get(uow, [wanted.customer_id]).get(wanted.customer_id)
    mail = next((one for one in customer.identities if one.kind == "email"), None) if customer else None
    if mail is None:
        raise Invalid("This customer has no mail address: give one.", field="to")
    return mail
