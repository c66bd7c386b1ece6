"""Acts on tickets, mentions and alerts that pages and API share: each is one call, or a few in the one right order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from services.desk.domain.naming import named, names
from services.desk.domain.roles import TICKETS_READ, TICKETS_WRITE
from services.desk.domain.writing import Draft
from services.kit.errors import AscoltoError, Conflict, Invalid, NotFound
from services.kit.ids import new_id
from services.kit.principal import Person

if TYPE_CHECKING:
    from services.desk.clients import Clients
    from services.desk.clients.directory import Directory
    from services.desk.clients.messages import Alert, Interaction, Mention, ReplyResponse, Ticket, Unseen
    from services.desk.usecases.writing import Writing

CAUSES = ("solved", "answered", "not_ours", "passed")
_UNCERTAIN = frozenset({"unavailable", "internal"})  # the other side may have done it all the same
NOT_REAL = ("irrelevant", "expected", "wrong_tone", "duplicate")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent wants said. `key` makes a resend a no-op; empty, one is made."""

    text: str
    html: str = ""
    uploads: Sequence[str] = ()  # ids of one's own files
    last_seen: str = ""
    key: str = ""
    anyway: bool = False
    undo_s: int = 0
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    then_state: str = ""
    public_confirmed: bool = False


class Held(Conflict):
    """An answer that was not sent: its writer had not seen `unseen`."""

    def __init__(self, message: str, unseen: Unseen, detail: bytes) -> None:
        super().__init__(message, detail=detail)
        self.unseen = unseen


