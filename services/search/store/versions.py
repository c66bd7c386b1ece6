"""Which revision of each document was seen last: older ones never overwrite newer ones, gone ones stay gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from services.kit.db.sql import Sql
from services.kit.uow import Reader, Uow
from services.search.domain.document import Facts

_KNOWN = Sql("SELECT id, rev, ticket_id, deleted, facts FROM documents WHERE id IN (:ids...)")
_OF_TICKETS = Sql(  # not empty: only so may the index be used, which holds no others
    "SELECT id, rev FROM documents WHERE ticket_id IN (:tickets...) AND ticket_id <> '' AND deleted = 0"
)
_PUT = Sql(
    "INSERT INTO documents (id, rev, ticket_id, deleted, facts) VALUES (:id, :rev, :ticket_id, :deleted, :facts)"
    " ON CONFLICT (id) DO UPDATE SET rev = excluded.rev, ticket_id = excluded.ticket_id, deleted = excluded.deleted,"
    " facts = excluded.facts WHERE excluded.rev >= documents.rev"
)
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Facts)


@dataclass(slots=True)
class Version:
    """What was last seen of one document; of a ticket also the facts its messages share, as they are kept."""

    id: str
    rev: int
    ticket_id: str = ""
    deleted: bool = False
    kept: str = ""

    def facts(self) -> Facts | None:
        """The facts, read now: seldom is more asked than which rev they are of."""
        return _DECODER.decode(self.kept) if self.kept else None


def kept(facts: Facts) -> str:
    """Facts as they are kept."""
    return _ENCODER.encode(facts).decode()


def known(reader: Reader, ids: Sequence[str]) -> dict[str, Version]:
    """The versions of these documents, by id; one statement."""
    return {
        str(row[0]): Version(
            str(row[0]),
            int(row[1] or 0),
            str(row[2]),
            bool(row[3]),
            str(row[4]),
        )
        for row in reader.rows(_KNOWN, {"ids": ids})
    }


def of_tickets(reader: Reader, ticket_ids: Sequence[str]) -> dict[str, int]:
    """Ids of the messages and notes of these tickets, with the rev of each."""
    return {str(row[0]): int(row[1] or 0) for row in reader.rows(_OF_TICKETS, {"tickets": ticket_ids})}


def put(uow: Uow, versions: Iterable[Version]) -> None:
    """Remembers what events said or a scan found; a lower rev changes nothing."""
    uow.execute_many(_PUT, [_row(version) for version in versions])


def _row(version: Version) -> dict[str, str | int]:
    return {
        "id": version.id,
        "rev": version.rev,
        "ticket_id": version.ticket_id,
        "deleted": int(version.deleted),
        "facts": version.kept,
    }
