"""Rows of what is being written: drafts, their files, and what a person searched for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.desk.domain.writing import Draft, Search, Upload
from services.desk.store.rows import a_moment, dump, load, micros
from services.kit.db.sql import Sql
from services.kit.uow import Reader, Row, Uow

RECENT = 20
_SAVE = Sql(
    """INSERT INTO drafts (ticket_id, user_id, kind, text, fields, version, saved_us)
    VALUES (:ticket, :user, :kind, :text, :fields, 1, :now)
    ON CONFLICT (ticket_id, user_id, kind) DO UPDATE
    SET text = excluded.text, fields = excluded.fields, version = drafts.version + 1, saved_us = excluded.saved_us
    RETURNING version"""
)
_DRAFT = "ticket_id, user_id, kind, text, fields, version, saved_us"
_OF_TICKET = Sql(f"SELECT {_DRAFT} FROM drafts WHERE ticket_id = :ticket ORDER BY saved_us")  # noqa: S608 (constant columns)
_MINE = Sql("SELECT DISTINCT ticket_id FROM drafts WHERE user_id = :user AND ticket_id IN (:tickets...)")
_DROP = Sql("DELETE FROM drafts WHERE ticket_id = :ticket AND user_id = :user AND kind = :kind")
_MOVE = Sql(
    """UPDATE drafts SET ticket_id = :target WHERE ticket_id = :ticket AND NOT EXISTS
    (SELECT 1 FROM drafts other WHERE other.ticket_id = :target AND other.user_id = drafts.user_id AND other.kind = drafts.kind)"""
)
_ADD_UPLOAD = Sql(
    """INSERT INTO uploads (id, user_id, ticket_id, name, media_type, size_bytes, sha256, blob_key, sent, created_us)
    VALUES (:id, :user, :ticket, :name, :media_type, :size, :sha256, :blob, 0, :now)"""
)
_UPLOAD = "id, user_id, ticket_id, name, media_type, size_bytes, sha256, blob_key, created_us"
_UPLOADS = Sql(f"SELECT {_UPLOAD} FROM uploads WHERE user_id = :user AND id IN (:ids...)")  # noqa: S608 (constant columns)
_OLD_UPLOADS = Sql(f"SELECT {_UPLOAD} FROM uploads WHERE created_us < :before AND sent = 0 LIMIT 200")  # noqa: S608 (as above)
_MARK_UPLOADS = Sql("UPDATE uploads SET sent = :sent WHERE user_id = :user AND id IN (:ids...)")
_KNOWN_BLOBS = Sql("SELECT blob_key FROM uploads WHERE blob_key IN (:keys...)")
_DROP_UPLOADS = Sql("DELETE FROM uploads WHERE id IN (:ids...)")
_DROP_LOOSE = Sql("DELETE FROM uploads WHERE user_id = :user AND id IN (:ids...) AND sent = 0 RETURNING blob_key")
_ADD_SEARCH = Sql(
    """INSERT INTO searches (id, user_id, name, query, used_us) VALUES (:id, :user, :name, :query, :now)
    ON CONFLICT (user_id, name, query) DO UPDATE SET used_us = excluded.used_us"""
)
_SEARCHES = Sql("SELECT id, name, query, used_us FROM searches WHERE user_id = :user ORDER BY used_us DESC, id DESC")
_DROP_SEARCHES = Sql("DELETE FROM searches WHERE user_id = :user AND id IN (:ids...)")
_CLEAR_RECENT = Sql("DELETE FROM searches WHERE user_id = :user AND name = ''")


def save(uow: Uow, draft: Draft, now: datetime) -> int:
    """Keeps the draft as it is now; returns its new version."""
    row = uow.row(
        _SAVE,
        {
            "ticket": draft.ticket_id,
            "user": draft.user_id,
            "kind": draft.kind,
            "text": draft.text,
            "fields": dump(
                {
                    "to": draft.to,
                    "cc": draft.cc,
                    "uploads": draft.upload_ids,
                    "caret": draft.caret,
                    "key": draft.key,
                    "last_seen": draft.last_seen,
                    "then": draft.then_state,
                }
            ),
            "now": micros(now),
        },
    )
    return int(row[0] or 0) if row else 0


def of_ticket(reader: Reader, ticket_id: str) -> list[Draft]:
    """Everybody's drafts on a ticket."""
    return [_draft(row) for row in reader.rows(_OF_TICKET, {"ticket": ticket_id})]


def with_mine(reader: Reader, user_id: str, ticket_ids: Sequence[str]) -> frozenset[str]:
    """Which of the tickets hold a draft of this person."""
    return frozenset(str(row[0]) for row in reader.rows(_MINE, {"user": user_id, "tickets": list(ticket_ids)}))


