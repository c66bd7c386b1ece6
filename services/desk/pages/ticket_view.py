"""One ticket as its page needs it: head, thread, composers, the customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from services.desk.clients.base import moment
from services.desk.clients.messages import Customer, Interaction, Ticket, TicketWithInteractions
from services.desk.clients.tickets import state_word
from services.desk.context import Desk
from services.desk.domain.writing import Draft as Kept
from services.desk.i18n import Tongue
from services.desk.pages import rows, thread, words
from services.desk.pages.prose import plain
from services.desk.pages.views import Attachment, Choice, Composer, Context, Draft, Head, Known
from services.desk.usecases.sessions import SignedIn
from services.kit.errors import AscoltoError

_JUST = timedelta(minutes=10)  # so long an answer of a colleague is news to who writes


@dataclass(frozen=True, slots=True)
class Typed:
    """What was posted and is shown again: text held, or with errors beside it."""

    text: str = ""
    key: str = ""
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    uploads: Sequence[str] = ()
    held: bool = False
    errors: Mapping[str, str] | None = None
    kind: str = "reply"


def of_ticket(
    desk: Desk, me: SignedIn, tongue: Tongue, found: TicketWithInteractions, *, whole: bool = False,
    back: tuple[str, str] = ("/inbox/mine", ""), typed: Typed | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Everything the ticket's pane shows, as the template's context."""
    ticket, interactions = found.ticket, found.interactions
    return {
        "head": head(desk, me, tongue, ticket, interactions, back),
        "pieces": thread.pieces(tongue, ticket, interactions, people=desk.directory, whole=whole),
        "composer": composer(desk, me, tongue, ticket, interactions, typed) if me.person.may("tickets:write") else None,
        "context": context(tongue, found),
        "whole": whole,
        "all_tags": _tags(desk, me),
        "present": present(desk, me, tongue, ticket.id, interactions),
    }


def _tags(desk: Desk, me: SignedIn) -> Sequence[str]:
    try:
        return list(desk.clients.tickets.tags(me.person))[:200]
    except AscoltoError:
        return ()


def present(desk: Desk, me: SignedIn, tongue: Tongue, ticket_id: str, interactions: Sequence[Interaction]) -> str:
    """Who else is here or has just answered, in one line."""
    writing: list[str] = []
    looking: list[str] = []
    for one in desk.presence.at(ticket_id, but=me.user.id):
        (writing if one.doing == "writing" else looking).append(one.name)
    answers = (one for one in reversed(interactions) if one.kind == "message" and not one.automatic)
    last = next(answers, None)
    at = moment(last, "occurred_at") if last else None
    parts = []
    if last and at and last.author_kind == "agent" and last.author_id != me.user.id and tongue.now - at < _JUST:
        name = desk.directory.name(last.author_id)
        parts = [tongue.text("%(name)s answered %(time)s", name=name, time=tongue.ago(at))]
    parts += [tongue.text("%(name)s is replying", name=name) for name in writing]
    parts += [tongue.text("%(name)s is looking", name=name) for name in looking]
    return ", ".join(parts)


def head(
    desk: Desk, me: SignedIn, tongue: Tongue, ticket: Ticket, interactions: Sequence[Interaction], back: tuple[str, str]
) -> Head:
    """The ticket's properties, with what each can become."""
    state = state_word(ticket.state)
    chip, kind, until = rows.due(tongue, ticket)
    people = desk.directory.colleagues(me.person, ticket.brand_id)
    owners = [Choice("", tongue.text("Nobody"), chosen=not ticket.assignee)]
    owners += [Choice(one.id, words.colleague(tongue, one), chosen=one.id == ticket.assignee) for one in people]
    account = next((a.address for a in desk.directory.accounts(me.person) if a.id == ticket.account_id), "")
    priorities = [
        Choice(str(n), tongue.word("priority", str(n)), chosen=n == (ticket.priority or 2)) for n in (4, 3, 2, 1)
    ]
    title = ""
    if until:
        title = tongue.text("First answer promised by %(time)s, counted in opening hours", time=tongue.full(until))
    return Head(
        id=ticket.id,
        number=ticket.number,
        version=ticket.version,
        subject=plain(ticket.subject or ticket.excerpt, 300) or tongue.text("(no subject)"),
        state=state,
        state_label=tongue.word("state", state),
        state_kind=words.STATE_KINDS.get(state, ""),
        channel=rows.channel_of(tongue, ticket),
        account=account,
        owner=desk.directory.name(ticket.assignee) if ticket.assignee else "",
        owner_id=ticket.assignee,
        mine=ticket.assignee == me.user.id,
        team=ticket.team,
        priority=ticket.priority,
        tags=[plain(tag, 60) for tag in ticket.tags],
        due=chip,
        due_kind=kind,
        due_title=title,
        alert=ticket.alert_id,
        mention=ticket.mention_id,
        follows=ticket.follows,
        not_rendered=ticket.not_rendered,
        back=back[0],
        back_label=back[1] or rows.view_labels(tongue)["mine"],
        owners=owners,
        priorities=priorities,
        last_seen=thread.last_seen(interactions),
        live=ticket.capabilities.live,
    )


