"""Standard Webhooks, both ways: what we sign for integrators, what we check from them.

Source: github.com/standard-webhooks/standard-webhooks, specification of August 2026.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from services.kit.errors import Unauthenticated

TOLERANCE_S = 300
_PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The bytes of a `whsec_…` secret; any other text is its own UTF-8."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()


def sign(secret: str, *, message_id: str, timestamp_s: int, body: bytes) -> str:
    """One `v1,…` signature of `{id}.{timestamp}.{body}`."""
    digest = hmac.new(key_of(secret), f"{message_id}.{timestamp_s}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def signed_headers(secret: str, *, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of an outgoing webhook."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": sign(secret, message_id=message_id, timestamp_s=timestamp_s, body=body),
    }


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now_s: float) -> str:
    """The webhook's id, if one of the active secrets signed it within five minutes. Raises `Unauthenticated`.

    Header names are lower case; the `svix-` names of the same scheme are read too. Every secret is compared, in
    constant time.
    """
    message_id = headers.get("webhook-id") or headers.get("svix-id", "")
    stamp = headers.get("webhook-timestamp") or headers.get("svix-timestamp", "")
    given = headers.get("webhook-signature") or headers.get("svix-signature", "")
    fresh = stamp.isascii() and stamp.isdigit() and abs(now_s - int(stamp[:12])) <= TOLERANCE_S
    good = False
    for secret in secrets:
        if not secret:
            continue
        wanted = sign(secret, message_id=message_id, timestamp_s=int(stamp[:12]) if fresh else 0, body=body).encode()
        for one in given.split(" ")[:10]:
            good |= hmac.compare_digest(wanted, one.encode("utf-8", "replace"))
    if not (good and fresh and message_id and "." not in message_id):
        raise Unauthenticated("The signature of this request is missing, wrong or older than five minutes.")
    return message_id
