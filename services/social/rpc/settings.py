"""Watches, sources and notifiers, as people set them up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ascolto.common.v1.envelope_pb2 import Empty
from ascolto.social.v1 import service_pb2 as pb
from services.kit.errors import Forbidden
from services.kit.principal import Person
from services.kit.rpc import person_of
from services.social import wire
from services.social.domain.watch import BadQuery, Matcher, lint, parse, render, x_rules
from services.social.domain.watch import Post as WatchedPost
from services.social.rpc.deps import Calls
from services.social.sources import kinds
from services.social.store import config, mentions
from services.social.store.config import Notifier, SourceRow, Watch
from services.social.store.rows import micros
from services.social.usecases.act import visible

_NEWEST = 20
_LOOKED_AT = 2000


class SettingCalls(Calls):
    """See the module."""

    def ListWatches(self, request: Empty, context: Any) -> pb.ListWatchesResponse:
        """All watches of the caller's brands with their last 24 hours."""
        person = person_of(context)
        since_us = micros(self._deps.clock.now() - timedelta(hours=24))
        with self._deps.database.read() as reader:
            listed = [
                wire.watch(row, per_hour=mentions.per_hour(reader, row.id, since_us), lint=_lint(row.query))
                for row in config.list_watches(reader)
                if person.sees_brand(row.brand_id)
            ]
        return pb.ListWatchesResponse(watches=listed)

    def PutWatch(self, request: pb.Watch, context: Any) -> pb.Watch:
        """Creates or changes a watch; it listens from the next post on."""
        with self._deps.database.read() as reader:
            before = config.find_watch(reader, request.id)
        _own(person_of(context), request.brand_id, before.brand_id if before else request.brand_id)
        wanted = Watch(
            id=request.id,
            name=request.name.strip(),
            brand_id=request.brand_id,
            query=request.query,
            source_ids=tuple(request.source_ids),
            alerting=int(request.alerting),
            version=request.version,
        )
        row = self._deps.configure.put_watch(wanted)
        self._deps.watching.changed()
        return wire.watch(row, lint=_lint(row.query))

    def DeleteWatch(self, request: pb.DeleteWatchRequest, context: Any) -> Empty:
        """Deletes a watch; what it found stays."""
        with self._deps.database.read() as reader:
            before = config.find_watch(reader, request.id)
        _own(person_of(context), before.brand_id if before else "")
        self._deps.configure.delete_watch(request.id, request.version)
        self._deps.watching.changed()
        return Empty()

    def CheckQuery(self, request: pb.CheckQueryRequest, context: Any) -> pb.CheckQueryResponse:
        """What a query means, its faults, and the newest mentions it matches; a bad query is an answer, not an error."""
        try:
            tree = parse(request.query)
        except BadQuery:
            return pb.CheckQueryResponse(faults=[_fault(one) for one in lint(request.query)])
        matcher = Matcher(tree)
        person = person_of(context)
        with self._deps.database.read() as reader:
            newest = mentions.list_newest(reader, micros(self._deps.clock.now()) + 1, _LOOKED_AT)
        found = []
        for row in newest:
            post = WatchedPost(
                text=row.text,
                title=row.title,
                author=row.author_handle,
                language=row.language,
                source=row.source,
                followers=row.followers,
                tone=mentions.TONES[row.tone].value,
                url=row.url,
            )
            if visible(row, person) and matcher.match(post) is not None:
                found.append(wire.mention(row))
                if len(found) == _NEWEST:
                    break
        return pb.CheckQueryResponse(
            faults=[_fault(one) for one in lint(request.query)],
            x_rule=" / ".join(x_rules(tree)),
            newest=found,
            meaning=render(tree),
        )

    def ListSources(self, request: Empty, context: Any) -> pb.ListSourcesResponse:
        """All sources and the kinds there are."""
        person = person_of(context)
        with self._deps.database.read() as reader:
            rows = [row for row in config.list_sources(reader) if not row.brand_id or person.sees_brand(row.brand_id)]
        offered = [
            pb.SourceKind(id=one.id, can_reply=one.can_reply, fields=[wire.field(field) for field in one.fields])
            for one in kinds().values()
        ]
        return pb.ListSourcesResponse(sources=[wire.source(row) for row in rows], kinds=offered)

    def PutSource(self, request: pb.PutSourceRequest, context: Any) -> pb.Source:
        """Creates or changes a source; its reader begins anew."""
        with self._deps.database.read() as reader:
            before = config.find_source(reader, request.id)
        _own(person_of(context), request.brand_id, before.brand_id if before else request.brand_id)
        wanted = SourceRow(
            id=request.id,
            kind=request.kind,
            name=request.name,
            brand_id=request.brand_id,
            enabled=int(request.on),
            version=request.version,
        )
        return wire.source(self._deps.configure.put_source(wanted, dict(request.settings), dict(request.secrets)))

    def PutNotifier(self, request: pb.Notifier, context: Any) -> pb.Notifier:
        """Creates or changes who is told of alerts."""
        with self._deps.database.read() as reader:
            before = config.find_notifier(reader, request.id)
        _own(person_of(context), request.brand_id, before.brand_id if before else request.brand_id)
        wanted = Notifier(
            id=request.id,
            kind=request.kind,
            target=request.target.strip(),
            enabled=int(request.on),
            brand_id=request.brand_id,
            min_severity=request.min_severity or "notice",
            version=request.version,
        )
        return wire.notifier(self._deps.configure.put_notifier(wanted, request.secret))

    def ListNotifiers(self, request: Empty, context: Any) -> pb.ListNotifiersResponse:
        """Who is told of alerts."""
        person = person_of(context)
        with self._deps.database.read() as reader:
            rows = [row for row in config.list_notifiers(reader) if person.sees_brand(row.brand_id)]
        return pb.ListNotifiersResponse(notifiers=[wire.notifier(row) for row in rows])


def _own(person: Person, *brands: str) -> None:
    """Raises `Forbidden` where a setting is, or would become, another brand's, or everybody's."""
    if not all(map(person.sees_brand, brands)):
        raise Forbidden("This belongs to a brand you do not work for; ask somebody who sees every brand.")


def _lint(query: str) -> str:
    return " ".join(f"{fault.message} {fault.hint}".strip() for fault in lint(query))


def _fault(one: Any) -> pb.Fault:
    return pb.Fault(position=one.position, message=one.message, hint=one.hint, blocking=one.blocking)