def drop(uow: Uow, ticket_id: str, user_id: str, kind: str) -> None:
    """Deletes a draft."""
    uow.execute(_DROP, {"ticket": ticket_id, "user": user_id, "kind": kind})


def move(uow: Uow, ticket_id: str, target: str) -> None:
    """Carries drafts to the ticket another was merged into, unless there is one already."""
    uow.execute(_MOVE, {"ticket": ticket_id, "target": target})


def add_upload(uow: Uow, upload: Upload) -> None:
    """Keeps what is known of a file whose bytes are in the blob store."""
    uow.execute(
        _ADD_UPLOAD,
        {
            "id": upload.id,
            "user": upload.user_id,
            "ticket": upload.ticket_id,
            "name": upload.name,
            "media_type": upload.media_type,
            "size": upload.size_bytes,
            "sha256": upload.sha256,
            "blob": upload.blob_key,
            "now": micros(upload.created_at),
        },
    )


def uploads(reader: Reader, user_id: str, ids: Sequence[str]) -> list[Upload]:
    """The person's own files among `ids`, in that order; others' are left out."""
    found = {str(row[0]): _upload(row) for row in reader.rows(_UPLOADS, {"user": user_id, "ids": list(ids)})}
    return [found[id_] for id_ in ids if id_ in found]


def mark_uploads(uow: Uow, user_id: str, ids: Sequence[str], *, sent: bool) -> None:
    """Notes whether an answer holds the files."""
    uow.execute(_MARK_UPLOADS, {"user": user_id, "ids": list(ids), "sent": int(sent)})


def old_uploads(reader: Reader, before: datetime) -> list[Upload]:
    """Some files older than `before` that no answer holds."""
    return [_upload(row) for row in reader.rows(_OLD_UPLOADS, {"before": micros(before)})]


def known_blobs(reader: Reader, keys: Sequence[str]) -> frozenset[str]:
    """Which of the blobs a row names."""
    return frozenset(str(row[0]) for row in reader.rows(_KNOWN_BLOBS, {"keys": list(keys)}))


def drop_uploads(uow: Uow, ids: Sequence[str]) -> None:
    """Forgets files."""
    uow.execute(_DROP_UPLOADS, {"ids": list(ids)})


def drop_loose_uploads(uow: Uow, user_id: str, ids: Sequence[str]) -> list[str]:
    """Forgets those of the person's files that no answer holds; returns their blobs' keys."""
    return [str(row[0]) for row in uow.rows(_DROP_LOOSE, {"user": user_id, "ids": list(ids)})]


def note_search(uow: Uow, search: Search, user_id: str) -> None:
    """Keeps a search; of those without a name, the last 20."""
    uow.execute(
        _ADD_SEARCH,
        {
            "id": search.id,
            "user": user_id,
            "name": search.name,
            "query": search.query,
            "now": micros(search.used_at),
        },
    )
    recent = [item.id for item in searches(uow, user_id) if not item.name]
    if len(recent) > RECENT:
        uow.execute(_DROP_SEARCHES, {"user": user_id, "ids": recent[RECENT:]})


def searches(reader: Reader, user_id: str) -> list[Search]:
    """The person's saved and recent searches, latest first."""
    return [
        Search(id=str(row[0]), name=str(row[1]), query=str(row[2]), used_at=a_moment(row[3]))
        for row in reader.rows(_SEARCHES, {"user": user_id})
    ]


def drop_search(uow: Uow, user_id: str, search_id: str) -> None:
    """Deletes one; an empty id clears the recent ones."""
    if search_id:
        uow.execute(_DROP_SEARCHES, {"user": user_id, "ids": [search_id]})
    else:
        uow.execute(_CLEAR_RECENT, {"user": user_id})


def _draft(row: Row) -> Draft:
    fields = load(row[4])
    return Draft(
        ticket_id=str(row[0]),
        user_id=str(row[1]),
        kind=str(row[2]),
        text=str(row[3]),
        to=tuple(fields["to"]),
        cc=tuple(fields["cc"]),
        upload_ids=tuple(fields["uploads"]),
        caret=int(fields["caret"]),
        key=str(fields["key"]),
        last_seen=str(fields["last_seen"]),
        then_state=str(fields.get("then", "")),
        version=int(row[5] or 0),
        saved_at=a_moment(row[6]),
    )


def _upload(row: Row) -> Upload:
    return Upload(
        id=str(row[0]),
        user_id=str(row[1]),
        ticket_id=str(row[2]),
        name=str(row[3]),
        media_type=str(row[4]),
        size_bytes=int(row[5] or 0),
        sha256=str(row[6]),
        blob_key=str(row[7]),
        created_at=a_moment(row[8]),
    )
