"""What people set up: sources, watches, notifiers. Each change checks the version its author saw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from services.kit.errors import Conflict, Invalid, NotFound
from services.kit.ids import new_id
from services.kit.secrets import SecretBox
from services.kit.uow import Database, Uow
from services.social.domain.watch import parse
from services.social.sources import kind, kinds
from services.social.store import alerts, config
from services.social.store.config import Notifier, SourceRow, Watch

SEVERITIES = ("notice", "serious", "crisis")


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

    def put_source(self, wanted: SourceRow, settings: Mapping[str, str], secrets: Mapping[str, str]) -> SourceRow:
        """Creates (without id) or changes a source; a secret that is not named keeps its value."""
        offered = kind(wanted.kind)
        names = {field.name: field for field in offered.fields}
        for name in [*settings, *secrets]:
            if name not in names:
                raise Invalid(f"The source {wanted.kind} has no setting {name}; it has {', '.join(names)}.", field=name)
        with self.database.read() as reader:
            before = config.find_source(reader, wanted.id) if wanted.id else None
        if wanted.id:
            before = _same(before, wanted.version, "source")
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
            cursor=before.cursor if before else "",
            last_success_us=before.last_success_us if before else 0,
            last_post_us=before.last_post_us if before else 0,
            version=(before.version if before else 0) + 1,
        )
        self.database.write(lambda uow: config.put_source(uow, row))
        return row

    def source_by_name(self, name: str) -> SourceRow:
        """A source by id, name or kind. Raises `NotFound`.

        The first batch of a kind makes its source; one that would need settings to read by itself begins switched off.
        """
        with self.database.read() as reader:
            rows = config.list_sources(reader)
        for names in ({row.id: row for row in rows}, {row.name: row for row in rows}, {row.kind: row for row in rows}):
            if name in names:
                return names[name]
        if name in kinds():
            handed_over = not any(field.required for field in kind(name).fields)
            row = SourceRow(id=new_id("src"), kind=name, name=name, enabled=int(handed_over), secrets=b"")
            self.database.write(lambda uow: config.put_source(uow, row))
            return row
        known = sorted({row.name for row in rows} | set(kinds()))
        raise NotFound(f"There is no source {name}; there are {', '.join(known)}.", field="source")

    def put_watch(self, wanted: Watch) -> Watch:
        """Creates (without id) or changes a watch; a changed query starts its detectors anew. Raises `BadQuery`."""
        parse(wanted.query)
        if not wanted.name.strip():
            raise Invalid("A watch needs a name.", field="name")
        with self.database.read() as reader:
            before = config.find_watch(reader, wanted.id) if wanted.id else None
            known = {row.id for row in config.list_sources(reader)}
        if wanted.id:
            before = _same(before, wanted.version, "watch")
        if strange := set(wanted.source_ids) - known:
            raise Invalid(f"There is no source {min(strange)}.", field="source_ids")
        row = replace(
            wanted,
            id=wanted.id or new_id("wat"),
            last_match_us=before.last_match_us if before else 0,
            version=(before.version if before else 0) + 1,
        )

        def write(uow: Uow) -> None:
            config.put_watch(uow, row)
            if before is not None and before.query != row.query:
                alerts.drop_series(uow, row.id)

        self.database.write(write)
        return row

    def delete_watch(self, watch_id: str, version: int) -> None:
        """Deletes a watch with its detectors; its mentions and alerts stay."""

        def write(uow: Uow) -> bool:
            alerts.drop_series(uow, watch_id)
            return config.delete_watch(uow, watch_id, version)

        if not self.database.write(write):
            raise Conflict("The watch was changed or deleted meanwhile; look at it again.")

    def put_notifier(self, wanted: Notifier, secret: str) -> Notifier:
        """Creates (without id) or changes who is told; an empty secret keeps the one there is."""
        _check_target(wanted.kind, wanted.target)
        if wanted.min_severity not in SEVERITIES:
            raise Invalid(f"A severity is one of {', '.join(SEVERITIES)}.", field="min_severity")
        with self.database.read() as reader:
            before = config.find_notifier(reader, wanted.id) if wanted.id else None
        if wanted.id:
            before = _same(before, wanted.version, "notifier")
        own = wanted.id or new_id("ntf")
        if wanted.kind == "webhook" and not secret and not (before and before.secret):
            raise Invalid("A webhook needs a secret to sign with.", field="secret")
        sealed = self.secrets.seal(secret, owner=own) if secret else before.secret if before else b""
        row = replace(wanted, id=own, secret=sealed, version=(before.version if before else 0) + 1)
        self.database.write(lambda uow: config.put_notifier(uow, row))
        return row


def _check_target(kind_of: str, target: str) -> None:
    if kind_of == "email":
        if target.count("@") != 1 or any(letter in target for letter in " \r\n,;<>"):
            raise Invalid("Write one e-mail address.", field="target")
    elif kind_of == "webhook":
        if urlsplit(target).scheme not in {"http", "https"}:
            raise Invalid("Write the webhook's address with https://.", field="target")
    else:
        raise Invalid("A notifier is an email or a webhook.", field="kind")
