"""What a person is about to say: drafts, files for them, searches kept. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.kit.errors import Invalid

KINDS = ("reply", "note")
_LONGEST = 200_000  # characters of a draft; twice the longest letter seen


@dataclass(frozen=True, slots=True)
class Draft:
    """One person's unsent reply or note on one ticket. `key` becomes the reply's own, so that a resend is a no-op."""

    ticket_id: str
    user_id: str
    kind: str
    text: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    upload_ids: tuple[str, ...] = ()
    caret: int = -1
    key: str = ""
    last_seen: str = ""
    then_state: str = ""
    version: int = 0
    saved_at: datetime | None = None

    def check(self) -> None:
        """Raises `Invalid` naming the field at fault."""
        if self.kind not in KINDS:
            raise Invalid(f"A draft is one of {', '.join(KINDS)}.", field="kind")
        if len(self.text) > _LONGEST:
            raise Invalid(f"A draft has at most {_LONGEST} characters; attach the rest as a file.", field="text")

    @property
    def empty(self) -> bool:
        """Whether nothing would be lost with it."""
        return not (self.text.strip() or self.upload_ids)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way into an answer; its bytes lie in the blob store under `blob_key`."""

    id: str
    user_id: str
    ticket_id: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    blob_key: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Search:
    """A search kept for its person; without a name it is one of the last 20."""

    id: str
    name: str
    query: str
    used_at: datetime
