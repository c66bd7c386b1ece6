"""RSS and Atom: conditional GET, every version feedparser reads, entries as mentions without a reply.

Source: RFC 4287 (Atom), RSS 2.0, RFC 9110 section 13 (conditional requests).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import struct_time
from typing import Any
from urllib.parse import urlsplit

import feedparser
import nh3

from services.kit.egress import Answer
from services.kit.errors import Unavailable
from services.social.sources import Batch, Field, Limited, Post, Refused, Told

_MAX_BYTES = 5 * 1024 * 1024
_MAX_ENTRIES = 1000
_LONGEST_ID = 500
_MIN_WAIT_S, _MAX_WAIT_S = 5.0, 3600.0
_SPACES = re.compile(r"\s+")
_MAX_AGE = re.compile(r"max-age=(\d+)")


class Rss:
    """See the module."""

    id = "rss"
    can_reply = False
    fields: Sequence[Field] = (
        Field("url", "Address of the feed", required=True),
        Field("every_s", "Seconds between reads", default="300"),
        Field("allow_hosts", "Private hosts this source may reach"),
    )

    def poll(self, told: Told, cursor: str, rules: Sequence[str]) -> Batch:
        """Reads the feed if it changed. `cursor` keeps ETag and Last-Modified; entries are told apart by their ids."""
        del rules  # the local matcher decides
        url = told.settings.get("url", "")
        seen: dict[str, str] = json.loads(cursor) if cursor else {}
        if seen.get("url") != url:  # what another feed said of its age says nothing of this one's
            seen = {}
        headers = {
            "user-agent": "Ascolto",
            "accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9",
        }
        if seen.get("etag"):
            headers["if-none-match"] = seen["etag"]
        if seen.get("modified"):
            headers["if-modified-since"] = seen["modified"]
        answer = told.egress.request("GET", url, headers=headers, max_bytes=_MAX_BYTES, redirects=3, allow=told.allowed)
        wait_s = _wait(answer.headers, told.settings.get("every_s", ""))
        if answer.status == 304:
            return Batch((), cursor, wait_s=wait_s)
        _refuse(answer, url)
        posts = _entries(answer.body, url)
        following = {
            "url": url,
            "etag": answer.headers.get("etag", ""),
            "modified": answer.headers.get("last-modified", ""),
        }
        return Batch(posts, json.dumps(following), wait_s=wait_s)


def _refuse(answer: Answer, url: str) -> None:
    host = urlsplit(url).hostname
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        after = answer.headers.get("retry-after", "60")
        seconds = int(after) if after.isdigit() else 60
        raise Limited(f"{host} asks to wait {seconds} s.", datetime.now(UTC) + timedelta(seconds=seconds))
    if answer.status in {401, 403, 404, 410}:
        raise Refused(f"{host} answers {answer.status} for this feed; check its address.")
    if answer.status != 200:
        raise Unavailable(f"{host} answers {answer.status}.")


def _entries(body: bytes, url: str) -> list[Post]:
    parsed: Any = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    if not parsed.entries and (parsed.bozo or not parsed.get("version")):
        raise Unavailable(f"{urlsplit(url).hostname} answered with something that is no feed.")
    return [_post(entry) for entry in parsed.entries[:_MAX_ENTRIES]]


def _post(entry: Mapping[str, Any]) -> Post:
    link = str(entry.get("link", ""))
    title = _plain(str(entry.get("title", "")))
    content = entry.get("content") or [{"value": entry.get("summary", "")}]
    text = _plain(str(content[0].get("value", "")))
    key = str(entry.get("id") or link or hashlib.sha256(f"{title}\x00{text}".encode()).hexdigest())
    author = _plain(str(entry.get("author", "")))
    return Post(
        external_id=key if len(key) <= _LONGEST_ID else hashlib.sha256(key.encode()).hexdigest(),
        text=f"{title}. {text}" if title and text else title or text,
        occurred_at=_when(entry.get("published_parsed") or entry.get("updated_parsed")),
        author_id=author[:200],
        author_handle=author[:200],
        author_name=author[:200],
        url=link if urlsplit(link).scheme in {"http", "https"} else "",
        title=title,
    )


def _when(parsed: struct_time | None) -> datetime:
    """Feeds' dates are often wrong: none, or one in the future, is now."""
    now = datetime.now(UTC)
    if parsed is None:
        return now
    try:
        at = datetime(*parsed[:6], tzinfo=UTC)
    except ValueError:
        return now
    return min(at, now)


def _plain(html: str) -> str:
    text = nh3.clean(html, tags=set(), attributes={}, clean_content_tags={"script", "style"})
    for entity, letter in (
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", '"'),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ):
        text = text.replace(entity, letter)
    return _SPACES.sub(" ", text).strip()[:20_000]


def _wait(headers: Mapping[str, str], every_s: str) -> float:
    asked = float(every_s) if every_s.replace(".", "", 1).isdigit() else 300.0
    found = _MAX_AGE.search(headers.get("cache-control", ""))
    return min(_MAX_WAIT_S, max(_MIN_WAIT_S, asked, float(found[1]) if found else 0.0))


SOURCE = Rss()
