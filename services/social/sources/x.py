"""X: filtered stream, with every gap filled by recent search from the last post stored. Replies are sent by intake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.social.sources import Batch, Field, Post, Refused, Told
from services.social.x import Gateway

_PAGES = 10  # a read takes at most 1,000 posts a query; the rest with the next, at once
_QUERY = 512  # characters of a recent search; X API v2


class X:
    """See the module."""

    id = "x"
    can_reply = True
    fields: Sequence[Field] = (
        Field("bearer_token", "Bearer token", secret=True, required=True),
        Field("base_url", "Address of the API", default="https://api.x.com"),
        Field("every_s", "Seconds between searches while there is no stream", default="60"),
        Field("allow_hosts", "Private hosts this source may reach"),
    )

    def poll(self, told: Told, cursor: str, rules: Sequence[str]) -> Batch:
        """Searches what is newer than the post `cursor` names, oldest first.

        X gives the newest first. Where that is more than a read takes, the cursor names the span still to be searched
        and `more` asks to go on there, so that nothing is passed over.
        """
        asked = queries(rules)
        if not asked:
            raise Refused("No watch asks for a word that X can look for; add one, or switch this source off.")
        place = _Place.read(cursor)
        since, lost = place.since, False
        try:
            found, below = _search(Gateway(told), asked, since, place.below)
        except Refused as refusal:
            if not since or "since_id" not in str(refusal):
                raise
            lost = True  # older than the seven days that X searches
            found, below = _search(Gateway(told), asked, "", place.below)
        ordered = sorted(found.values(), key=lambda post: int(post.external_id))
        newest = max((place.newest or since or "0", *found), key=int)
        following = _Place(since, newest, below) if below else _Place(newest if newest != "0" else "")
        wait_s = float(told.settings.get("every_s") or 60)
        return Batch(ordered, following.written(), more=bool(below), lost=lost, wait_s=wait_s)

    def listen(
        self, told: Told, rules: Sequence[str], deliver: Callable[[Sequence[Post]], None], stop: threading.Event
    ) -> None:
        """Holds the stream."""
        Gateway(told).listen(rules, deliver, stop)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the next search begins: after the post `since`; of a span that is half read, `below` and its newest post too."""

    since: str
    newest: str = ""
    below: str = ""

    @classmethod
    def read(cls, cursor: str) -> _Place:
        return cls(*cursor.split("/"))

    def written(self) -> str:
        return f"{self.since}/{self.newest}/{self.below}" if self.below else self.since


def _search(gateway: Gateway, asked: Sequence[str], since: str, below: str) -> tuple[dict[str, Post], str]:
    """Posts by id, and the id below which some query has more; empty when all is read."""
    found: dict[str, Post] = {}
    rest = ""
    for query in asked:
        token, oldest = "", ""
        for _ in range(_PAGES if since else 1):  # the first time one page is enough to begin with
            posts, token = gateway.search(query, since_id=since, until_id=below, token=token)
            found |= {post.external_id: post for post in posts}
            oldest = min((oldest or "9" * 19, *(post.external_id for post in posts)), key=int)
            if not token:
                break
        if token and since:
            rest = max((rest or "0", oldest), key=int)
    return found, rest


def queries(rules: Sequence[str]) -> list[str]:
    """Rules joined by OR into as few searches of 512 characters as hold them. A rule that is longer stands alone."""
    joined: list[str] = []
    for rule in dict.fromkeys(rules):
        part = f"({rule})"
        if joined and len(joined[-1]) + len(part) + 4 <= _QUERY:
            joined[-1] += f" OR {part}"
        else:
            joined.append(part if len(part) <= _QUERY else rule)
    return joined


SOURCE = X()
