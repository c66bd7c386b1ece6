"""What people set up: sources, watches, notifiers. Each change checks the version its author saw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from services.kit.clock import Clock
from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.ids import new_id
from services.kit.secrets import SecretBox
from services.kit.uow import Database, Uow
from services.social.domain.alert import SEVERITIES
from services.social.domain.watch import parse
from services.social.sources import kind, kinds
from services.social.store import config
from services.social.store.config import Notifier, SourceRow, Watch
from services.social.usecases.episodes import end_of_watch


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


V = TypeVar("V", bound=_Versioned)


def _same(found: V | None, version: int, what: str) -> V:
    if found is None:
        raise NotFound(f"There is no such {what}.")
    if version and found.version != version:
        raise Conflict(f"The {what} was changed meanwhile; look at it again and repeat your change.")
    return found


@dataclass(frozen=True, slots=True)
class Configure:
    """The use cases with what they need."""

    database: Database
    secrets: SecretBox
    clock: Clock

    def put_source(self, wanted: SourceRow, settings: Mapping[str, str], secrets: Mapping[str, str]) -> SourceRow:
        """Creates (without id) or changes a source; a secret that is not named keeps its value."""
        offered = kind(wanted.kind)
        names = {field.name: field for field in offered.fields}
        for name in [*settings, *secrets]:
            if name not in names:
                raise Invalid(f"The source {wanted.kind} has no setting {name}; it has {', '.join(names)}.", field=name)
        with self.database.read() as reader:
            before = config.find_source(reader, wanted.id) if wanted.id else None
        own = wanted.id or new_id("src")
        kept = json.loads(self.secrets.open(before.secrets, owner=own)) if before and before.secrets else {}
        kept |= {name: value for name, value in secrets.items() if value}
        for field in offered.fields:
            if field.required and not (kept if field.secret else settings).get(field.name):
                raise Invalid(f"{field.label} is needed.", field=field.name)
        row = SourceRow(
            id=own,
            kind=wanted.kind,
            name=wanted.name or wanted.kind,
            brand_id=wanted.brand_id,
            enabled=wanted.enabled,
            settings=json.dumps(dict(settings)),
            secrets=self.secrets.seal(json.dumps(kept), owner=own),
            secret_names=tuple(sorted(kept)),
        )

        def write(uow: Uow) -> SourceRow:
            now = config.find_source(uow, own)
            if wanted.id:
                now = _same(now, wanted.version or (before.version if before else 0), "source")
            made = row if now is None else _with_place(row, now)
            config.put_source(uow, made)
            return made

        return self.database.write(write)

    def source_by_name(self, name: str) -> SourceRow:
        """A source by id, name or kind. Raises `NotFound`.

        The first batch of a kind makes its source; one that would need settings to read by itself begins switched off.
        """
        with self.database.read() as reader:
            rows = config.list_sources(reader)
        if (found := _named(rows, name)) is not None:
            return found
        if name in kinds():
            handed_over = not any(field.required for field in kind(name).fields)
            row = SourceRow(id=new_id("src"), kind=name, name=name, enabled=int(handed_over), secrets=b"")

            def write(uow: Uow) -> SourceRow:  # two first batches at once make one source
                there = _named(config.list_sources(uow), name)
                if there is None:
                    config.put_source(uow, row)
                return there or row

            return self.database.write(write)
        known = sorted({row.name for row in rows} | set(kinds()))
        raise NotFound(f"There is no source {name}; there are {', '.join(known)}.", field="source")

    def put_watch(self, wanted: Watch) -> Watch:
        """Creates (without id) or changes a watch; a changed query starts its detectors anew. Raises `BadQuery`."""
        parse(wanted.query)
        if not wanted.name.strip():
            raise Invalid("A watch needs a name.", field="name")
        own = wanted.id or new_id("wat")

        def write(uow: Uow) -> Watch:
            before = _same(config.find_watch(uow, own), wanted.version, "watch") if wanted.id else None
            if strange := set(wanted.source_ids) - {row.id for row in config.list_sources(uow)}:
                raise Invalid(f"There is no source {min(strange)}.", field="source_ids")
            row = replace(
                wanted,
                id=own,
                last_match_us=before.last_match_us if before else 0,
                version=(before.version if before else 0) + 1,
            )
            config.put_watch(uow, row)
            if before is not None and before.query != row.query:
                end_of_watch(uow, own, self.clock)
            return row

        return self.database.write(write)

    def delete_watch(self, watch_id: str, version: int) -> None:
        """Deletes a watch with its detectors; its mentions and alerts stay."""

        def write(uow: Uow) -> None:
            if not config.delete_watch(uow, watch_id, version):
                raise Conflict("The watch was changed or deleted meanwhile; look at it again.")
            end_of_watch(uow, watch_id, self.clock)

        self.database.write(write)

    def put_notifier(self, wanted: Notifier, secret: str) -> Notifier:
        """Creates (without id) or changes who is told; an empty secret keeps the one there is."""
        _check_target(wanted.kind, wanted.target)
        if wanted.min_severity not in SEVERITIES:
            raise Invalid(f"A severity is one of {', '.join(SEVERITIES)}.", field="min_severity")
        own = wanted.id or new_id("ntf")
        sealed = self.secrets.seal(secret, owner=own) if secret else b""

        def write(uow: Uow) -> Notifier:
            before = _same(config.find_notifier(uow, own), wanted.version, "notifier") if wanted.id else None
            kept = sealed or (before.secret if before else b"")
            if wanted.kind == "webhook" and not kept:
                raise Invalid("A webhook needs a secret to sign with.", field="secret")
            row = replace(wanted, id=own, secret=kept, version=(before.version if before else 0) + 1)
            config.put_notifier(uow, row)
            return row

        return self.database.write(write)


def _named(rows: Sequence[SourceRow], name: str) -> SourceRow | None:
    """The source of an id, else of a name, else of a kind."""
    for names in ({row.id: row for row in rows}, {row.name: row for row in rows}, {row.kind: row for row in rows}):
        if name in names:
            return names[name]
    return None


def _with_place(row: SourceRow, now: SourceRow) -> SourceRow:
    """The changed source, reading on from where it is."""
    return replace(
        row,
        cursor=now.cursor,
        last_success_us=now.last_success_us,
        last_post_us=now.last_post_us,
        version=now.version + 1,
    )


def _check_target(kind_of: str, target: str) -> None:
    if kind_of == "email":
        if target.count("@") != 1 or any(letter in target for letter in " \r\n,;<>"):
            raise Invalid("Write one e-mail address.", field="target")
    elif kind_of == "webhook":
        if urlsplit(target).scheme not in {"http", "https"}:
            raise Invalid("Write the webhook's address with https://.", field="target")
    else:
        raise Invalid("A notifier is an email or a webhook.", field="kind")
