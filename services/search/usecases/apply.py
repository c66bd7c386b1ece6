"""Decides what a batch of news changes in the index: newest versions only, messages with the facts of their ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.kit.uow import Reader
from services.search.domain.document import OF_A_TICKET, TICKET, WITH_FACTS, Change, Document, Facts, add_facts
from services.search.store import versions
from services.search.store.versions import Version

Sources = Callable[[Sequence[str]], list[Document]]


@dataclass(slots=True)
class Work:
    """Documents to write, and versions to remember once the index has committed them."""

    documents: list[Document] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)  # of documents no version is known of
    versions: list[Version] = field(default_factory=list)


def index_changes(reader: Reader, changes: Sequence[Change], sources: Sources) -> Work:
    """What events change. Harmless to apply twice, in any order: a lower rev than the known one is left out.

    Messages of a ticket whose facts changed are composed anew from `sources`.
    """
    newest, news = _newest(changes)
    known = _known(reader, newest, news)
    facts = _facts(news, known)
    work = Work()
    for document in newest.values():
        before = known.get(document.id)
        if before is not None and before.rev > document.rev:
            continue
        if before is None:
            work.fresh.add(document.id)
        composed = _composed(document, facts)
        work.documents.append(composed)
        work.versions.append(_version(composed, facts))
    changed = [ticket_id for ticket_id, new in news.items() if _differs(new, known.get(ticket_id))]
    if changed:
        written = {document.id for document in work.documents}
        others = {
            id_: ticket_id for id_, ticket_id in versions.of_tickets(reader, changed).items() if id_ not in written
        }
        for document in sources(sorted(others)) if others else ():
            if document.kind in OF_A_TICKET and document.ticket_id in facts:
                work.documents.append(add_facts(document, facts[document.ticket_id]))
    return work


def index_scanned(reader: Reader, changes: Sequence[Change]) -> Work:
    """What a page of an owner's rows puts into an index being built.

    A row older than what an event has told meanwhile is left out: the event wrote the newer one already. As fresh
    counts what no earlier page can have had, as far as stored versions tell: such a page had an older rev.
    """
    newest, news = _newest(changes)
    known = _known(reader, newest, news)
    facts = _facts(news, known)
    work = Work()
    for document in newest.values():
        before = known.get(document.id)
        if before is not None and before.rev > document.rev:
            continue
        if before is None or before.rev == document.rev:
            work.fresh.add(document.id)
        composed = _composed(document, facts)
        work.documents.append(composed)
        version = _version(composed, facts)
        if before is None or before.kept != version.kept:  # the owner's word, also for messages that are scanned later
            work.versions.append(version)
    return work


def _newest(changes: Iterable[Change]) -> tuple[dict[str, Document], dict[str, Facts]]:
    newest: dict[str, Document] = {}
    facts: dict[str, Facts] = {}
    for change in changes:
        document = change.document
        if document is not None:
            other = newest.get(document.id)
            if other is None or document.rev >= other.rev:
                newest[document.id] = document
        if change.facts is not None:
            known = facts.get(change.ticket_id)
            if known is None or change.facts.rev >= known.rev:
                facts[change.ticket_id] = change.facts
    return newest, facts


def _known(reader: Reader, newest: Mapping[str, Document], news: Mapping[str, Facts]) -> dict[str, Version]:
    tickets = {document.ticket_id for document in newest.values() if document.ticket_id}
    return versions.known(reader, sorted(newest.keys() | news.keys() | tickets))


def _facts(news: Mapping[str, Facts], known: Mapping[str, Version]) -> dict[str, Facts]:
    facts = dict(news)
    for id_, version in known.items():
        if (
            version.kept
            and (id_ not in news or news[id_].rev < version.rev)
            and (before := version.facts()) is not None
        ):
            facts[id_] = before
    return facts


def _composed(document: Document, facts: Mapping[str, Facts]) -> Document:
    if document.deleted or document.kind not in WITH_FACTS or document.ticket_id not in facts:
        return document
    return add_facts(document, facts[document.ticket_id])


def _version(document: Document, facts: Mapping[str, Facts]) -> Version:
    own = facts.get(document.id) if document.kind == TICKET else None
    return Version(
        document.id,
        document.rev,
        document.ticket_id if document.kind in OF_A_TICKET else "",
        document.deleted,
        versions.kept(own) if own is not None else "",
    )


def _differs(new: Facts, before: Version | None) -> bool:
    facts = before.facts() if before is not None and new.rev >= before.rev else None
    if facts is not None:
        return not new.same_but_rev(facts)
    return before is None or not before.kept
