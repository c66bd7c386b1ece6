"""Tickets as rows: what waits, since when, what presses, and why a row no longer belongs where it stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from services.desk.clients.base import moment
from services.desk.clients.messages import Ticket
from services.desk.clients.tickets import state_word
from services.desk.i18n import Tongue
from services.desk.pages import words
from services.desk.pages.prose import plain
from services.desk.pages.views import Channel, Mark, Other, Row, View
from services.desk.store.presence import Seat
from services.kit.principal import Person

_DONE = ("solved", "closed", "spam")
_SHARE_LEFT = 0.25  # of the promise: from here on it is worth a chip


def channel_of(tongue: Tongue, ticket: Ticket) -> Channel:
    """The ticket's channel as a badge; an answer by another channel makes it a form."""
    able = ticket.capabilities
    if able.replies_by:
        return Channel(tongue.word("channel", ticket.channel), "form")
    return words.channel(tongue, ticket.channel, letters=able.letters, live=able.live, public=able.public)


def due(tongue: Tongue, ticket: Ticket) -> tuple[str, str, datetime | None]:
    """The promise's chip, its kind and its moment; empty words while there is time."""
    until = moment(ticket, "due_at")
    if until is None or moment(ticket, "first_response_at") is not None or state_word(ticket.state) in _DONE:
        return "", "", until
    left = (until - tongue.now).total_seconds()
    if left < 0:
        return tongue.text("late %(time)s", time=tongue.rough(-left)), "danger", until
    began = moment(ticket, "waiting_since") or moment(ticket, "opened_at") or tongue.now
    whole = max(1.0, (until - began).total_seconds())
    if left <= max(whole * _SHARE_LEFT, 60):
        return tongue.text("due %(time)s", time=tongue.rough(left)), "warning", until
    return "", "", until


def row(
    tongue: Tongue,
    ticket: Ticket,
    *,
    me: str,
    owner: str = "",
    drafted: bool = False,
    gone: str = "",
    who: str = "",
    here: Sequence[Seat] = (),
) -> Row:
    """One line of the inbox; `who` is the customer's name where the ticket does not carry it."""
    state = state_word(ticket.state)
    chip, kind, _ = due(tongue, ticket)
    waits = moment(ticket, "waiting_since")
    waiting = "" if waits else tongue.text("waiting for the customer") if state == "waiting" else ""
    if not waits and not waiting:
        last = moment(ticket, "last_interaction_at")
        waiting = tongue.when(last) if last else ""
    return Row(
        id=ticket.id,
        number=ticket.number,
        version=ticket.rev,
        customer=plain(ticket.customer_name or who, 80) or tongue.text("Unknown"),
        channel=channel_of(tongue, ticket),
        subject=plain(ticket.subject or ticket.excerpt, 160) or tongue.text("(no subject)"),
        messages=ticket.interactions,
        unread=waits is not None and (state == "new" or ticket.assignee in ("", me)),
        waiting_since=waits,
        waiting=waiting,
        due=chip,
        due_kind=kind,
        marks=[*_marks(tongue, ticket, drafted=drafted), *presence(tongue, here)],
        tags=[plain(tag, 40) for tag in ticket.tags],
        owner=owner,
        gone=gone,
        language=ticket.language,
    )


def _marks(tongue: Tongue, ticket: Ticket, *, drafted: bool) -> Sequence[Mark]:
    marks = (
        (ticket.tone == "negative", Mark("frown", tongue.text("negative tone"), bad=True)),
        (ticket.has_attachments, Mark("clip", tongue.text("with attachment"))),
        (bool(ticket.alert_id), Mark("alert", tongue.text("linked to an alert"))),
        (ticket.delivery_trouble, Mark("bounce", tongue.text("an answer did not arrive"), bad=True)),
        (drafted, Mark("pencil", tongue.text("your draft"))),
        (bool(ticket.not_rendered), Mark("code", tongue.text("not rendered"))),
    )
    return [mark for wanted, mark in marks if wanted]


def presence(tongue: Tongue, here: Sequence[Seat]) -> list[Mark]:
    """Who is at the ticket: a pencil where somebody writes, else an eye."""
    if not here:
        return []
    names = [tongue.text("%(name)s is replying", name=one.name) for one in here if one.doing == "writing"]
    glyph = "pencil" if names else "eye"
    names += [tongue.text("%(name)s is looking", name=one.name) for one in here if one.doing != "writing"]
    return [Mark(glyph, ", ".join(names), others=True)]


def gone(tongue: Tongue, ticket: Ticket, view: str, person: Person, owner: str) -> str:
    """Why the ticket no longer belongs to the view, in words; empty while it does."""
    state = state_word(ticket.state)
    if view == "all":
        return tongue.word("state", state) if state == "spam" else ""
    if view in ("spam", "waiting", "solved"):
        return "" if state == view else tongue.word("state", state)
    if state in _DONE or (view == "unassigned" and state == "waiting"):
        return tongue.word("state", state)
    if view == "mine" and ticket.assignee != person.user_id:
        return tongue.text("with %(name)s", name=owner) if owner else tongue.text("no longer yours")
    if view == "unassigned" and ticket.assignee:
        return tongue.text("with %(name)s", name=owner)
    if view == "team" and ticket.team not in person.teams:
        return ticket.team or tongue.text("no team")
    if view == "chats" and not ticket.capabilities.live:
        return tongue.word("channel", ticket.channel)
    return ""


def other(tongue: Tongue, ticket: Ticket) -> Other:
    """A ticket as one line of the customer's pane."""
    at = moment(ticket, "changed_at") or moment(ticket, "opened_at")
    parts = [tongue.word("channel", ticket.channel), tongue.word("state", state_word(ticket.state))]
    if at:
        parts.append(tongue.when(at))
    chip, kind, _ = due(tongue, ticket)
    subject = plain(ticket.subject or ticket.excerpt, 90) or tongue.text("(no subject)")
    return Other(ticket.number, subject, ", ".join(parts), late=chip if kind == "danger" else "")


def is_open(ticket: Ticket) -> bool:
    """Whether something may still be said on it by itself."""
    return state_word(ticket.state) not in _DONE


def views(
    tongue: Tongue, counts: dict[str, int], late: dict[str, int], current: str, teams: Collection[str]
) -> list[tuple[str, list[View]]]:
    """The inbox's views with counts, in two groups."""
    labels = view_labels(tongue)

    def view(key: str) -> View:
        return View(key, labels[key], counts.get(key, 0), late.get(key, 0), current=key == current)

    todo = [key for key in ("mine", "named", "unassigned", "team", "chats") if key != "team" or teams]
    return [
        (tongue.text("To do"), [view(key) for key in todo]),
        (tongue.text("All of them"), [view(key) for key in ("open", "waiting", "solved", "all", "spam")]),
    ]


def view_labels(tongue: Tongue) -> dict[str, str]:
    """Names of the views."""
    return {
        "mine": tongue.text("Mine"),
        "named": tongue.text("Names me"),
        "unassigned": tongue.text("Unassigned"),
        "team": tongue.text("My team"),
        "chats": tongue.text("Chats"),
        "open": tongue.text("Open"),
        "waiting": tongue.text("Waiting"),
        "solved": tongue.text("Solved"),
        "all": tongue.text("All"),
        "spam": tongue.text("Spam"),
    }
