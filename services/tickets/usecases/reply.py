"""Answers and notes. An answer is recorded and its sending asked for in one transaction, once per key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from services.kit.errors import Conflict, Invalid
from services.kit.uow import Uow
from services.tickets.domain import answer, ticket
from services.tickets.domain.brand import Directory
from services.tickets.domain.contact import Capabilities, Identity
from services.tickets.domain.ticket import State, Ticket
from services.tickets.store import audit, interactions, mentions, tickets
from services.tickets.usecases.common import Act, lock_ticket
from services.tickets.wire import events, replies
from services.tickets.wire import interactions as wire
from services.tickets.wire.contacts import bare_id
from services.tickets.wire.interactions import Heard

_MAX_MENTIONED = 50  # people a note tells; who names more writes to nobody
_MAX_REFERENCES = 20  # first one and the newest: RFC 5322 lets long lists be trimmed


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer as its writer sends it; blobs are stored already."""

    ticket_id: str
    text: str
    html: bytes = b""
    body: bytes = b""
    files: tuple[bytes, ...] = ()
    file_sizes: tuple[int, ...] = ()
    last_seen: str = ""
    key: str = ""
    anyway: bool = False
    undo_s: int = 0
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    then: State = State.OPEN
    author_name: str = ""
    public_confirmed: bool = False
    full_text: str = field(default="", repr=False)  # when `text` is only an excerpt of a long answer


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a draft."""

    interaction: bytes
    ticket: Ticket
    duplicate: bool


@dataclass(frozen=True, slots=True)
class _Way:
    """The account, channel and rules an answer leaves by."""

    account_id: str
    channel: str
    capabilities: Capabilities


def reply(uow: Uow, act: Act, draft: Draft, *, directory: Directory) -> Answered:
    """Records an answer and asks for its sending after the undo window.

    Idempotent by `draft.key` on its ticket. Raises `Conflict` with what the writer has not seen, unless `anyway`;
    `Invalid` when the channel cannot carry it.
    """
    on = lock_ticket(uow, draft.ticket_id, act.person)
    if earlier := interactions.by_reply_key(uow, on.id, draft.key):
        return Answered(earlier.data, on, duplicate=True)
    kept = interactions.of_tickets(uow, [on.id])
    if draft.last_seen and not draft.anyway:
        _check_seen(on, kept, draft.last_seen)
    way = _way(on, directory)
    _check(on, draft, way)
    said = wire.heard([wire.parse(one.data) for one in kept if one.kind != "note"])
    own = directory.own_addresses(on.brand_id)
    to, cc = _recipients(draft, said, own, way)
    brand = directory.brand(on.brand_id)
    before = on.state
    interaction_id = act.ids[0]
    on.version += 1
    on.fields[ticket.THREAD] = on.version
    ticket.answered(
        on, interaction_id=interaction_id, now_us=act.now_us, then=draft.then, close_after_us=brand.close_after_us
    )
    on.changed_us = on.last_us = act.now_us
    on.interactions += 1
    on.last_interaction_id = interaction_id
    on.rev = uow.next_revs()[0]
    undo_s = min(draft.undo_s, answer.MAX_UNDO_S)
    written = wire.Written(
        id=interaction_id,
        kind="message",
        text=draft.text,
        author_id=act.person.user_id,
        author_name=draft.author_name or act.person.name,
        html=draft.html,
        body=draft.body,
        files=draft.files,
        to=tuple(to),
        cc=tuple(cc),
        subject=answer.reply_subject(on) if way.capabilities.subject or way.capabilities.recipients else "",
        not_before_us=act.now_us + undo_s * 1_000_000,
        language=on.language,
        data={"state_before": str(int(before))},
    )
    interaction = wire.of_written(written, on, seq=on.interactions, rev=on.rev, now_us=act.now_us)
    on.excerpt = wire.last_words(interaction)
    row = wire.row(interaction, account_id=way.account_id, reply_key=draft.key or interaction_id)
    interactions.add(uow, [row])
    mentions.answer(uow, on.id, act.person.user_id)
    tickets.save(uow, [on])
    audit.add(uow, [act.entry("ticket.replied", on.id, interaction_id)])
    in_reply_to, references = _ancestry(said, way)
    uow.emit(
        events.interaction_recorded(interaction, on),
        events.reply_requested(
            written,
            on,
            rev=on.rev,
            now_us=act.now_us,
            way=events.Way(way.account_id, way.channel, in_reply_to, references),
        ),
    )
    return Answered(interaction.SerializeToString(), on, duplicate=False)


def _check_seen(on: Ticket, kept: Sequence[interactions.Kept], last_seen: str) -> None:
    seen = next((one.seq for one in kept if one.id == last_seen), None)
    if seen is None:
        raise Invalid(f"Interaction {last_seen} is not on ticket {on.number}.", field="last_seen", ticket_id=on.id)
    unseen = [
        one for one in kept if one.seq > seen and one.kind == "message" and one.delivery_state != interactions.CANCELLED
    ]
    if unseen:
        raise Conflict(
            f"Ticket {on.number} has {len(unseen)} newer message(s) you have not seen; read them, then send again.",
            field="last_seen",
            detail=replies.unseen([one.data for one in unseen], on),
            ticket_id=on.id,
        )


def _way(on: Ticket, directory: Directory) -> _Way:
    capabilities = on.capabilities
    by = capabilities.replies_by
    if not on.account_id or not (capabilities.replies or by):
        raise Invalid(
            f"Ticket {on.number} is internal: its source cannot be answered.", field="ticket_id", ticket_id=on.id
        )
    if not by or by == on.channel:
        return _Way(on.account_id, on.channel, capabilities)
    account = directory.account_of(on.brand_id, by)
    if account is None:
        raise Invalid(
            f"Answers to ticket {on.number} leave by {by}, and its brand has no such account: add one in the settings.",
            field="ticket_id",
            ticket_id=on.id,
        )
    return _Way(
        account.id, by, account.capabilities if account.capabilities.replies else replace(capabilities, recipients=True)
    )


def _check(on: Ticket, draft: Draft, way: _Way) -> None:
    rules = way.capabilities
    if draft.html:
        answer.check_html(draft.text, rules)
    answer.check_text(draft.full_text or draft.text, rules, attachments=len(draft.files))
    answer.check_files(draft.file_sizes, rules)
    if draft.undo_s > answer.MAX_UNDO_S:
        raise Invalid(f"The undo window is 0 to {answer.MAX_UNDO_S} s.", field="undo_s")
    if draft.then not in (State.OPEN, State.WAITING, State.SOLVED):
        raise Invalid("After an answer a ticket is open, waiting or solved.", field="then_state")
    if rules.public and not draft.public_confirmed:
        found = answer.personal_data(draft.full_text or draft.text, order_number=on.order_number)
        if found:
            raise Invalid(
                f"Everyone can read this answer, and it holds {found}: take it out, or confirm.",
                field="public_confirmed",
            )


def _recipients(
    draft: Draft, said: Sequence[Heard], own: frozenset[str], way: _Way
) -> tuple[list[Identity], list[Identity]]:
    """Whom it goes to: the last writer, and on mail everybody who was on their message, less ourselves.

    What an unverified sender put in Cc is not taken over: answering all would hand the ticket to whom they chose.
    """
    inbound = [one for one in said if one.inbound]
    last = next((one for one in reversed(inbound) if one.by_customer_message), inbound[-1] if inbound else None)
    if not way.capabilities.recipients:
        return ([last.author] if last else []), []
    if draft.to:
        to = answer.without_own([_mail(one) for one in draft.to], own)
    elif last is not None:
        trusted = last.author.verified or last is inbound[0]
        first = _mail(last.reply_to) if last.reply_to and trusted else last.author
        to = answer.without_own([first], own)
        if last.author.verified:
            to += answer.without_own(last.to, own, besides=to)
    else:
        written = next((one for one in reversed(said) if one.to), None)
        to = answer.without_own(written.to, own) if written else []
    if not to:
        raise Invalid("There is nobody to send this to: give a recipient.", field="to")
    if draft.cc or draft.to:
        return to, answer.without_own([_mail(one) for one in draft.cc], own, besides=to)
    if last is None or not (last.author.verified or "fail" not in last.verdict):
        return to, []
    return to, answer.without_own(last.cc, own, besides=to)


def _mail(address: str) -> Identity:
    return Identity("email", answer.check_address(address))


def _ancestry(said: Sequence[Heard], way: _Way) -> tuple[str, list[str]]:
    """What the answer answers, and for mail the thread so far, oldest first."""
    if not way.capabilities.recipients:
        last = next((one for one in reversed(said) if one.inbound and one.external_id), None)
        return (last.external_id if last else ""), []
    ids = [one.message_id for one in said if "@" in bare_id(one.message_id)]
    last_in = next((one.message_id for one in reversed(said) if one.inbound and "@" in one.message_id), "")
    unique = list(dict.fromkeys(ids))
    if len(unique) > _MAX_REFERENCES:
        unique = [unique[0], *unique[1 - _MAX_REFERENCES :]]
    return last_in or (unique[-1] if unique else ""), unique


def add_note(
    uow: Uow,
    act: Act,
    *,
    ticket_id: str,
    text: str,
    key: str,
    files: Sequence[bytes],
    mentioned: Sequence[str] = (),
) -> Answered:
    """Records an internal note, once per key. It is never sent: nothing asks for its sending.

    The ticket stands on the list of whom it mentions until they write on it.
    """
    on = lock_ticket(uow, ticket_id, act.person)
    if earlier := interactions.by_reply_key(uow, on.id, key):
        return Answered(earlier.data, on, duplicate=True)
    if not text.strip() and not files:
        raise Invalid("The note is empty.", field="text")
    if len(text) > answer.MAX_TEXT:
        raise Invalid(f"The note is longer than {answer.MAX_TEXT} characters.", field="text")
    on.interactions += 1
    on.version += 1
    on.fields[ticket.THREAD] = on.version
    on.changed_us = act.now_us
    on.rev = uow.next_revs()[0]
    written = wire.Written(
        id=act.ids[0],
        kind="note",
        text=text,
        author_id=act.person.user_id,
        author_name=act.person.name,
        files=tuple(files),
        mentioned=tuple(dict.fromkeys(mentioned))[:_MAX_MENTIONED],
    )
    interaction = wire.of_written(written, on, seq=on.interactions, rev=on.rev, now_us=act.now_us)
    interactions.add(uow, [wire.row(interaction, account_id="", reply_key=key or act.ids[0])])
    mentions.answer(uow, on.id, act.person.user_id)
    mentions.add(uow, on.id, written.mentioned)
    tickets.save(uow, [on])
    audit.add(uow, [act.entry("ticket.noted", on.id, act.ids[0])])
    uow.emit(events.interaction_recorded(interaction, on))
    return Answered(interaction.SerializeToString(), on, duplicate=False)
