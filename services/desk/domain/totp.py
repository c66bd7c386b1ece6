"""Codes of a second factor that an application on a telephone shows: six digits, a new one every half minute.

Source: RFC 6238 (TOTP) over RFC 4226 (HOTP) with HMAC-SHA-1, what every such application speaks; the URI is the
"Key Uri Format" of Google Authenticator's wiki.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote, urlencode

DIGITS = 6
STEP_S = 30
_DRIFT = 1  # steps before and after that are taken too: RFC 6238, 5.2
_SECRET_BYTES = 20  # RFC 4226, section 4, R6: 160 bits


def secret_of(random: bytes) -> str:
    """A secret as people type it: base32 of 20 random bytes."""
    return base64.b32encode(random[:_SECRET_BYTES]).decode()


def code_at(secret: str, step: int) -> str:
    """The code of one step."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(moment: datetime) -> int:
    """The step a moment lies in."""
    return int(moment.timestamp()) // STEP_S


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The step whose code this is, at most one from now; None for any other code. Every step is compared."""
    here, found = step_of(now), None
    for step in range(here - _DRIFT, here + _DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found


def uri(secret: str, *, account: str, issuer: str) -> str:
    """What an application on the same telephone opens."""
    label = quote(f"{issuer}:{account}", safe="")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer})}"


def grouped(secret: str) -> str:
    """In groups of four, to be read and typed."""
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
