"""X: filtered stream, with every gap filled by recent search from the last post stored. Replies are sent by intake."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from services.social.sources import Batch, Field, Post, Refused, Told
from services.social.x import Gateway

_PAGES = 10  # a read takes at most 1,000 posts a query; the rest with the next
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
        """Searches what is newer than the post `cursor` names, oldest first."""
        gateway = Gateway(told)
        found: dict[str, Post] = {}
        for query in queries(rules):
            token = ""
            for _ in range(_PAGES):
                posts, token = self._page(gateway, query, cursor, token)
                found |= {post.external_id: post for post in posts}
                if not token or not cursor:  # the first time one page is enough to begin with
                    break
        ordered = sorted(found.values(), key=lambda post: int(post.external_id))
        newest = ordered[-1].external_id if ordered else cursor
        return Batch(ordered, newest, wait_s=float(told.settings.get("every_s") or 60))

    @staticmethod
    def _page(gateway: Gateway, query: str, cursor: str, token: str) -> tuple[list[Post], str]:
        try:
            return gateway.search(query, cursor, token)
        except Refused as refusal:
            if cursor and "since_id" in str(refusal):  # older than the seven days that X searches
                return gateway.search(query, "", token)
            raise

    def listen(
        self, told: Told, rules: Sequence[str], deliver: Callable[[Sequence[Post]], None], stop: threading.Event
    ) -> None:
        """Holds the stream."""
        Gateway(told).listen(rules, deliver, stop)


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
