"""Mentions: taken in, listed, shown with what surrounds them, changed; pages of all for the index."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ascolto.social.v1 import events_pb2 as events
from ascolto.social.v1 import service_pb2 as pb
from services.kit.errors import Invalid, NotFound
from services.kit.rpc import person_of
from services.kit.uow import Mode
from services.social import wire
from services.social.domain.reason import of_term
from services.social.rpc.deps import Calls, limit_of
from services.social.sources import Post
from services.social.store import alerts, mentions, pages
from services.social.store.pages import MentionFilter
from services.social.usecases.act import MentionAct, change_mention, visible

_MOST_AT_ONCE = 1000
_LONGEST_SCAN = 500


class MentionCalls(Calls):
    """See the module."""

    def IngestMentions(self, request: pb.IngestMentionsRequest, context: Any) -> pb.IngestMentionsResponse:
        """Takes mentions in; a bad one is refused alone, naming its field."""
        if len(request.items) > _MOST_AT_ONCE:
            raise Invalid(f"At most {_MOST_AT_ONCE} mentions a call.", field="items")
        source = self._deps.configure.source_by_name(request.source)
        if source.brand_id and not person_of(context).sees_brand(source.brand_id):
            raise NotFound(f"There is no source {request.source}.", field="source")
        results: list[pb.IngestResult | None] = []
        posts: list[Post] = []
        for item in request.items:
            try:
                posts.append(wire.post(item))
                results.append(None)
            except Invalid as error:
                results.append(pb.IngestResult(error=error.message, field=error.field))
        mode = Mode.IMPORT if request.mode == Mode.IMPORT.value else Mode.LIVE
        taken = iter(self._deps.ingest(source, posts, mode=mode, keep_all=True))
        done = [result or _taken(next(taken)) for result in results]
        return pb.IngestMentionsResponse(items=done)

    def ListMentions(self, request: pb.ListMentionsRequest, context: Any) -> pb.ListMentionsResponse:
        """A page of mentions that the caller's brands have."""
        wanted = MentionFilter(
            watch_id=request.watch_id,
            source=request.source,
            tone=request.tone,
            state=request.state,
            brand_id=request.brand_id,
            brands=person_of(context).brand_ids,
            alert_id=request.alert_id,
            since_us=wire.micros(request.since),
            until_us=wire.micros(request.until),
            author=request.author,
            term=request.term,
            ids=tuple(request.ids),
        )
        with self._deps.database.read() as reader:
            if request.alert_id and request.term:  # as the alert's page counts it: by words, not by letters
                evidence = mentions.list_evidence(reader, request.alert_id)
                ids = of_term([(one.id, one.text, one.matched) for one in evidence], request.term)
                wanted = replace(wanted, term="", ids=ids or ("",))
            found, following, total = pages.page_of_mentions(
                reader, wanted, sort=request.sort, after=request.page.after, limit=limit_of(request.page)
            )
            linked = alerts.alerts_of(reader, [row.id for row in found])
        listed = [wire.mention(row, alert_ids=linked.get(row.id, ())) for row in found]
        return pb.ListMentionsResponse(mentions=listed, next=following, total=total)

    def GetMention(self, request: pb.GetMentionRequest, context: Any) -> pb.MentionDetail:
        """A mention with its copies, its thread and its alerts."""
        person = person_of(context)
        with self._deps.database.read() as reader:
            row = mentions.find_mentions(reader, [request.id]).get(request.id)
            if row is None or not visible(row, person):
                raise NotFound(f"There is no mention {request.id}.")
            copies = mentions.list_copies(reader, row.id)
            thread = mentions.list_thread(reader, row)
            linked = alerts.alerts_of(reader, [row.id]).get(row.id, [])
            found = [one for one in (alerts.find_alert(reader, own) for own in linked) if one is not None]
        seen = [one for one in found if person.sees_brand(one.brand_id)]
        return pb.MentionDetail(
            mention=wire.mention(row, alert_ids=[one.id for one in seen]),
            copies=[wire.mention(one) for one in copies if visible(one, person)],
            thread=[wire.mention(one) for one in thread if visible(one, person)],
            alerts=[wire.alert(one) for one in seen],
        )

    def ChangeMention(self, request: pb.ChangeMentionRequest, context: Any) -> events.Mention:
        """Take, ignore, mark seen, correct the tone, link a ticket."""
        person = person_of(context)
        act = MentionAct(
            act=request.act,
            user_id=request.user_id or person.user_id,
            tone=request.tone,
            ticket_id=request.ticket_id,
            reason=request.reason,
        )
        return wire.mention(change_mention(self._deps.database, request.id, act, person, self._deps.clock))

    def ScanMentions(self, request: pb.ScanMentionsRequest, context: Any) -> pb.ScanMentionsResponse:
        """Mentions by revision, a page at a time."""
        limit = min(request.limit or _LONGEST_SCAN, _LONGEST_SCAN)
        with self._deps.database.read() as reader:
            rows, total = mentions.scan(reader, request.after_rev, limit)
        last = rows[-1].rev if rows else request.after_rev
        return pb.ScanMentionsResponse(
            mentions=[wire.mention(row) for row in rows], last_rev=last, done=len(rows) < limit, total=total
        )


def _taken(taken: Any) -> pb.IngestResult:
    return pb.IngestResult(id=taken.mention_id, duplicate=taken.duplicate, unmatched=taken.unmatched)