def _recipient(interactions: Sequence[Interaction]) -> tuple[str, bool]:
    """Who an answer goes to by itself, and whether that address is new in the thread."""
    inbound = [one for one in interactions if one.direction == 1 and one.kind == "message" and not one.automatic]
    if not inbound:
        sent = [one for one in interactions if one.direction == 2 and one.to]
        return (sent[-1].to[0].value if sent else ""), False
    last = inbound[-1]
    address = last.event_data.get("reply_to", "") or last.author.value
    before = {one.author.value for one in inbound[:-1]}
    return address, bool(before) and last.author.value not in before


def composer(
    desk: Desk, me: SignedIn, tongue: Tongue, ticket: Ticket, interactions: Sequence[Interaction], typed: Typed | None
) -> Composer:
    """Where an answer and a note are written, with drafts and what the channel allows."""
    able = ticket.capabilities
    drafts = desk.writing.of_ticket(ticket.id)
    mine = {one.kind: one for one in drafts if one.user_id == me.user.id}
    others = [desk.directory.name(one.user_id) for one in drafts if one.user_id != me.user.id and one.kind == "reply"]
    address, new_here = _recipient(interactions)
    name = plain(ticket.customer_name, 80)
    made = {
        kind: _draft(desk, me, mine.get(kind), address if kind == "reply" else "", _key(me, kind, interactions))
        for kind in ("reply", "note")
    }
    made["reply"] = replace(made["reply"], by=", ".join(others))
    if typed is not None:
        files = _files(desk, me, typed.uploads)
        made[typed.kind] = replace(
            made[typed.kind], text=typed.text, key=typed.key or made[typed.kind].key, attachments=files,
            to=typed.to or made[typed.kind].to, cc=typed.cc,
        )  # fmt: skip
    opened = "note" if (typed and typed.kind == "note") or (not made["reply"].text and made["note"].text) else "reply"
    undo_s = me.preferences.undo_s if me.preferences.undo_s >= 0 else able.undo_s
    mails = able.recipients or bool(able.replies_by)
    recipient = plain(address if mails else name or address, 120)
    channel = words.within(tongue.word("channel", able.replies_by or ticket.channel))
    return Composer(
        channel=rows.channel_of(tongue, ticket),
        via=tongue.text("by %(channel)s to", channel=channel)
        if recipient
        else tongue.text("by %(channel)s", channel=channel),
        recipient=recipient,
        replies=(able.replies or bool(able.replies_by)) and bool(ticket.account_id),
        public=able.public,
        recipients=mails,
        max_length=able.max_length,
        unit=able.length_unit or "characters",
        max_attachments=able.max_attachments,
        max_attachment_bytes=able.max_attachment_bytes,
        undo_s=undo_s,
        live=able.live,
        reply=made["reply"],
        note=made["note"],
        new_recipient=new_here and mails,
        open=opened,
        held=typed is not None and typed.held,
        errors=(typed.errors or {}) if typed else {},
    )


def _files(desk: Desk, me: SignedIn, ids: Sequence[str]) -> list[Attachment]:
    return [Attachment(one.id, one.name, one.size_bytes) for one in desk.writing.uploads(me.user.id, ids)]


def _key(me: SignedIn, kind: str, interactions: Sequence[Interaction]) -> str:
    """The next answer's key: the same at every look until one's own answer is in the thread, so that a resend is a no-op."""
    said = "note" if kind == "note" else "message"
    own = sum(1 for one in interactions if one.author_id == me.user.id and one.kind == said)
    return f"{me.user.id}-{kind}-{own + 1}"


def _draft(desk: Desk, me: SignedIn, kept: Kept | None, address: str, key: str) -> Draft:
    to = (address,) if "@" in address else ()
    if kept is None:
        return Draft(to=to, key=key)
    files = _files(desk, me, kept.upload_ids)
    return Draft(kept.text, kept.to or to, kept.cc, files, kept.saved_at, "", kept.key or key, kept.caret)


def identities(tongue: Tongue, customer: Customer) -> list[Known]:
    """The customer's addresses, verified ones first; a visitor's id is ours alone and says nothing to a reader."""
    told = (one for one in customer.identities if one.kind != "visitor")
    found = sorted(told, key=lambda one: not one.verified)
    return [Known(tongue.word("identity", one.kind), plain(one.value, 120), one.verified) for one in found]


def facts(tongue: Tongue, customer: Customer, tickets: int) -> str:
    """Since when, and how often."""
    parts = []
    first = moment(customer, "first_seen_at")
    if first:
        parts.append(tongue.text("Customer since %(day)s", day=tongue.short_day(first)))
    parts.append(tongue.count("%(num)s ticket", "%(num)s tickets", tickets))
    return ", ".join(parts)


def context(tongue: Tongue, found: TicketWithInteractions) -> Context | None:
    """The customer beside the conversation."""
    ticket, customer = found.ticket, found.customer
    others = [one for one in found.others if one.id != ticket.id]
    name = plain(customer.name or ticket.customer_name, 80)
    if not name and customer.identities:
        name = plain(customer.identities[0].value, 80)
    return Context(
        customer_id=customer.id,
        name=name or tongue.text("Unknown"),
        facts=facts(tongue, customer, len(others) + 1),
        identities=identities(tongue, customer),
        language=tongue.word("language", customer.language or ticket.language),
        notes=customer.notes,
        version=customer.version,
        open=[rows.other(tongue, one) for one in others if rows.is_open(one)][:5],
        past=[rows.other(tongue, one) for one in others if not rows.is_open(one)][:5],
        order=ticket.order_number,
        alert=ticket.alert_id,
        alert_label=tongue.text("The alert this came from"),
    )
