"""What people do to mentions and alerts. Every change draws a revision, is an event, and stands in the timeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from services.kit.clock import Clock
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.principal import Person
from services.kit.uow import Database, Mode, Uow
from services.social import wire
from services.social.domain import alert as alert_domain
from services.social.domain import mention as mention_domain
from services.social.store import alerts, mentions
from services.social.store.alerts import Alert
from services.social.store.mentions import TONES, Mention
from services.social.store.rows import LOCK
from services.social.usecases.episodes import change


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionAct:
    """One act on a mention: take, release, seen, answered, ignore (needs a reason), tone, link_ticket, removed."""

    act: str
    user_id: str = ""
    tone: int = 0
    ticket_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertAct:
    """One act on an alert; `version` 0 means "as it is now"."""

    act: str
    user_id: str = ""
    version: int = 0
    until: datetime | None = None
    until_end: bool = False  # of its episode
    reason: str = ""
    cause: str = ""
    ticket_id: str = ""
    assignee: str = ""


def change_mention(database: Database, mention_id: str, act: MentionAct, person: Person, clock: Clock) -> Mention:
    """Applies an act. Raises `NotFound`, also for another brand's mention, and what the domain raises."""

    def write(uow: Uow) -> Mention:
        uow.lock(LOCK)
        row = mentions.find_mentions(uow, [mention_id]).get(mention_id)
        if row is None or not visible(row, person):
            raise NotFound(f"There is no mention {mention_id}.")
        noun = mentions.noun(row)
        changed = _apply_to_mention(noun, act, clock.now())
        if changed == noun:
            return row
        after = replace(mentions.with_noun(row, changed), rev=uow.next_revs(1)[0])
        mentions.save_mentions(uow, [after])
        make = wire.mention_removed if act.act == "removed" else wire.mention_scored
        uow.emit(make(after, Mode.LIVE))
        if act.act in {"link_ticket", "answered"}:
            _note_answer(uow, after, act, clock)
        return after

    return database.write(write)


def _apply_to_mention(noun: mention_domain.Mention, act: MentionAct, now: datetime) -> mention_domain.Mention:
    acts: dict[str, Callable[[], mention_domain.Mention]] = {
        "take": lambda: mention_domain.take(noun, act.user_id),
        "release": lambda: mention_domain.release(noun),
        "seen": lambda: mention_domain.see(noun),
        "answered": lambda: mention_domain.answer(noun),
        "ignore": lambda: mention_domain.ignore(noun, act.reason),
        "tone": lambda: mention_domain.correct_tone(noun, TONES[act.tone]),
        "link_ticket": lambda: mention_domain.link_ticket(noun, act.ticket_id),
        "removed": lambda: mention_domain.remove(noun, now),
    }
    if act.act not in acts:
        raise Invalid(f"There is no act {act.act}; there are {', '.join(acts)}.", field="act")
    return acts[act.act]()


def _note_answer(uow: Uow, mention: Mention, act: MentionAct, clock: Clock) -> None:
    """The first answer to an alert's post counts as the alert's."""
    for alert_id in alerts.alerts_of(uow, [mention.id]).get(mention.id, []):
        row = alerts.find_alert(uow, alert_id)
        if row is not None and not row.answered_us:
            after = alert_domain.answer(alerts.noun(row), at=clock.now())
            change(uow, row, after, "answered", clock, by=act.user_id, detail=mention.id)


def change_alert(database: Database, alert_id: str, act: AlertAct, person: Person, clock: Clock) -> Alert:
    """Applies an act. Raises `NotFound`, `Conflict` with the present alert as detail, and what the domain raises."""

    def write(uow: Uow) -> Alert:
        uow.lock(LOCK)
        row = alerts.find_alert(uow, alert_id)
        if row is None or not person.sees_brand(row.brand_id):
            raise NotFound(f"There is no alert {alert_id}.")
        noun = alerts.noun(row)
        try:
            changed = _apply_to_alert(noun, act, clock.now())
        except Conflict as conflict:
            conflict.detail = wire.alert(row).SerializeToString()
            raise
        detail = act.reason or act.cause or act.ticket_id or act.assignee
        return change(uow, row, changed, act.act, clock, by=act.user_id, detail=detail)

    return database.write(write)


def _apply_to_alert(noun: alert_domain.Alert, act: AlertAct, now: datetime) -> alert_domain.Alert:
    version = act.version or noun.version
    acts: dict[str, Callable[[], alert_domain.Alert]] = {
        "claim": lambda: alert_domain.claim(noun, act.user_id, version=version, at=now),
        "assign": lambda: alert_domain.assign(noun, act.assignee, version=version, at=now),
        "mute": lambda: alert_domain.mute(
            noun, until=act.until, to_end=act.until_end, reason=act.reason, version=version, at=now
        ),
        "unmute": lambda: alert_domain.unmute(noun, version=version, at=now),
        "escalate": lambda: alert_domain.escalate(noun, to=act.assignee, version=version, at=now),
        "resolve": lambda: alert_domain.resolve(noun, cause=act.cause, version=version, at=now),
        "false_alarm": lambda: alert_domain.call_false(noun, kind=act.cause, version=version, at=now),
        "link_ticket": lambda: alert_domain.link_ticket(noun, act.ticket_id, at=now),
    }
    if act.act not in acts:
        raise Invalid(f"There is no act {act.act}; there are {', '.join(acts)}.", field="act")
    return acts[act.act]()


def visible(row: Mention, person: Person) -> bool:
    """Whether a mention exists for a person: one of no brand does for everybody."""
    return not row.brand_ids or any(person.sees_brand(brand) for brand in row.brand_ids)
