"""Mentions handed over by others: by `POST /mentions:batch`, or from a file of one JSON object a line that grows.

The file's lines have the shape of the batch's items. No reply is possible.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.kit.errors import Unavailable
from services.social.sources import Batch, Field, Post, Refused, Told

_LINES = 500
_LINE_BYTES = 256 * 1024


class Replay:
    """See the module."""

    id = "replay"
    can_reply = False
    fields: Sequence[Field] = (Field("file", "File of one mention a line (JSON); empty: by the API only"),)

    def poll(self, told: Told, cursor: str, rules: Sequence[str]) -> Batch:
        """Reads up to 500 whole lines from the byte `cursor` names. A line that is no mention stops there: `Refused` names it."""
        del rules  # the local matcher decides
        name = told.settings.get("file", "")
        if not name:
            return Batch((), cursor, wait_s=3600)
        offset = int(cursor or 0)
        posts: list[Post] = []
        try:
            with Path(name).open("rb") as file:
                if file.seek(0, os.SEEK_END) < offset:
                    offset = 0  # another file under the name, or one begun anew; what is known is not stored twice
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n") or len(posts) == _LINES:
                        break
                    if line.strip():
                        posts.append(_post(line, offset))
                    offset += len(line)
        except Refused:
            if not posts:
                raise
            return Batch(posts, str(offset), more=True)  # what stands before it is taken first
        except OSError as error:
            raise Unavailable(f"The file {name} cannot be read: {error.strerror}.") from error
        return Batch(posts, str(offset), more=len(posts) == _LINES, wait_s=5)


def _post(line: bytes, offset: int) -> Post:
    try:
        if len(line) > _LINE_BYTES:
            raise ValueError(f"it is longer than {_LINE_BYTES} bytes")
        item: dict[str, Any] = json.loads(line)
        author = item["author"]
        return Post(
            external_id=str(item["external_id"]),
            text=str(item["text"]),
            occurred_at=_when(item["occurred_at"]),
            author_id=str(author.get("id", author["handle"])),
            author_handle=str(author["handle"]),
            author_name=str(author.get("name", "")),
            followers=int(author.get("followers", 0)),
            url=str(item.get("url", "")),
            language=str(item.get("lang", "")),
            repost_of=str(item.get("repost_of", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"The line at byte {offset} is no mention: {error}. Mend the file; reading goes on from there."
        ) from error


def _when(written: str) -> datetime:
    at = datetime.fromisoformat(written)
    if at.tzinfo is None:
        raise ValueError(f"occurred_at needs its time zone, not {written}")
    return at.astimezone(UTC)


SOURCE = Replay()
