"""A ticket's conversation: interactions as letters, bubbles, cards, notes and folded events, in reading order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from services.desk.clients.base import moment
from services.desk.clients.directory import Directory
from services.desk.clients.intake import delivery_word
from services.desk.clients.messages import Interaction, Ticket
from services.desk.domain.naming import called, names
from services.desk.i18n import Tongue
from services.desk.pages import words
from services.desk.pages.prose import plain
from services.desk.pages.views import Attachment, Choice, Event, Message, Piece, Trouble

FIRST, LAST, MANY = 1, 50, 60  # of a long conversation the first and the last 50 are shown
_TOGETHER = timedelta(minutes=5)
_INBOUND, _INTERNAL = 1, 3  # Direction
_TROUBLE = ("failed", "bounced", "unknown")


def pieces(
    tongue: Tongue,
    ticket: Ticket,
    interactions: Sequence[Interaction],
    *,
    people: Directory,
    whole: bool,
) -> list[Piece]:
    """The thread, oldest first, with days, what is new, and what is hidden said."""
    shown = [one for one in interactions if one.kind != "event" or one.event_name != "opened"]
    hidden = 0
    if not whole and len(shown) > MANY:
        hidden = len(shown) - FIRST - LAST
        shown = [*shown[:FIRST], *shown[-LAST:]]
    fresh_from = _unanswered(interactions)
    out: list[Piece] = []
    day = None
    seam_done = False
    for place, one in enumerate(shown):
        at = moment(one, "occurred_at") or moment(one, "recorded_at") or tongue.now
        if hidden and place == FIRST:
            out.append(Piece(earlier=hidden))
        here = tongue.local(at).date()
        if here != day:
            out.append(Piece(day=at))
            day = here
        if one.id == fresh_from and place and not seam_done:
            out.append(Piece(seam=at))
            seam_done = True
        if one.kind == "event":
            event = Event(at, happened(tongue, one, people.name))
            if out and out[-1].events:
                out[-1] = Piece(events=(*out[-1].events, event))
            else:
                out.append(Piece(events=(event,)))
            continue
        made = message(tongue, ticket, one, at, people)
        before = out[-1].messages if out else ()
        if before and _same(before[-1], made):
            out[-1] = Piece(messages=(*before, made))
        else:
            out.append(Piece(messages=(made,)))
    return out


def _same(before: Message, now: Message) -> bool:
    return (
        before.shape == now.shape == "bubble"
        and (before.ours, before.author, before.automatic) == (now.ours, now.author, now.automatic)
        and now.at - before.at < _TOGETHER
    )


def _unanswered(interactions: Sequence[Interaction]) -> str:
    """The first message of the customer after our last answer: where reading begins."""
    first = ""
    for one in interactions:
        if one.kind in ("message", "ack") and not one.automatic:
            if one.direction == _INBOUND:
                first = first or one.id
            elif one.direction != _INTERNAL:
                first = ""
    return first


def message(tongue: Tongue, ticket: Ticket, one: Interaction, at: datetime, people: Directory) -> Message:
    """One interaction as people read it."""
    able = ticket.capabilities
    ours = one.direction != _INBOUND
    if one.kind == "note":
        shape = "note"
    elif able.public:
        shape = "card"
    else:
        shape = "letter" if able.letters or not able.live else "bubble"
    told = [found for id_ in one.mentioned if (found := people.user(id_))]
    author = plain(one.author.name or one.author.value, 80)
    if one.author_kind == "agent":
        author = people.name(one.author_id) or author
    base = f"/files/{ticket.id}/{one.id}"
    undo = moment(one, "not_before")
    delivery = delivery_word(one.delivery) if ours else ""
    leaving = undo is not None and undo > tongue.now and delivery in ("", "queued")
    return Message(
        id=one.id,
        shape=shape,
        ours=ours,
        author=author or tongue.text("Unknown"),
        at=at,
        text=one.text,
        rev=one.rev,
        channel=tongue.text(
            "by %(channel)s", channel=words.within(tongue.word("channel", one.channel or ticket.channel))
        ),
        sender="" if ours or shape == "bubble" else plain(one.author.value, 120),
        recipients=_recipients(tongue, one),
        language=one.language,
        quoted=one.quoted_text,
        attachments=[
            Attachment(f"{base}/{n}", plain(file.name, 120) or "file", file.size_bytes, file.media_type)
            for n, file in enumerate(one.attachments)
        ],
        html_href=f"/tickets/{ticket.id}/html/{one.id}" if one.HasField("html") and not one.deleted else "",
        raw_href=f"{base}/raw" if one.HasField("raw") and not one.deleted else "",
        text_href=f"{base}/text" if one.HasField("body") and not one.deleted else "",
        state="" if leaving or delivery in _TROUBLE else tongue.word("delivery", delivery),
        trouble=_trouble(tongue, one, delivery) if delivery in _TROUBLE else None,
        undo_until=undo if leaving else None,
        automatic=one.automatic,
        edited_at=moment(one, "edited_at"),
        before=one.text_before,
        deleted=one.deleted,
        not_rendered=one.not_rendered,
        verdict=tongue.text("The sender could not be verified: %(why)s", why=one.sender_verdict)
        if one.sender_verdict
        else "",
        origin=_origin(one),
        named=[f"@{name}" for name in names(one.text) if any(called(name, who) for who in told)],
        subject="" if plain(one.subject) in ("", plain(ticket.subject)) else plain(one.subject, 200),
    )


def _origin(one: Interaction) -> str:
    url = one.event_data.get("url", "")
    return url if url.startswith(("https://", "http://")) else ""


def _recipients(tongue: Tongue, one: Interaction) -> str:
    people = [plain(who.value, 120) for who in (*one.to, *one.cc)]
    if len(people) > 3:
        return tongue.text("%(people)s and %(n)s more", people=", ".join(people[:3]), n=len(people) - 3)
    return ", ".join(people)


def _trouble(tongue: Tongue, one: Interaction, state: str) -> Trouble:
    why = one.delivery_error or tongue.text("no reason was given")
    retry = Choice("retry", tongue.text("Try again"))
    leave = Choice("give_up", tongue.text("Leave it"))
    if state == "unknown":
        text = tongue.text("We do not know if this arrived: %(why)s", why=why)
        again = Choice("retry", tongue.text("Send again (it may arrive twice)"))
        return Trouble(
            state, text, (Choice("mark_sent", tongue.text("Mark as sent")), again, leave), one.id, one.delivery_id
        )
    text = (
        tongue.text("It came back: %(why)s", why=why)
        if state == "bounced"
        else tongue.text("It was not sent: %(why)s", why=why)
    )
    return Trouble(state, text, (retry, leave), one.id, one.delivery_id)


def happened(tongue: Tongue, one: Interaction, name: Callable[[str], str]) -> str:
    """An event in one sentence."""
    data = dict(one.event_data)
    who = name(one.author_id) if one.author_kind == "agent" else ""
    before, after = data.get("before", data.get("from", "")), data.get("after", data.get("to", ""))
    by = {"who": who or tongue.text("The desk")}
    event = one.event_name
    if event == "state_changed":
        return tongue.text("%(who)s: state %(state)s", state=tongue.word("state", after), **by)
    if event in ("assigned", "assignee_changed"):
        if after:
            return tongue.text("%(who)s: assigned to %(name)s", name=name(after), **by)
        return tongue.text("%(who)s: assigned to nobody", **by)
    if event in ("tagged", "tags_changed"):
        return tongue.text("%(who)s: tags %(tags)s", tags=after or "–", **by)
    if event == "priority_changed":
        return tongue.text("%(who)s: priority %(priority)s", priority=tongue.word("priority", after), **by)
    if event == "team_changed":
        return tongue.text("%(who)s: team %(team)s", team=after or "–", **by)
    if event == "subject_changed":
        return tongue.text("%(who)s: subject “%(subject)s”", subject=plain(after, 120), **by)
    detail = f"{before} → {after}" if before else after
    return f"{by['who']}: {tongue.word('event', event)} {plain(detail or one.text, 160)}".strip()


def last_seen(interactions: Sequence[Interaction]) -> str:
    """The newest message or answer: what a reply's writer has seen."""
    return next((one.id for one in reversed(interactions) if one.kind in ("message", "ack")), "")


def excerpt(text: str, limit: int = 600) -> str:
    """The beginning of a long text, cut at a word; the rest is said by an ellipsis."""
    if len(text) <= limit:
        return text
    return text[:limit].rsplit(" ", 1)[0] + " …"