class Acts:
    """The acts, on a person's behalf. Rights are checked by the services called."""

    def __init__(self, clients: Clients, writing: Writing, directory: Directory) -> None:
        self._clients, self._writing, self._directory = clients, writing, directory

    def reply(self, person: Person, ticket_id: str, answer: Answer) -> ReplyResponse:
        """Asks for the answer to be sent after its undo window; the draft goes when it was taken.

        Idempotent by `key`. Raises `Held` with what the writer had not seen, `Invalid` for an empty answer.
        """
        files = self._writing.uploads(person.user_id, answer.uploads)
        if len(files) != len(answer.uploads):
            raise Invalid("One of the files is no longer there; attach it again.", field="attachments")
        if not (answer.text.strip() or answer.html.strip() or files):
            raise Invalid("Write something, or attach a file.", field="text")
        # Held before the call: a crash right after it must not leave an answer whose file is swept.
        self._writing.mark(person.user_id, answer.uploads, sent=True)
        try:
            response = self._clients.tickets.reply(
                person,
                ticket_id=ticket_id,
                text=answer.text,
                html=answer.html,
                attachments=self._clients.tickets.blobs(files),
                last_seen=answer.last_seen,
                key=answer.key or new_id("key"),
                anyway=answer.anyway,
                undo_s=answer.undo_s,
                to=answer.to,
                cc=answer.cc,
                then_state=answer.then_state,
                public_confirmed=answer.public_confirmed,
            )
        except AscoltoError as error:
            if error.kind not in _UNCERTAIN:
                self._writing.mark(person.user_id, answer.uploads, sent=False)
            if not isinstance(error, Conflict) or not error.detail:
                raise
            unseen = self._clients.tickets.unseen(error.detail)
            raise Held(error.message, unseen, error.detail) from error
        held = {blob.key for blob in response.interaction.attachments}  # of a repeat, the files of the first time
        self._writing.mark(person.user_id, [one.id for one in files if one.blob_key not in held], sent=False)
        self._writing.drop(ticket_id, person.user_id, "reply")
        return response

    def undo_reply(self, person: Person, *, ticket_id: str, reply_id: str, draft: Draft | None = None) -> bool:
        """Stops an answer that has not left; gives its draft back exactly. False: it has left already."""
        if not self._clients.intake.cancel(person, reply_id=reply_id, ticket_id=ticket_id):
            return False
        if draft is not None:
            self._writing.mark(person.user_id, draft.upload_ids, sent=False)
            self._writing.save(draft)
        return True

    def note(
        self, person: Person, ticket_id: str, *, text: str, key: str = "", uploads: Sequence[str] = ()
    ) -> Interaction:
        """Adds an internal note and tells the colleagues named in it by `@` who may read the ticket; its draft goes."""
        if not text.strip():
            raise Invalid("Write something.", field="text")
        files = self._writing.uploads(person.user_id, uploads)
        noted = self._clients.tickets.note(
            person,
            ticket_id=ticket_id,
            text=text,
            key=key or new_id("key"),
            attachments=self._clients.tickets.blobs(files),
            mentioned=self._mentioned(person, ticket_id, text),
        )
        self._writing.mark(person.user_id, [upload.id for upload in files], sent=True)
        self._writing.drop(ticket_id, person.user_id, "note")
        return noted

    def _mentioned(self, person: Person, ticket_id: str, text: str) -> Sequence[str]:
        if not names(text):
            return ()
        readers = [
            user
            for ticket in self._clients.tickets.rows(person, [ticket_id]).tickets
            for user in self._directory.readers(ticket.brand_id)
        ]
        return [user.id for user in named(text, readers) if user.id != person.user_id]

    def take(self, person: Person, ticket_id: str, *, version: int = 0) -> Ticket:
        """Makes the ticket one's own. Raises `Conflict` with the ticket when somebody took it first."""
        return self._clients.tickets.change(person, ticket_id=ticket_id, version=version, assignee=person.user_id)

    def assign(
        self, person: Person, ticket_id: str, *, version: int = 0, assignee: str | None = None, team: str | None = None
    ) -> Ticket:
        """Gives the ticket to a person or team; empty takes it away."""
        return self._clients.tickets.change(person, ticket_id=ticket_id, version=version, assignee=assignee, team=team)

    def set_state(self, person: Person, ticket_id: str, state: str, *, version: int = 0) -> Ticket:
        """Solves, reopens, waits, closes, marks as spam."""
        return self._clients.tickets.change(person, ticket_id=ticket_id, version=version, state=state)

    def tag(self, person: Person, ticket_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Ticket:
        """Adds and removes tags; never clashes."""
        return self._clients.tickets.change(person, ticket_id=ticket_id, add_tags=add, remove_tags=remove)

    def claim(self, person: Person, alert_id: str, *, version: int = 0) -> Alert:
        """Makes the alert one's own."""
        return self._clients.social.change_alert(person, id=alert_id, act="claim", version=version)

    def resolve(self, person: Person, alert_id: str, *, cause: str, version: int = 0) -> Alert:
        """Ends the alert, saying why."""
        if not cause.strip():
            raise Invalid("Say how it ended.", field="cause")
        return self._clients.social.change_alert(person, id=alert_id, act="resolve", cause=cause, version=version)

    def false_alarm(self, person: Person, alert_id: str, *, cause: str, version: int = 0) -> Alert:
        """Marks the alert as none; `cause` is one of `NOT_REAL`."""
        if cause not in NOT_REAL:
            raise Invalid(f"Say which kind: {', '.join(NOT_REAL)}.", field="cause")
        return self._clients.social.change_alert(person, id=alert_id, act="false_alarm", cause=cause, version=version)

    def mute(
        self, person: Person, alert_id: str, *, until: datetime | None, reason: str, now: datetime, version: int = 0
    ) -> Alert:
        """Silences the alert until a moment, None: to the end of its episode; with a reason. Raises `Invalid` without one."""
        if until is not None and until <= now:
            raise Invalid("A mute needs an end in the future.", field="until")
        if not reason.strip():
            raise Invalid("Say why it is muted.", field="reason")
        return self._clients.social.change_alert(
            person, id=alert_id, act="mute", until=until, until_end=until is None, reason=reason, version=version
        )

    def alert_ticket(self, person: Person, alert_id: str) -> Ticket:
        """The alert's ticket, opened at the first call and linked to the alert; the same one afterwards."""
        person = _with_tickets(person)
        detail = self._clients.social.alert(person, alert_id)
        alert = detail.alert
        if alert.ticket_ids:
            found = self._ticket(person, alert.ticket_ids[0])
            if found is not None:
                return found
        post = self._clients.social.telling_post(detail)
        subject = f"{alert.watch_name}: {', '.join(alert.terms[:3])}".rstrip(": ")
        ticket = self._clients.tickets.open_from_mention(
            person, key=alert.id, mention=post, alert=alert, subject=subject
        )
        self._clients.social.change_alert(person, id=alert.id, act="link_ticket", ticket_id=ticket.id)
        return ticket

    def mention_ticket(self, person: Person, mention_id: str) -> Ticket:
        """The mention's ticket, opened at the first call and linked; the same one afterwards."""
        person = _with_tickets(person)
        mention = self._clients.social.mention(person, mention_id).mention
        if mention.ticket_id:
            found = self._ticket(person, mention.ticket_id)
            if found is not None:
                return found
        ticket = self._clients.tickets.open_from_mention(person, key=mention.id, mention=mention)
        self._clients.social.change_mention(person, id=mention.id, act="link_ticket", ticket_id=ticket.id)
        return ticket

    def take_mention(self, person: Person, mention_id: str) -> Mention:
        """Makes the mention one's own."""
        return self._clients.social.change_mention(person, id=mention_id, act="take")

    def _ticket(self, person: Person, ticket_id: str) -> Ticket | None:
        try:
            return self._clients.tickets.get(person, id=ticket_id).ticket
        except NotFound:
            return None


def _with_tickets(person: Person) -> Person:
    """The person with the right to open the ticket that their own right to act on alerts and mentions entails."""
    return Person(
        user_id=person.user_id,
        name=person.name,
        roles=person.roles,
        permissions=person.permissions | {TICKETS_READ, TICKETS_WRITE},
        brand_ids=person.brand_ids,
        teams=person.teams,
    )


def failed_quietly(error: AscoltoError) -> bool:
    """Whether the failure spoils only its own part of a page: the other side is away."""
    return error.kind == "unavailable"
