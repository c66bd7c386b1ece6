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
    facts: dict[str, Facts] = field(default_factory=dict)  # of the documents' tickets, as they were composed with
    changed: list[str] = field(default_factory=list)  # tickets whose messages had to be composed anew


def index_changes(reader: Reader, changes: Sequence[Change], sources: Sources) -> Work:
    """What events change. Harmless to apply twice, in any order: a lower rev than the known one is left out.

    Messages of a ticket whose facts changed are composed anew from `sources`.
    """
    newest, news = _newest(changes)
    known = _known(reader, newest, news)
    facts = _facts(news, known)
    work = Work(facts=facts)
    for document in newest.values():
        before = known.get(document.id)
        if before is not None and before.rev > document.rev:
            continue
        if before is None:
            work.fresh.add(document.id)
        composed = _composed(document, facts)
        work.documents.append(composed)
        work.versions.append(_version(composed, facts))
    work.changed = [ticket_id for ticket_id, new in news.items() if _differs(new, known.get(ticket_id))]
    if work.changed:
        written = {document.id for document in work.documents}
        others = versions.of_tickets(reader, work.changed).keys() - written
        work.documents += _composed_anew(sorted(others), facts, sources)
    return work


def settle_changes(reader: Reader, work: Work, sources: Sources) -> Work:
    """What must be written again because of news that other processes stored meanwhile; to be asked until nothing is.

    To be called once the index has committed `work` and its versions are stored. Others do the same, so of two whose
    work met, the one that stores second sees what the first has stored: newer facts of a ticket, or a message that was
    not there or was older when the facts of its ticket were spread.
    """
    written = {document.id: document for document in work.documents}
    tickets = {document.ticket_id for document in work.documents if document.kind in WITH_FACTS}
    known = versions.known(reader, sorted(written.keys() | tickets | set(work.changed)))
    now = {
        id_: facts
        for id_, version in known.items()
        if version.kept and (facts := version.facts()) is not None and _is_news(facts, work.facts.get(id_))
    }
    again = Work(facts=work.facts | now)
    for document in written.values():
        version = known.get(document.id)
        if document.ticket_id in now and not document.deleted and (version is None or version.rev <= document.rev):
            again.documents.append(_composed(document, again.facts))
    missed = [
        id_
        for id_, rev in (versions.of_tickets(reader, work.changed) if work.changed else {}).items()
        if id_ not in written or written[id_].rev < rev
    ]
    again.documents += _composed_anew(sorted(missed), again.facts, sources)
    return again


def _is_news(facts: Facts, before: Facts | None) -> bool:
    return before is None or (facts.rev > before.rev and not facts.same_but_rev(before))


def _composed_anew(ids: Sequence[str], facts: Mapping[str, Facts], sources: Sources) -> list[Document]:
    return [
        add_facts(document, facts[document.ticket_id])
        for document in (sources(ids) if ids else ())
        if document.kind in OF_A_TICKET and document.ticket_id in facts
    ]


def index_scanned(reader: Reader, changes: Sequence[Change]) -> Work:
    """What a page of an owner's rows puts into an index being built.

    A row older than what an event has told meanwhile is left out: the event wrote the newer one already. As fresh
    counts what no earlier page can have had, as far as stored versions tell: such a page had an older rev.
    """
    newest, news = _newest(changes)
    known = _known(reader, newest, news)
    facts = _facts(news, known)
    work = Work(facts=facts)
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
