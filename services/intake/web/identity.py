"""Whether the shop vouches for a chat's visitor: a JWT (HS256) or an HMAC of the customer's id, two keys in rotation.

Source: RFC 7519; the algorithm is pinned, so that `none` and keys of another kind are refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.kit.errors import Forbidden

_LEEWAY_S = 60
_LONGEST_S = 3600


@dataclass(frozen=True, slots=True)
class Vouched:
    """What the shop says of its customer."""

    customer: str
    name: str = ""
    email: str = ""


def verify(identity: Mapping[str, Any], secrets: Sequence[str], *, audience: Sequence[str], now_s: float) -> Vouched:
    """Who it is. Raises `Forbidden` when the proof is missing, forged, for somebody else, or over."""
    keys = [secret.encode() for secret in secrets if secret]
    token = identity.get("token")
    if isinstance(token, str):
        return _by_token(token, keys, audience, now_s)
    who, proof = identity.get("identifier"), identity.get("identifier_hash")
    if not isinstance(who, str) or not isinstance(proof, str) or not who:
        raise Forbidden("The proof of identity is not complete.", field="identity")
    good = False
    for key in keys:
        good |= hmac.compare_digest(hmac.new(key, who.encode(), hashlib.sha256).hexdigest().encode(), proof.encode())
    if not good:
        raise Forbidden("The proof of identity is not valid.", field="identity")
    return Vouched(who[:200])


def _by_token(token: str, keys: Sequence[bytes], audience: Sequence[str], now_s: float) -> Vouched:
    signed, _, given = token.rpartition(".")
    try:
        head, payload = (json.loads(_decoded(part)) for part in signed.split("."))
        signature = _decoded(given)
    except (ValueError, binascii.Error, UnicodeDecodeError, RecursionError) as error:
        raise Forbidden("The identity token cannot be read.", field="identity") from error
    if not isinstance(head, dict) or not isinstance(payload, dict) or head.get("alg") != "HS256":
        raise Forbidden("The identity token must be signed with HS256.", field="identity")
    good = False
    for key in keys:
        good |= hmac.compare_digest(hmac.new(key, signed.encode(), hashlib.sha256).digest(), signature)
    ends, begins, meant = payload.get("exp"), payload.get("iat"), payload.get("aud")
    who = payload.get("sub")
    if not good or not isinstance(who, str) or not who or meant not in audience:
        raise Forbidden("The identity token is not valid here.", field="identity")
    if not isinstance(ends, int) or not now_s - _LEEWAY_S <= ends <= now_s + _LONGEST_S + _LEEWAY_S:
        raise Forbidden("The identity token is over, or lasts longer than an hour.", field="identity")
    if isinstance(begins, int) and begins > now_s + _LEEWAY_S:
        raise Forbidden("The identity token begins in the future.", field="identity")
    email = payload.get("email") if payload.get("email_verified") is True else ""
    return Vouched(who[:200], str(payload.get("name") or "")[:200], str(email or "")[:200])


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
