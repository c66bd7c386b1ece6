"""`ascolto.search.v1.Search`: reads the request, asks the use case, writes the answer."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ascolto.search.v1 import service_pb2 as pb
from ascolto.search.v1.service_pb2_grpc import SearchServicer
from services.kit.clock import Clock
from services.kit.errors import Invalid, Unavailable
from services.kit.rpc.guard import person_of
from services.search.consumer import Indexer
from services.search.domain.document import KINDS
from services.search.domain.query import EMPTY, Filter
from services.search.ports import Cursor, IndexDamaged, Plan, Row, Scope
from services.search.usecases.find import Answer, Finder, Question
from services.search.usecases.generations import Generations
from services.search.usecases.rebuild import Rebuilder
from services.search.usecases.suggest import suggest

_CATCHING_UP_S = 5.0
_LAG_KEPT_S = 0.5
_DEFAULT_LIMIT = 20


class SearchRpc(SearchServicer):
    """The service's calls."""

    def __init__(
        self, finder: Finder, generations: Generations, indexer: Indexer, rebuilder: Rebuilder, *, clock: Clock
    ) -> None:
        self._finder, self._generations, self._clock = finder, generations, clock
        self._indexer, self._rebuilder = indexer, rebuilder
        self._lag = (0, 0.0)  # events, seconds

    def Find(self, request: pb.FindRequest, context: Any) -> pb.FindResponse:
        """One page of hits."""
        person = person_of(context)
        question = Question(
            query=request.query,
            person=person,
            now=self._clock.now(),
            zone=_zone(request.time_zone),
            language=request.language or "en",
            user_id=request.user_id or person.user_id,
            limit=request.limit or _DEFAULT_LIMIT,
            after=_cursor(request.after),
            filters=tuple(Filter(one.field, (one.value,)) for one in request.filters),
            by_ticket=request.by_ticket,
        )
        return self._answer(self._finder.find(question))

    def Suggest(self, request: pb.SuggestRequest, context: Any) -> pb.SuggestResponse:
        """Completions of the word at the caret; a caret of 0 stands for the end."""
        person = person_of(context)
        caret = request.caret or len(request.text)
        found = suggest(self._generations, request.text[:2000], caret, person=person, language=request.language)
        return pb.SuggestResponse(
            suggestions=[pb.Suggestion(insert=one.insert, label=one.label, count=one.count) for one in found]
        )

    def Status(self, request: Any, context: Any) -> pb.StatusResponse:
        """How the index is; never an error because of it."""
        return self.status()

    def Rebuild(self, request: Any, context: Any) -> pb.StatusResponse:
        """Asks for a rebuild; a worker does it, or a thread of its own where no worker runs (the command line)."""
        self._generations.open()
        if self._generations.under_way is None:
            self._generations.begin()
        self._generations.wanted.set()
        self._rebuilder.ensure_running()
        return self.status()

    def lag(self) -> tuple[int, float]:
        """Events and seconds the index is behind; at most half a second old."""
        with contextlib.suppress(Unavailable):  # the log is away, and soon says so at once: what was known stands
            behind = self._indexer.behind(kept_s=_LAG_KEPT_S)
            self._lag = (behind.events, max(0.0, behind.age_s))
        return self._lag

    def status(self) -> pb.StatusResponse:
        """How the index is."""
        generations = self._generations
        events, seconds = self.lag()
        status = pb.StatusResponse(lag_s=seconds, lag_events=events)
        try:
            generations.open()
        except Unavailable as error:
            status.state, status.last_error = "absent", error.message
            return status
        live, generation, building = generations.live, generations.generation, generations.under_way
        status.state, status.last_error = self._state(seconds), generations.last_error
        if live is not None and generation is not None:
            try:
                status.documents = live.documents()
                status.by_kind.update(dict(live.values(Plan(EMPTY, Scope(KINDS), spam=True), "kind", len(KINDS))))
                status.size_bytes = live.size_bytes()
            except IndexDamaged as error:
                generations.suspect(live, error)
            except Unavailable as error:
                status.state, status.last_error = "absent", error.message
            status.generation = str(generation.id)
            status.built_at.FromMicroseconds(generation.built_us)
        if building is not None:
            status.rebuild_documents, status.rebuild_total = building.documents, building.total
            status.rebuild_done = min(1.0, building.documents / building.total) if building.total else 0.0
            status.rebuild_started_at.FromMicroseconds(building.started_us)
        return status

    def _state(self, seconds: float) -> str:
        generations = self._generations
        if generations.under_way is not None:
            return "rebuilding"
        if generations.live is None:
            return "damaged" if generations.damaged else "absent"
        return "catching_up" if seconds > _CATCHING_UP_S else "ready"

    def _answer(self, answer: Answer) -> pb.FindResponse:
        found = answer.found
        response = pb.FindResponse(
            hits=[_hit(row) for row in found.rows],
            total=found.total,
            total_is_lower_bound=found.lower_bound,
            next=_written(found.next),
            chips=[
                pb.Chip(
                    text=chip.text,
                    field=chip.field,
                    value=chip.value,
                    without=chip.without,
                    ignored=chip.ignored,
                    reason=chip.reason,
                    suggestion=chip.suggestion,
                )
                for chip in answer.chips
            ],
            ignored=answer.ignored,
            degraded=bool(answer.degraded_reason),
            degraded_reason=answer.degraded_reason,
            ways=[pb.Way(label=way.label, query=way.query, count=way.count) for way in answer.ways],
            lag_s=self.lag()[1],
            newer=answer.newer,
            sort=answer.sort,
            exact=_hit(answer.exact) if answer.exact is not None else None,
        )
        chosen = {(one.field, value) for one in answer.chosen for value in one.values}
        for name, values in found.facets.items():
            facet = response.facets.add(field=name, zero=answer.zero.get(name, 0))
            for value, count in values:
                facet.values.add(value=value, count=count, chosen=(name, value) in chosen)
        for start_us, count in found.histogram:
            begins = datetime.fromtimestamp(start_us / 1e6, UTC)
            response.histogram.add(value=begins.date().isoformat(), count=count)
        return response


def _hit(row: Row) -> pb.Hit:
    document = row.document
    hit = pb.Hit(
        kind=document.kind,
        id=document.id,
        ticket_id=document.ticket_id,
        number=document.number,
        title=document.subject or document.title,
        snippet_html=row.snippet_html,
        channel=document.channel,
        author=document.author,
        brand_id=document.brand_ids[0] if document.brand_ids else "",
        state=document.state,
        customer_id=document.customer_id,
        score=row.score,
        more=row.more,
        inner=[_hit(inner) for inner in row.inner],
        language=document.language,
    )
    if document.occurred_us:
        hit.occurred_at.FromMicroseconds(document.occurred_us)
    return hit


def _zone(name: str) -> tzinfo:
    """The reader's zone; UTC when it has no such name."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a name may be a path, or a folder's
        return UTC


def _written(cursor: Cursor | None) -> str:
    if cursor is None:
        return ""
    return base64.urlsafe_b64encode(json.dumps([cursor.passed, cursor.key, cursor.top]).encode()).decode().rstrip("=")


def _cursor(text: str) -> Cursor | None:
    if not text:
        return None
    try:
        passed, key, top = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        numbers = int(passed), int(key), int(top)
    except (ValueError, TypeError) as error:
        raise Invalid("`after` is not a cursor of ours; use `next` of the page before.", field="after") from error
    if not all(0 <= number < 1 << 63 for number in numbers) or numbers[0] > 10_000_000:
        raise Invalid("`after` is not a cursor of ours; use `next` of the page before.", field="after")
    return Cursor(*numbers)
