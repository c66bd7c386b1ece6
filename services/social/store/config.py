"""Rows of what people configure: sources, watches, notifiers; and the notices on their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow
from services.social.store.rows import Mapper


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One configured source; see `tables.SOURCES`. `settings` is JSON, `secrets` sealed JSON."""

    id: str
    kind: str
    name: str
    brand_id: str = ""
    enabled: int = 1
    settings: str = "{}"
    secrets: bytes = b""
    secret_names: tuple[str, ...] = ()
    state: str = "on"
    last_error: str = ""
    last_success_us: int = 0
    last_post_us: int = 0
    retry_us: int = 0
    cursor: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One watch."""

    id: str
    name: str
    brand_id: str
    query: str
    source_ids: tuple[str, ...] = ()
    alerting: int = 1
    last_match_us: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """Somebody who is told of alerts; `secret` is sealed."""

    id: str
    kind: str
    target: str
    secret: bytes = b""
    enabled: int = 1
    brand_id: str = ""
    min_severity: str = "notice"
    last_error: str = ""
    last_success_us: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One telling of one alert to one notifier."""

    id: str
    notifier_id: str
    alert_id: str
    cause: str
    state: str = "waiting"
    attempts: int = 0
    due_us: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time of a source that was not heard and can no longer be read."""

    source_id: str
    from_us: int
    until_us: int


SOURCES = Mapper("sources", SourceRow)
GAPS = Mapper("gaps", Gap, key=("source_id", "from_us"))
WATCHES = Mapper("watches", Watch)
NOTIFIERS = Mapper("notifiers", Notifier)
NOTICES = Mapper("notices", Notice)

_FOR_EVER = 1 << 62

_SOURCES = SOURCES.query("ORDER BY name, id")
_WATCHES = WATCHES.query("ORDER BY name, id")
_NOTIFIERS = NOTIFIERS.query("ORDER BY target, id")
_DELETE_WATCH = Sql("DELETE FROM watches WHERE id = :id AND (:version = 0 OR version = :version)")
_MATCHED = Sql("UPDATE watches SET last_match_us = :at_us WHERE id = :id AND last_match_us < :at_us")
_PROGRESS = Sql(
    "UPDATE sources SET cursor = :cursor, state = 'on', last_error = '', retry_us = 0, last_success_us = :now_us WHERE id = :id"
)
_POSTED = Sql("UPDATE sources SET last_post_us = :post_us WHERE id = :id AND last_post_us < :post_us")
_LISTENED = Sql("UPDATE sources SET last_success_us = :now_us WHERE id = :id AND state = 'on'")
_LATER_GAPS = GAPS.query("WHERE until_us > :since_us ORDER BY from_us")
_TROUBLE = Sql("UPDATE sources SET state = :state, last_error = :error, retry_us = :retry_us WHERE id = :id")
_DUE = NOTICES.query("WHERE state IN ('waiting', 'sending') AND due_us <= :now_us ORDER BY due_us LIMIT :limit")
_CLAIM = Sql(
    "UPDATE notices SET state = 'sending', attempts = attempts + 1, due_us = :until_us WHERE id = :id AND due_us <= :now_us AND state IN ('waiting', 'sending')"
)
_HASTEN = Sql("UPDATE notices SET due_us = :latest_us WHERE state IN ('waiting', 'sending') AND due_us > :latest_us")
_TOLD = Sql("UPDATE notices SET state = :state, error = :error, due_us = :due_us WHERE id = :id")
_HEARD = Sql(
    "UPDATE notifiers SET last_error = :error,"
    " last_success_us = CASE WHEN :at_us > last_success_us THEN :at_us ELSE last_success_us END WHERE id = :id"
)


def list_sources(reader: Reader) -> list[SourceRow]:
    """All sources, by name."""
    return [SOURCES.make(row) for row in reader.rows(_SOURCES)]


def find_source(reader: Reader, source_id: str) -> SourceRow | None:
    """A source, or None."""
    row = reader.row(SOURCES.by_key, {"id": source_id})
    return SOURCES.make(row) if row else None


def put_source(uow: Uow, source: SourceRow) -> None:
    """Stores a source, new or changed."""
    if uow.execute(SOURCES.update, SOURCES.params(source)) == 0:
        uow.execute(SOURCES.insert, SOURCES.params(source))


def progress(uow: Uow, source_id: str, *, cursor: str, now_us: int) -> None:
    """A read worked: where to go on, in the transaction that stored what it found."""
    uow.execute(_PROGRESS, {"id": source_id, "cursor": cursor, "now_us": now_us})


def listened(uow: Uow, source_id: str, now_us: int) -> None:
    """A stream is held: nothing that was said until now was missed."""
    uow.execute(_LISTENED, {"id": source_id, "now_us": now_us})


def posted(uow: Uow, source_id: str, post_us: int) -> None:
    """Notes when the newest post of a source was written."""
    uow.execute(_POSTED, {"id": source_id, "post_us": post_us})


def add_gap(uow: Uow, gap: Gap) -> None:
    """Notes a time of which nothing is known."""
    uow.execute(GAPS.insert, GAPS.params(gap))


def list_gaps(reader: Reader, sources: Sequence[SourceRow], since_us: int) -> list[Gap]:
    """Times since then of which nothing is known, of these sources: lost ones, and since when one that fails is unheard."""
    sources = [source for source in sources if source.enabled] or sources
    own = {source.id for source in sources}
    lost = [gap for row in reader.rows(_LATER_GAPS, {"since_us": since_us}) if (gap := GAPS.make(row)).source_id in own]
    unheard = [
        Gap(source_id=source.id, from_us=source.last_success_us, until_us=_FOR_EVER)
        for source in sources
        if source.last_success_us and not (source.enabled and source.state == "on")
    ]
    return lost + unheard


def trouble(uow: Uow, source_id: str, *, state: str, error: str, retry_us: int) -> None:
    """A read failed: why, and when the next one is."""
    uow.execute(_TROUBLE, {"id": source_id, "state": state, "error": error, "retry_us": retry_us})


def reads(sources: Sequence[SourceRow], kind: str, source_ids: Sequence[str]) -> list[SourceRow]:
    """The sources of a kind that a watch reads; no `source_ids`: every one."""
    return [source for source in sources if source.kind == kind and (not source_ids or source.id in source_ids)]


def heard_until(sources: Sequence[SourceRow]) -> int:
    """Up to when all of these were heard; 0 where none is. One that never worked has told nothing that could be missed."""
    return min((source.last_success_us for source in sources if source.enabled and source.last_success_us), default=0)


def list_watches(reader: Reader) -> list[Watch]:
    """All watches, by name."""
    return [WATCHES.make(row) for row in reader.rows(_WATCHES)]


def find_watch(reader: Reader, watch_id: str) -> Watch | None:
    """A watch, or None."""
    row = reader.row(WATCHES.by_key, {"id": watch_id})
    return WATCHES.make(row) if row else None


def put_watch(uow: Uow, watch: Watch) -> None:
    """Stores a watch, new or changed."""
    if uow.execute(WATCHES.update, WATCHES.params(watch)) == 0:
        uow.execute(WATCHES.insert, WATCHES.params(watch))


def delete_watch(uow: Uow, watch_id: str, version: int) -> bool:
    """Deletes a watch, if it is still the version seen (0: whatever it is)."""
    return uow.execute(_DELETE_WATCH, {"id": watch_id, "version": version}) == 1


def matched(uow: Uow, latest: Mapping[str, int]) -> None:
    """Notes when watches last found something."""
    uow.execute_many(_MATCHED, [{"id": own, "at_us": at_us} for own, at_us in latest.items()])


def list_notifiers(reader: Reader) -> list[Notifier]:
    """All notifiers."""
    return [NOTIFIERS.make(row) for row in reader.rows(_NOTIFIERS)]


def find_notifier(reader: Reader, notifier_id: str) -> Notifier | None:
    """A notifier, or None."""
    row = reader.row(NOTIFIERS.by_key, {"id": notifier_id})
    return NOTIFIERS.make(row) if row else None


def put_notifier(uow: Uow, notifier: Notifier) -> None:
    """Stores a notifier, new or changed."""
    if uow.execute(NOTIFIERS.update, NOTIFIERS.params(notifier)) == 0:
        uow.execute(NOTIFIERS.insert, NOTIFIERS.params(notifier))


def add_notices(uow: Uow, notices: Sequence[Notice]) -> None:
    """Queues notices; the same cause of an alert is told a notifier once."""
    uow.execute_many(NOTICES.insert, [NOTICES.params(one) for one in notices])


def list_due(reader: Reader, now_us: int, limit: int = 20) -> list[Notice]:
    """Notices whose time has come, a sender's that did not come back included."""
    return [NOTICES.make(row) for row in reader.rows(_DUE, {"now_us": now_us, "limit": limit})]


def claim_notice(uow: Uow, notice_id: str, *, now_us: int, until_us: int) -> bool:
    """Takes a notice for sending; false when another has it."""
    return uow.execute(_CLAIM, {"id": notice_id, "now_us": now_us, "until_us": until_us}) == 1


def hasten_notices(uow: Uow, latest_us: int) -> int:
    """Lets none wait longer than until `latest_us`; returns how many would have."""
    return uow.execute(_HASTEN, {"latest_us": latest_us})


def told(uow: Uow, notice: Notice, *, state: str, error: str, due_us: int, now_us: int) -> None:
    """The outcome of a notice, on it and on its notifier."""
    uow.execute(_TOLD, {"id": notice.id, "state": state, "error": error, "due_us": due_us})
    uow.execute(_HEARD, {"id": notice.notifier_id, "error": error, "at_us": now_us if state == "sent" else 0})
