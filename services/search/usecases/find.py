"""Answers a search: hits, facets, what was understood and what was not, and ways out when nothing is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo

from services.kit import log
from services.kit.errors import AscoltoError, Unavailable
from services.kit.principal import Person
from services.search.domain import codes
from services.search.domain.document import CUSTOMER, KINDS, PRIVATE_KINDS
from services.search.domain.query import Asked, Chip, Filter, Node, Range, Reader, Word, parse
from services.search.domain.query.tree import all_of
from services.search.domain.sentences import say
from services.search.ports import Cursor, Found, Index, IndexDamaged, Owners, Plan, Row, Scope
from services.search.usecases import degraded
from services.search.usecases.generations import Generations
from services.search.usecases.resolve import resolve
from services.search.usecases.ways import Way, ways_out

FACETS = ("kind", "channel", "brand", "state", "tag", "agent", "team", "lang", "tone", "account")
_MOST_LIMIT = 200
_MOST_SCOPES = 100
_COUNTED_ANEW = timedelta(minutes=1)  # it is an aggregation over everything
_ALL = 1_000_000  # the store looks through as many as it can in its time
_MEANWHILE = 200  # what came since the log was asked, or is on its way there
_log = log.logger("search")


@dataclass(frozen=True, slots=True)
class Question:
    """One search as asked."""

    query: str
    person: Person
    now: datetime
    zone: tzinfo
    language: str = "en"
    user_id: str = ""
    limit: int = 20
    after: Cursor | None = None
    filters: tuple[Filter, ...] = ()
    by_ticket: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What `find` found."""

    found: Found
    chips: tuple[Chip, ...] = ()
    ignored: tuple[str, ...] = ()
    sort: str = "new"
    chosen: tuple[Filter, ...] = ()
    zero: dict[str, int] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    exact: Row | None = None
    newer: int = 0
    degraded_reason: str = ""


