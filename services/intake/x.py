"""The one door to X for sending: tweepy, led to the account's base URL, with a deadline on every request.

tweepy writes its host into the code and passes no timeout; the session it is given mends both.
Source: X API v2 reference, `POST /2/tweets`; tweepy 4.17.
"""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import tweepy

from services.intake.domain.channel import Account
from services.intake.ports import NotSent, Uncertain
from services.kit.egress import Egress
from services.kit.errors import AscoltoError, Unavailable

_HOSTS = frozenset({"api.twitter.com", "api.x.com"})
_TIMEOUT_S = (5, 25)
_URL = re.compile(r"https?://\S+")  # every link counts 23, however long
_URL_WEIGHT = 23
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  # code points of weight 1; all others weigh 2


class _Refused(Exception):
    """Our own door refused the address before anything left."""


class _Session(requests.Session):
    """Sends what is meant for X to the account's base URL, after the address was checked."""

    def __init__(self, base_url: str, egress: Egress, allow: tuple[str, ...]) -> None:
        super().__init__()
        self.trust_env = False
        self._base, self._egress, self._allow = urlsplit(base_url), egress, allow

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """As `requests`, elsewhere and in time."""
        parts = urlsplit(url)
        if parts.hostname in _HOSTS:
            url = urlunsplit((self._base.scheme, self._base.netloc, parts.path, parts.query, ""))
        try:
            self._egress.check(url, allow=self._allow)
        except AscoltoError as error:
            raise _Refused(error.message) from error
        kwargs["timeout"], kwargs["allow_redirects"] = _TIMEOUT_S, False
        return super().request(method, url, *args, **kwargs)


def weight(text: str) -> int:
    """Weighted characters of a post. Source: twitter-text configuration v3."""
    plain = unicodedata.normalize("NFC", text)
    links = len(_URL.findall(plain))
    rest = _URL.sub("", plain)
    return links * _URL_WEIGHT + sum(1 if any(a <= ord(c) <= b for a, b in _LIGHT) else 2 for c in rest)


def client(account: Account, egress: Egress) -> tweepy.Client:
    """Tweepy for one account: its bearer of a user, or its four keys of OAuth 1.0a."""
    secrets = account.secrets
    own = bool(secrets.get("access_token_secret"))
    made = tweepy.Client(
        bearer_token=secrets.get("user_token") or secrets.get("bearer_token"),
        consumer_key=secrets.get("consumer_key") if own else None,
        consumer_secret=secrets.get("consumer_secret") if own else None,
        access_token=secrets.get("access_token") if own else None,
        access_token_secret=secrets.get("access_token_secret") if own else None,
        wait_on_rate_limit=False,
    )
    allow = tuple(host.strip() for host in account.setting("allow_hosts").split(",") if host.strip())
    made.session = _Session(account.setting("base_url", "https://api.x.com"), egress, allow)
    return made


def post(account: Account, egress: Egress, *, text: str, in_reply_to: str) -> str:
    """Posts, as an answer when `in_reply_to` is given; the new post's id. Raises `NotSent`, `Uncertain`."""
    user_auth = bool(account.secrets.get("access_token_secret"))
    try:
        answer: Any = client(account, egress).create_tweet(
            text=text, in_reply_to_tweet_id=in_reply_to or None, user_auth=user_auth
        )
    except _Refused as error:
        raise NotSent(str(error), retry=False, account=True) from error
    except tweepy.TooManyRequests as error:
        reset = error.response.headers.get("x-rate-limit-reset", "")
        capped = "usage-capped" in error.response.text[:2000]
        after_s = min(max(0.0, float(reset) - time.time()), 900.0) if reset.isdigit() else 60.0
        raise NotSent(
            "X asks us to wait: too many requests.", retry=not capped, after_s=after_s, account=capped
        ) from error
    except tweepy.Unauthorized as error:
        raise NotSent(
            "X does not accept the account's token; connect the account again.", retry=False, account=True
        ) from error
    except tweepy.Forbidden as error:
        raise NotSent(f"X does not allow this answer: {_reasons(error)}", retry=False) from error
    except tweepy.TwitterServerError as error:
        if error.response.status_code == 503:
            raise NotSent("X is over capacity.", retry=True, after_s=30.0) from error
        raise Uncertain(f"X answered {error.response.status_code}: nobody knows whether it was posted.") from error
    except tweepy.HTTPException as error:
        raise NotSent(f"X refused the post ({error.response.status_code}): {_reasons(error)}", retry=False) from error
    except (requests.exceptions.RequestException, ValueError) as error:
        raise _lost(error) from error
    data = getattr(answer, "data", None)
    if not isinstance(data, dict) or not data.get("id"):
        raise Uncertain("X accepted the request and gave no id of the post.")
    return str(data["id"])


def _lost(error: Exception) -> NotSent | Uncertain:
    """Whether a broken request had surely not left."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return NotSent("X cannot be reached.", retry=True)
    if isinstance(error, requests.exceptions.ConnectionError) and (
        "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
    ):
        return NotSent("X cannot be reached.", retry=True)
    return Uncertain("The connection to X broke, or its answer could not be read, after the post had left.")


def check(account: Account, egress: Egress) -> str:
    """The account's handle. Raises `Unavailable` in words."""
    try:
        answer: Any = client(account, egress).get_me(user_auth=bool(account.secrets.get("access_token_secret")))
    except (_Refused, tweepy.TweepyException, requests.exceptions.RequestException, ValueError) as error:
        raise Unavailable(f"X did not tell who we are: {type(error).__name__}.") from error
    return str(getattr(getattr(answer, "data", None), "username", "") or "")


def _reasons(error: tweepy.HTTPException) -> str:
    found = "; ".join(str(one) for one in (*error.api_messages, *error.api_errors) if one)
    return (found or "no reason given")[:300]
