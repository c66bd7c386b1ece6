"""The one error tree. Domain and use cases raise it; edges translate by `kit.rpc.status` and `kit.http.problems`.

AscoltoError
├── Invalid          the input is wrong: says which field and what to do           400/422 · INVALID_ARGUMENT
├── Unauthenticated  who are you?                                                  401 · UNAUTHENTICATED
├── Forbidden        known, but not allowed                                        403 · PERMISSION_DENIED
├── NotFound         there is none, or none you may see                            404 · NOT_FOUND
├── Conflict         the world moved on; carries the current state                 409 · ABORTED
├── RateLimited      too many; carries seconds to wait                             429 · RESOURCE_EXHAUSTED
├── Unavailable      a server or disk is away: the same call may succeed later     503 · UNAVAILABLE
└── Internal         our fault                                                     500 · INTERNAL
"""

from __future__ import annotations


class AscoltoError(Exception):
    """A failure with a sentence for the reader and the ids it concerns.

    `message` says what failed, on which id, and what to do. `ids` are safe to log; `detail` is proto bytes for the caller.
    """

    kind = "internal"

    def __init__(
        self, message: str, *, field: str = "", detail: bytes = b"", retry_after_s: float = 0.0, **ids: str
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.ids = ids


class Invalid(AscoltoError):
    """The input is wrong; `field` names the part at fault."""

    kind = "invalid"


class Unauthenticated(AscoltoError):
    """Nobody, or somebody whose proof is missing, forged or expired."""

    kind = "unauthenticated"


class Forbidden(AscoltoError):
    """Somebody known who may not do this."""

    kind = "forbidden"


class NotFound(AscoltoError):
    """There is no such thing, or none this caller may see."""

    kind = "not_found"


class Conflict(AscoltoError):
    """The caller acted on a state that is no longer; `detail` holds the present one as proto bytes."""

    kind = "conflict"


class RateLimited(AscoltoError):
    """Too many; `retry_after_s` says how long to wait."""

    kind = "rate_limited"


class Unavailable(AscoltoError):
    """A server, a disk or a lock is away. Retrying later is right; nothing was done."""

    kind = "unavailable"


class Internal(AscoltoError):
    """A defect of ours."""

    kind = "internal"


KINDS: dict[str, type[AscoltoError]] = {
    error.kind: error
    for error in (Invalid, Unauthenticated, Forbidden, NotFound, Conflict, RateLimited, Unavailable, Internal)
}