class Finder:
    """Searches for people. `unread` says how many events, at most, wait that the index has not got; it raises `Unavailable`."""

    def __init__(self, generations: Generations, owners: Owners, unread: Callable[[], int]) -> None:
        self._generations, self._owners, self._unread = generations, owners, unread
        self._values: dict[Scope, tuple[datetime, dict[str, int]]] = {}

    def find(self, question: Question) -> Answer:
        """One page. Never an error for a query; without an index the newest from the store, said so."""
        reader = Reader(question.now, question.zone, question.language, question.user_id)
        asked = parse(question.query, reader)
        index, away = None, False
        try:
            self._generations.open()
            index = self._generations.live
            if index is not None:
                return self._from_index(index, question, asked, reader)
        except IndexDamaged as error:
            if index is not None:
                self._generations.suspect(index, error)
        except Unavailable as error:
            _log.warning("find.index_away", reason=error.message)
            away = True
        reason = "away" if away else "damaged" if self._generations.damaged else "building"
        return self._from_store(question, asked, reason)

    def _from_index(self, index: Index, question: Question, asked: Asked, reader: Reader) -> Answer:
        scope = scope_of(question.person)
        chosen, ranges, notes = _filters(question, reader)
        node, more = resolve(index, asked.node, scope, question.language)
        notes += more
        plan = Plan(
            node=all_of([node, *ranges]),
            scope=scope,
            sort=asked.sort or ("best" if asked.words else "new"),
            limit=min(max(question.limit, 1), _MOST_LIMIT),
            after=question.after,
            chosen=chosen,
            facets=(*FACETS, "at"),
            by_ticket=question.by_ticket,
            spam=bool(asked.fields & {"state", "is"}) or any(one.field == "state" for one in chosen),
        )
        found = index.find(plan)
        if found.cut:
            notes.append(say(question.language, "deep"))
        return Answer(
            found=found,
            chips=asked.chips,
            ignored=(*asked.ignored, *notes),
            sort=plan.sort,
            chosen=chosen,
            zero=self._zero(index, plan, found, question.now),
            ways=ways_out(index, question.query, asked, plan, reader) if found.total == 0 else (),
            exact=self._exact(index, question, asked.words, scope) if question.after is None else None,
            newer=_newer(index, plan),
        )

    def _from_store(self, question: Question, asked: Asked, reason: str) -> Answer:
        try:
            documents = self._owners.recent(question.person, degraded.words_of(asked), degraded.MOST)
        except AscoltoError as error:
            _log.warning("find.store_away", reason=error.kind)
            return Answer(
                Found(),
                asked.chips,
                asked.ignored,
                sort="new",
                degraded_reason=say(question.language, "nothing_answers"),
            )
        scope = scope_of(question.person)
        seen = [
            one
            for one in documents
            if one.kind in scope.kinds and question.person.sees_brand(one.brand_ids[0] if one.brand_ids else "")
        ]
        found = degraded.page(seen, asked, limit=question.limit, by_ticket=question.by_ticket)
        return Answer(found, asked.chips, asked.ignored, sort="new", degraded_reason=say(question.language, reason))

    def _exact(self, index: Index, question: Question, words: tuple[str, ...], scope: Scope) -> Row | None:
        """What a pasted number, address or code names, first; even when the index has not got it yet."""
        pasted = words[0] if len(words) == 1 else question.query  # fields beside it change nothing
        kind, value = codes.recognise(pasted)
        if not kind:
            return None
        try:
            if kind == "ticket":
                document = self._owners.ticket(question.person, int(value))
                return Row(document) if document is not None else None
            newest = self._newest()  # asked before the index: what is indexed meanwhile is found in it
            if CUSTOMER in scope.kinds and kind in {"email", "phone"}:
                wanted = all_of([Filter("kind", (CUSTOMER,)), Word(value)])
                if rows := index.find(Plan(wanted, scope, limit=1, typos=False)).rows:
                    return rows[0]
            if rows := index.find(Plan(Word(value), scope, sort="new", limit=1, typos=False)).rows:
                return rows[0]
            if not newest:
                return None
            recent = self._owners.recent(question.person, [value], 1, newest=newest)
            return Row(recent[0]) if recent and recent[0].kind in scope.kinds else None
        except AscoltoError as error:  # the card is a help; the list below does not depend on it
            _log.info("find.no_card", reason=error.kind)
            return None

    def _newest(self) -> int:
        """Among how many of the store's newest what the index has not got must be; 0 when it has all."""
        try:
            unread = self._unread()
        except Unavailable:
            return _ALL
        return unread and unread + _MEANWHILE

    def _zero(self, index: Index, plan: Plan, found: Found, now: datetime) -> dict[str, int]:
        """How many values each facet has elsewhere that are none of this answer's; counted anew each minute."""
        known = self._values.get(plan.scope)
        if known is None or not timedelta(0) <= now - known[0] < _COUNTED_ANEW:
            whole = index.find(Plan(all_of([]), plan.scope, sort="new", limit=1, facets=FACETS, spam=True))
            known = (now, {name: len(values) for name, values in whole.facets.items()})
            if len(self._values) >= _MOST_SCOPES:
                self._values.clear()
            self._values[plan.scope] = known
        return {name: max(0, known[1].get(name, 0) - len(values)) for name, values in found.facets.items()}


def scope_of(person: Person) -> Scope:
    """The kinds and brands a caller may see."""
    kinds = tuple(kind for kind in KINDS if kind not in PRIVATE_KINDS or person.may(PRIVATE_KINDS[kind]))
    return Scope(kinds, tuple(sorted(person.brand_ids)) if person.brand_ids else None)


def _newer(index: Index, plan: Plan) -> int:
    """How many came since the list began."""
    if plan.after is None or not plan.after.top:
        return 0
    since = Range("order", plan.after.top + 1, None)
    return index.count(replace(plan, node=all_of([plan.node, since]), after=None))


def _filters(question: Question, reader: Reader) -> tuple[tuple[Filter, ...], list[Node], list[str]]:
    """Chosen facets as filters, a brushed stretch of time as a range; what is neither is said."""
    chosen: list[Filter] = []
    ranges: list[Node] = []
    notes: list[str] = []
    for one in question.filters:
        if one.field in FACETS:
            chosen.append(one)
        elif one.field == "at":
            ranges += [_stretch(value, reader) for value in one.values]
        else:
            notes.append(say(question.language, "no_facet", name=one.field[:40]))
    return tuple(chosen), ranges, notes


def _stretch(value: str, reader: Reader) -> Node:
    return parse(f'on:"{value[:60]}"', reader).node
