"""From SQLite's result codes to our errors: what is away may come back, what is wrong will not."""

from __future__ import annotations

import sqlite3

from services.kit.errors import AscoltoError, Internal, Unavailable

# Primary result codes. Source: https://www.sqlite.org/rescode.html
_AWAY = {
    5: "is held by another process",
    6: "is locked",
    7: "has no memory left",
    8: "is read-only",
    9: "was interrupted",
    10: "has an input or output error",
    13: "cannot grow: disk full. Free some space; it goes on by itself",
    14: "cannot be opened",
}


def translated(error: BaseException, database: str) -> BaseException:
    """The error as callers should see it; ours and those of functions pass unchanged."""
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    found: AscoltoError
    if code in _AWAY:
        found = Unavailable(f"The database {database} {_AWAY[code]}.", retry_after_s=1.0)
    elif isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        found = Unavailable(f"The database {database} is closed.")
    else:
        found = Internal(f"The database {database} refused a statement: {error}.")
    found.__cause__ = error
    return found
