"""Drafts, files for them and searches kept: nothing typed is lost."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from datetime import timedelta

from services.desk.domain.writing import Draft, Search, Upload
from services.desk.store import drafts as rows
from services.kit.blobs import Blobs
from services.kit.clock import Clock
from services.kit.errors import Invalid
from services.kit.ids import new_id
from services.kit.uow import Database, chunks

MAX_FILE_BYTES = 25 * 1024 * 1024
_KEEP_FILES = timedelta(days=14)
_ORPHAN = timedelta(days=1)
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")  # type/subtype without parameters
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")  # control characters and path separators


class Writing:
    """What one person is about to say."""

    def __init__(self, database: Database, blobs: Blobs, *, clock: Clock) -> None:
        self._database, self._blobs, self._clock = database, blobs, clock

    def save(self, draft: Draft) -> Draft:
        """Keeps the draft; an empty one is deleted. Returns it with version and time."""
        draft.check()
        now = self._clock.now()
        if draft.empty:
            self.drop(draft.ticket_id, draft.user_id, draft.kind)
            return dataclasses.replace(draft, version=0, saved_at=now)
        version = self._database.write(lambda uow: rows.save(uow, draft, now))
        return dataclasses.replace(draft, version=version, saved_at=now)

    def of_ticket(self, ticket_id: str) -> list[Draft]:
        """Everybody's drafts on the ticket; show only one's own text, colleagues' names."""
        with self._database.read() as reader:
            return rows.of_ticket(reader, ticket_id)

    def mine(self, ticket_id: str, user_id: str, kind: str) -> Draft | None:
        """One's own draft."""
        return next((d for d in self.of_ticket(ticket_id) if d.user_id == user_id and d.kind == kind), None)

    def with_mine(self, user_id: str, ticket_ids: Sequence[str]) -> frozenset[str]:
        """Which of the tickets hold a draft of one's own."""
        with self._database.read() as reader:
            return rows.with_mine(reader, user_id, ticket_ids)

    def drop(self, ticket_id: str, user_id: str, kind: str) -> None:
        """Deletes a draft."""
        self._database.write(lambda uow: rows.drop(uow, ticket_id, user_id, kind))

    def upload(self, user_id: str, ticket_id: str, *, name: str, media_type: str, data: bytes) -> Upload:
        """Keeps a file for an answer. Raises `Invalid` when it is empty or too large."""
        if not data:
            raise Invalid("The file is empty.", field="file")
        if len(data) > MAX_FILE_BYTES:
            raise Invalid(f"A file has at most {MAX_FILE_BYTES // 1024 // 1024} MiB.", field="file")
        upload_id = new_id("upl")
        upload = Upload(
            id=upload_id,
            user_id=user_id,
            ticket_id=ticket_id,
            name=safe_name(name),
            media_type=media_type if _MEDIA_TYPE.fullmatch(media_type or "") else "application/octet-stream",
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            blob_key=f"desk/{upload_id}/0",
            created_at=self._clock.now(),
        )
        self._blobs.put(upload.blob_key, data)
        self._database.write(lambda uow: rows.add_upload(uow, upload))
        return upload

    def uploads(self, user_id: str, ids: Sequence[str]) -> list[Upload]:
        """One's own files, in that order; others' are left out."""
        if not ids:
            return []
        with self._database.read() as reader:
            return rows.uploads(reader, user_id, ids)

    def bytes_of(self, upload: Upload) -> bytes:
        """The file."""
        return self._blobs.get(upload.blob_key)

    def note_search(self, user_id: str, query: str, *, name: str = "") -> None:
        """Keeps a search: with a name saved, without one among the last 20."""
        search = Search(new_id("srh"), name.strip()[:80], query.strip()[:2000], self._clock.now())
        if search.query:
            self._database.write(lambda uow: rows.note_search(uow, search, user_id))

    def searches(self, user_id: str) -> list[Search]:
        """Saved (with a name) and recent ones, latest first."""
        with self._database.read() as reader:
            return rows.searches(reader, user_id)

    def drop_search(self, user_id: str, search_id: str) -> None:
        """Deletes one; an empty id clears the recent ones."""
        self._database.write(lambda uow: rows.drop_search(uow, user_id, search_id))

    def mark(self, user_id: str, upload_ids: Sequence[str], *, sent: bool) -> None:
        """Notes whether an answer holds the files; such files stay."""
        if upload_ids:
            self._database.write(lambda uow: rows.mark_uploads(uow, user_id, upload_ids, sent=sent))

    def discard(self, user_id: str, upload_ids: Sequence[str]) -> None:
        """Deletes those of one's own files that no answer holds, at once."""
        if not upload_ids:
            return
        for key in self._database.write(lambda uow: rows.drop_loose_uploads(uow, user_id, upload_ids)):
            self._blobs.delete(key)

    def sweep(self) -> int:
        """Deletes files that went into no answer for 14 days; returns how many."""
        with self._database.read() as reader:
            old = rows.old_uploads(reader, self._clock.now() - _KEEP_FILES)
        if old:
            ids = [upload.id for upload in old]
            self._database.write(lambda uow: rows.drop_uploads(uow, ids))
            for upload in old:
                self._blobs.delete(upload.blob_key)
        return len(old) + self._sweep_orphans()

    def _sweep_orphans(self) -> int:
        """Deletes blobs of ours older than a day that no row names: what a crash left between blob and row."""
        limit = self._clock.now() - _ORPHAN
        old = [key for key in self._blobs.keys("desk/") if self._blobs.written_at(key) < limit]
        gone = 0
        for some in chunks(old, 500):
            with self._database.read() as reader:
                known = rows.known_blobs(reader, some)
            for key in some:
                if key not in known:
                    self._blobs.delete(key)
                    gone += 1
        return gone


def safe_name(name: str) -> str:
    """A file's name without path or control characters, at most 120 characters, never empty."""
    cleaned = _UNSAFE.sub("_", name.strip())[-120:].strip(". ")
    return cleaned or "file"
