"""The one door to X: tweepy, led to the account's base URL, with a deadline on every request and our own errors.

tweepy writes its host into the code and passes no timeout; both are mended by the session it is given.
Source: X API v2 reference; tweepy 4.17.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import tweepy

from services.kit.errors import Unavailable
from services.social.sources import Limited, Post, Refused, Told

_HOSTS = frozenset({"api.twitter.com", "api.x.com"})
_TIMEOUT_S = (5, 25)  # to connect; between bytes: a stream sends a newline every 20 s
_EXPANSIONS = ("author_id",)
_TWEET = ("created_at", "author_id", "conversation_id", "lang", "referenced_tweets")
_USER = ("username", "name", "public_metrics")
_PAGE = 100


class _Session(requests.Session):
    """Sends what is meant for X to the account's base URL, after the address was checked."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.trust_env = False
        self._told = told
        self._base = urlsplit(told.settings.get("base_url") or "https://api.x.com")

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(url)
        if parts.hostname in _HOSTS:
            url = urlunsplit((self._base.scheme, self._base.netloc, parts.path, parts.query, ""))
        self._told.egress.check(url, allow=self._told.allowed)
        kwargs.setdefault("timeout", _TIMEOUT_S)
        kwargs["allow_redirects"] = False
        return super().request(method, url, *args, **kwargs)


class _Stream(tweepy.StreamingClient):
    """A stream that tells its end instead of retrying by itself in sleeps nobody can interrupt."""

    def __init__(self, told: Told, deliver: Callable[[Sequence[Post]], None]) -> None:
        super().__init__(told.secrets.get("bearer_token", ""), max_retries=0)
        self.session = _Session(told)
        self._deliver = deliver
        self.fault: Exception | None = None

    def on_response(self, response: Any) -> None:
        if response.data is not None:
            self._deliver([_post(response.data, response.includes)])

    def on_request_error(self, status_code: int) -> None:
        self.fault = _by_status(status_code, {}, "stream")
        self.disconnect()

    def on_connection_error(self) -> None:
        self.fault = Unavailable("The stream of X broke off.")
        self.disconnect()

    def on_exception(self, exception: Exception) -> None:
        self.fault = Unavailable(f"The stream of X ended: {type(exception).__name__}.")
        self.disconnect()

    def on_errors(self, _errors: Any) -> None:
        self.fault = Unavailable("X sent an error in the stream.")
        self.disconnect()


class Gateway:
    """Reading for one configured source."""

    def __init__(self, told: Told) -> None:
        if not told.secrets.get("bearer_token"):
            raise Refused("X needs a bearer token; set it in the source.")
        self._told = told
        self._client = tweepy.Client(told.secrets["bearer_token"], wait_on_rate_limit=False)
        self._client.session = _Session(told)

    def search(self, query: str, *, since_id: str = "", until_id: str = "", token: str = "") -> tuple[list[Post], str]:
        """A page of recent posts newer than `since_id` and older than `until_id`, newest first, and the next page's token."""
        try:
            found: Any = self._client.search_recent_tweets(
                query,
                since_id=since_id or None,
                until_id=until_id or None,
                next_token=token or None,
                max_results=_PAGE,
                expansions=list(_EXPANSIONS),
                tweet_fields=list(_TWEET),
                user_fields=list(_USER),
            )
        except tweepy.HTTPException as error:
            raise _by_status(error.response.status_code, error.response.headers, str(error)) from error
        except (requests.RequestException, ValueError, tweepy.TweepyException) as error:
            raise Unavailable(f"X could not be asked: {type(error).__name__}.") from error
        posts = [_post(one, found.includes or {}) for one in found.data or ()]
        return posts, str((found.meta or {}).get("next_token", ""))

    def listen(self, rules: Sequence[str], deliver: Callable[[Sequence[Post]], None], stop: threading.Event) -> None:
        """Sets the stream's rules and hands its posts over until it ends or `stop` is set."""
        stream = _Stream(self._told, deliver)
        try:
            _set_rules(stream, rules)
        except tweepy.HTTPException as error:
            raise _by_status(error.response.status_code, error.response.headers, str(error)) from error
        except (requests.RequestException, ValueError, tweepy.TweepyException) as error:
            raise Unavailable(f"X could not be asked: {type(error).__name__}.") from error
        thread: threading.Thread = stream.filter(
            expansions=list(_EXPANSIONS), tweet_fields=list(_TWEET), user_fields=list(_USER), threaded=True
        )
        while thread.is_alive() and not stop.wait(0.2):
            pass
        stream.disconnect()
        if stream.fault is not None and not stop.is_set():
            raise stream.fault


def _set_rules(stream: _Stream, rules: Iterable[str]) -> None:
    wanted = set(rules)
    there: Any = stream.get_rules()
    known = {rule.value: rule.id for rule in there.data or ()}
    if gone := [known[value] for value in known.keys() - wanted]:
        stream.delete_rules(gone)
    if new := sorted(wanted - known.keys()):
        stream.add_rules([tweepy.StreamRule(value, tag=f"ascolto-{number}") for number, value in enumerate(new)])


def _post(tweet: Any, includes: Mapping[str, Any]) -> Post:
    author = next((user for user in includes.get("users", ()) if str(user.id) == str(tweet.author_id)), None)
    handle = str(author.username) if author else str(tweet.author_id or "")
    referenced = {one.type: str(one.id) for one in tweet.referenced_tweets or ()}
    return Post(
        external_id=str(tweet.id),
        text=str(tweet.text),
        occurred_at=(tweet.created_at or datetime.now(UTC)).astimezone(UTC),
        author_id=str(tweet.author_id or ""),
        author_handle=handle,
        author_name=str(author.name) if author else "",
        followers=int((author.public_metrics or {}).get("followers_count", 0)) if author else 0,
        url=f"https://x.com/{handle}/status/{tweet.id}",
        language="" if tweet.lang in {None, "und"} else str(tweet.lang),
        repost_of=referenced.get("retweeted", ""),
        conversation=str(tweet.conversation_id or tweet.id),
    )


def _by_status(status: int, headers: Mapping[str, str], detail: str) -> Exception:
    """Source: X API v2, response codes and rate limits (a 429 has no Retry-After, but the time of the reset)."""
    if status == 429:
        reset = str(headers.get("x-rate-limit-reset", ""))
        until = datetime.fromtimestamp(int(reset), UTC) if reset.isdigit() else datetime.now(UTC) + timedelta(minutes=1)
        return Limited("X limits our requests.", until)
    if status in {401, 403}:
        return Refused(f"X refuses our token ({status}); enter a new one in the source.")
    if 400 <= status < 500:
        return Refused(f"X refuses the request ({status}): {detail[:200]}")
    return Unavailable(f"X answers {status}.")
